"""A scanner sees in the image exactly the debs and the distributions of the lock."""
