"""Copies that are hashed while they are made: what is used afterwards is the very thing that was looked at."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Final

from builder.digest import Digest

_CHUNK: Final = 1 << 20


def copy_hashed(source: Path, target: Path) -> Digest:
    """Copy a file; gives the hash of what was written."""
    hashed = hashlib.sha256()
    with source.open("rb") as reader, target.open("xb") as writer:
        while chunk := reader.read(_CHUNK):
            hashed.update(chunk)
            writer.write(chunk)
    return Digest(hashed.hexdigest())


def hash_file(path: Path) -> Digest:
    """Hash a file."""
    with path.open("rb") as stream:
        return Digest(hashlib.file_digest(stream, "sha256").hexdigest())
