"""Nothing in an image gains rights, hides a path or depends on the compression; children share their parents' layers."""
