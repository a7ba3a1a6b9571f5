"""What a lock has otherwise than the one before it, as JSON: each project and Debian package, with the hashes of its files."""

from __future__ import annotations

from typing import Any

from builder.history.image import ImageRecord
from builder.lock.diff import diff_locks
from builder.lock.model import BaseLock, StackLock


def lock_changes(before: ImageRecord | None, after: ImageRecord) -> dict[str, Any] | None:
    """Compare the locks of two images.

    Args:
        before: the image that the stack had; None where this is its first.
        after: the image.

    Returns:
        JSON values; None where one of the locks is not at hand.
    """
    if after.lock is None:
        return None
    found: dict[str, Any] = {"after": _named(after), "before": None if before is None else _named(before)}
    if before is None:
        return {**found, "note": "the first image of its stack on record: there is nothing to compare it with"}
    if before.lock is None:
        return None
    diff = diff_locks(before.lock, after.lock, bases=(before.base, after.base))
    return {
        **found,
        "head": [{"name": one.name, "before": one.before, "after": one.after} for one in diff.head],
        "distributions": [
            {
                "project": one.project,
                "kind": one.kind.value,
                "before": one.before,
                "after": one.after,
                "files_before": _wheels(before.lock, one.project),
                "files_after": _wheels(after.lock, one.project),
            }
            for one in diff.candidates
        ],
        "debian_packages": [
            {
                "package": one.package,
                "kind": one.kind.value,
                "before": one.before,
                "after": one.after,
                "files_before": _debs(before.base, one.package),
                "files_after": _debs(after.base, one.package),
            }
            for one in diff.debs
        ],
        "unchanged_distributions": diff.unchanged,
    }


def _named(image: ImageRecord) -> dict[str, str]:
    base = str(image.lock.base_lock) if image.lock else ""
    return {"image": image.digest, "lock": image.lock_digest, "base_lock": base}


def _wheels(lock: StackLock, project: str) -> dict[str, str]:
    files = (file for one in lock.candidates if one.project == project for file in one.wheels.values())
    return {file.name: f"sha256:{file.sha256.hex}" for file in sorted(files, key=lambda file: file.name)}


def _debs(base: BaseLock | None, package: str) -> dict[str, str]:
    files = (one.file for one in (base.debs if base else ()) if one.package == package)
    return {file.name: f"sha256:{file.sha256.hex}" for file in sorted(files, key=lambda file: file.name)}
