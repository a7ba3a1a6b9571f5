"""Archives: every raw input of an image as one OCI artifact that refers to it, so that it can be rebuilt from there alone."""
