"""What docker and BuildKit build: images of bases by a Dockerfile, and stacks from their locks.

client.py: the docker client and its daemon. base.py: a Dockerfile over images of ours, out as an OCI layout; saved.py reads what
came out. dockerfile.py: a stack's lock as a Dockerfile; install_wheels.py runs in its steps. filesystem.py compares images by files.
"""
