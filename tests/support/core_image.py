"""Layers of a built image, read by tarfile: what the platform's file system would hold, and from which layer."""
