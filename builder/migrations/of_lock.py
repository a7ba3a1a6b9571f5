"""The database schemas that an image's code expects, read from the wheels that its lock names."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Final

from builder.ledger.parts import Revisions
from builder.lock.model import StackLock
from builder.migrations.wheels import may_hold_migrations, read_revisions
from builder.platform import Platform
from builder.store.model import FileStore

_END: Final = struct.Struct("<4s4H2LH")
"""The end record of a zip archive; wheels with a comment behind it are refused at intake."""


def revisions_of(lock: StackLock, files: FileStore, platform: Platform) -> tuple[tuple[Revisions, bytes], ...]:
    """Read the schemas that the locked wheels of a platform bring migrations for, with the documents of their histories.

    Args:
        lock: of a stack.
        files: holds the wheels.
        platform: of the image; migrations are alike on all.

    Returns:
        By version table, so that Airflow's own comes first. A document is empty where a history cannot be known.

    Raises:
        MissingBlobError: the store lacks a wheel.
        DigestMismatchError: a wheel is not the locked one.
    """
    found: list[tuple[Revisions, bytes]] = []
    for candidate in lock.candidates_for(platform):
        wheel = candidate.wheels[platform.name]
        # A glance without checking the hash: a hundred megabytes need not be read to find two wheels. A build has
        # read, checked and unpacked all of them.
        names = _directory(files.path(wheel.sha256))
        if names is None or may_hold_migrations(names):
            found.extend(read_revisions(candidate.project, files.read(wheel)))
    return tuple(sorted(found, key=lambda pair: (pair[0].version_table, pair[0].owner)))


def _directory(path: Path) -> bytes | None:
    """Read the central directory of a zip archive; None where there is none."""
    try:
        with path.open("rb") as stream:
            size = stream.seek(0, 2)
            stream.seek(max(0, size - _END.size))
            _, _, _, _, _, length, start, _ = _END.unpack(stream.read(_END.size))
            stream.seek(start)
            return stream.read(min(length, size))
    except (OSError, struct.error):
        return None
