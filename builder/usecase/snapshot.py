"""Snapshots for people: found by the beginning of their id, compared, packed, collected."""

from __future__ import annotations

from builder.errors import InvalidInputError
from builder.snapshot.model import SnapshotEntry, SnapshotStore

LEAST_PREFIX = 4
LATEST = "latest"


def find_snapshot(store: SnapshotStore, prefix: str) -> SnapshotEntry:
    """Find a snapshot by the beginning of its id, or `latest`.

    Raises:
        InvalidInputError: none or several begin so.
    """
    entries = store.entries()
    if prefix == LATEST and entries:
        return entries[0]
    found = [entry for entry in entries if len(prefix) >= LEAST_PREFIX and entry.id.startswith(prefix)]
    if len(found) != 1:
        message = f"no snapshot {prefix!r}" if not found else f"{len(found)} snapshots begin with {prefix!r}"
        raise InvalidInputError(message, hint="list them with: airflow-kubler snapshot ls")
    return found[0]
