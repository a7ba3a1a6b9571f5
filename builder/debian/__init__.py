"""Debian: from a mirror's signed indexes to a base lock, and from debs to entries of an image.

Change what a mirror's answer must look like -> client.py, release.py; where mirrors come from -> mirrors.py;
which packages a base gets -> closure.py, packages.py; what of a deb reaches an image -> rootfs.py;
what a deb may be -> deb.py (with tar.py and inflate.py beneath it).
"""
