"""What we unpack is what uv installs from the same wheels."""
