"""What docker and BuildKit build: images of bases by a Dockerfile.

base.py: `Dockerfile.base` over images of ours, out as an OCI layout.
"""
