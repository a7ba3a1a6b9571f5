"""How snapshots are shown."""

from __future__ import annotations

import datetime as dt
from typing import Any

from builder.snapshot.model import FILE_NOTE, SnapshotEntry


def count_projects(entry: SnapshotEntry) -> int:
    """Count the projects that the indexes had."""
    return len({name for pages in entry.snapshot.pages.values() for name, digest in pages.items() if digest})


def count_wheels(entry: SnapshotEntry) -> int:
    """Count the wheels whose metadata is held; notes of sizes are none."""
    return sum(not key.startswith(FILE_NOTE) for key in entry.snapshot.metadata)


def render_time(entry: SnapshotEntry) -> str:
    """Render when a snapshot was taken, UTC."""
    return dt.datetime.fromtimestamp(entry.taken_at, dt.UTC).strftime("%Y-%m-%d %H:%M")


def entry_to_dict(entry: SnapshotEntry) -> dict[str, Any]:
    """Make the JSON form."""
    return {
        "id": entry.id,
        "taken_at": entry.taken_at,
        "day": entry.snapshot.day,
        "indexes": list(entry.snapshot.indexes),
        "projects": count_projects(entry),
        "wheels": count_wheels(entry),
        "locks": {stack: str(digest) for stack, digest in entry.locks.items()},
    }
