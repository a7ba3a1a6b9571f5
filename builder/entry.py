"""An entry of a layer: what wheels and debs become, and what tar is written from.

Invariants: paths are relative, normalised, without `.` or `..`; times are no part of an entry, since they are one
constant of the layer format; owners are numbers.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class EntryKind(StrEnum):
    """The kinds of entry that layers may hold: no devices, no fifos, no whiteouts."""

    FILE = "file"
    DIRECTORY = "directory"
    SYMLINK = "symlink"
    HARDLINK = "hardlink"


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One path of an image."""

    path: str
    """Relative to the image's root, no leading or trailing slash, as `usr/bin/env`."""
    kind: EntryKind = EntryKind.FILE
    data: bytes = b""
    """Content of a FILE, else empty."""
    target: str = ""
    """Of a SYMLINK: the link's text. Of a HARDLINK: a path in the same segment, relative to the image's root."""
    mode: int = 0o644
    """Permission bits, as 0o755; 0o777 for symlinks by convention."""
    uid: int = 0
    gid: int = 0


def file_entry(path: str, data: bytes, *, executable: bool = False) -> Entry:
    """Make a root-owned file of mode 0644, or 0755."""
    return Entry(path=path, data=data, mode=0o755 if executable else 0o644)


def directory_entry(path: str, *, mode: int = 0o755, uid: int = 0, gid: int = 0) -> Entry:
    """Make a directory."""
    return Entry(path=path, kind=EntryKind.DIRECTORY, mode=mode, uid=uid, gid=gid)


def symlink_entry(path: str, target: str) -> Entry:
    """Make a symbolic link."""
    return Entry(path=path, kind=EntryKind.SYMLINK, target=target, mode=0o777)
