"""Rules for names inside wheels: a name that passes lands below the folder it is unpacked into, as itself."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence

from builder.wheel.refusal import Refusal, WheelRefusedError

_MAX_NAME = 1024
"""Bytes. Linux takes 4096 for a whole path; the longest name seen in real plugins is below 200."""
_MAX_PART = 255
"""Bytes: NAME_MAX of Linux file systems."""
_DRIVE = re.compile(r"[A-Za-z]:")
_PLAIN = re.compile(r"(?:[A-Za-z0-9_+-][A-Za-z0-9_.+-]{0,99}/){0,7}[A-Za-z0-9_+-][A-Za-z0-9_.+-]{0,99}/?\Z")
"""Names without anything remarkable: nearly all of them, so that nearly all cost one match."""


def check_name(name: str, raw: bytes, *, wheel: str) -> None:
    """Refuse a name that is absolute, climbs, hides, or reads differently elsewhere.

    Args:
        name: the decoded name; a trailing slash marks a directory.
        raw: the same as bytes.
        wheel: the wheel's file name, for the error.

    Raises:
        WheelRefusedError: naming the rule that is broken.
    """
    if _PLAIN.match(name):
        return

    if not name:
        raise WheelRefusedError(Refusal.NAME_NOT_NORMAL, "an entry without a name", wheel=wheel, entry="''")
    problem = _find_problem(name, raw) or _find_problem_of_parts(name.removesuffix("/").split("/"))
    if problem is not None:
        kind, message = problem
        raise WheelRefusedError(kind, message, wheel=wheel, entry=name)


def _find_problem(name: str, raw: bytes) -> tuple[Refusal, str] | None:
    if len(raw) > _MAX_NAME:
        return Refusal.NAME_TOO_LONG, f"a name of {len(raw)} bytes, more than {_MAX_NAME}"
    if not name.isprintable():
        return Refusal.NAME_CONTROL, "the name has a NUL, control or invisible character"
    if "\\" in name:
        return Refusal.NAME_BACKSLASH, "the name has a backslash, a separator on other systems"
    if name.startswith("/"):
        return Refusal.NAME_ABSOLUTE, "the name is absolute"
    if _DRIVE.match(name):
        return Refusal.NAME_DRIVE, "the name begins with a drive letter"
    return None


def _find_problem_of_parts(parts: Sequence[str]) -> tuple[Refusal, str] | None:
    for part in parts:
        if part == "..":
            return Refusal.NAME_TRAVERSAL, "the name climbs out of its folder"
        if part in {"", "."}:
            return Refusal.NAME_NOT_NORMAL, "the name has an empty or '.' part"
        if len(part.encode()) > _MAX_PART:
            return Refusal.NAME_TOO_LONG, f"a part of the name has more than {_MAX_PART} bytes"
        if part.startswith(".wh."):
            return Refusal.WHITEOUT, "the name would delete a file of a lower layer"
    return None


def check_collisions(names: Sequence[str], *, wheel: str) -> None:
    """Refuse names that are one file to some file system, and files that would have to be folders too.

    Args:
        names: checked names, folders with a trailing slash.
        wheel: the wheel's file name, for the error.

    Raises:
        WheelRefusedError: naming the second of two.
    """
    seen: dict[str, str] = {}
    parents: dict[str, str] = {}
    for name in names:
        path = name.rstrip("/")
        key = fold(path)
        if key in seen:
            kind, message = _describe_collision(path, seen[key])
            raise WheelRefusedError(kind, message, wheel=wheel, entry=name)
        seen[key] = name
        parent = key if name.endswith("/") else key.rpartition("/")[0]
        while parent and parent not in parents:
            parents[parent] = name
            parent = parent.rpartition("/")[0]
    for key in seen.keys() & parents.keys():
        if not seen[key].endswith("/"):
            message = f"a file, and the folder of {parents[key]!r} too"
            raise WheelRefusedError(Refusal.FILE_AND_DIRECTORY, message, wheel=wheel, entry=seen[key])


def _describe_collision(path: str, other: str) -> tuple[Refusal, str]:
    if other.rstrip("/") == path:
        return Refusal.DUPLICATE, "the archive has two entries of this name"
    return Refusal.CASE_COLLISION, f"the same as {other!r} where case or accents are folded"


def fold(path: str) -> str:
    """Make the form in which paths that some file system takes for one another are equal.

    >>> fold("Straße") == fold("STRASSE")
    True
    """
    if path.isascii():
        return path.lower()
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", path).casefold())
