"""Two distributions may not install the same file: which one won would depend on the order."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from builder.errors import BuilderError, IssuesError
from builder.wheel.names import fold
from builder.wheel.refusal import Refusal, WheelRefusedError


def check_overlap(paths: Mapping[str, Iterable[str]], *, reserved: Iterable[str] = ()) -> None:
    """Refuse paths that two wheels install, or that differ in case or accents only, or that are file here and folder there.

    Args:
        paths: by wheel file name, the paths that it installs, bytecode left out or not.
        reserved: paths that the image itself has, as `home/airflow/.local/bin/python`.

    Raises:
        IssuesError: one WheelRefusedError a conflict, each naming both wheels. O(all paths).
    """
    issues: list[BuilderError] = []
    owners: dict[str, tuple[str, str]] = {fold(path): ("the image itself", path) for path in sorted(reserved)}
    folders: dict[str, tuple[str, str]] = {}
    for wheel in sorted(paths):
        for path in paths[wheel]:
            key = fold(path)
            owner = owners.setdefault(key, (wheel, path))
            if owner != (wheel, path):
                issues.append(_conflict(wheel, path, owner, "the file is installed by"))
            _note_folders(folders, key, wheel, path)
    for key in sorted(owners.keys() & folders.keys()):
        wheel, path = owners[key]
        issues.append(_conflict(wheel, path, folders[key], "the file is a folder to"))
    if issues:
        raise IssuesError(issues)


def _note_folders(folders: dict[str, tuple[str, str]], key: str, wheel: str, path: str) -> None:
    parent = key.rpartition("/")[0]
    while parent and parent not in folders:
        folders[parent] = (wheel, path)
        parent = parent.rpartition("/")[0]


def _conflict(wheel: str, path: str, other: tuple[str, str], what: str) -> WheelRefusedError:
    name, their_path = other
    spelled = "" if their_path == path else f" as {their_path!r}"
    return WheelRefusedError(Refusal.DISTRIBUTIONS_OVERLAP, f"{what} {name}{spelled}", wheel=wheel, entry=path)
