"""Reading a suite's Release file: what it is, how long it holds, and the size and hash of each index.

The text must have been verified before: nothing here knows of signatures.

Source: https://wiki.debian.org/DebianRepository/Format, "Release" files.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime

from builder.digest import Digest
from builder.errors import MirrorError
from builder.lock.model import LockedFile

_MAX_FUTURE_S = 3600
"""How far a mirror's clock may run before ours."""
_INDEX_LINE = re.compile(r" ([0-9a-f]{64}) +([0-9]{1,12}) +(\S+)\Z")


@dataclass(frozen=True, slots=True, kw_only=True)
class Release:
    """A suite's signed table of contents."""

    suite: str
    codename: str
    date: int
    """Seconds since the epoch."""
    valid_until: int | None
    by_hash: bool
    """Whether indexes can be had under their hash, which no update of the mirror takes away."""
    indexes: Mapping[str, LockedFile]
    """By path relative to the suite's folder, as `main/binary-amd64/Packages.xz`."""


def parse_release(text: str, *, where: str) -> Release:
    """Read a Release file.

    Raises:
        MirrorError: fields are missing or cannot be read.
    """
    fields, blocks = _split(text)
    try:
        date = _seconds(fields["date"])
        valid_until = _seconds(fields["valid-until"]) if "valid-until" in fields else None
        indexes = dict(_index(line) for line in blocks["sha256"])
    except KeyError as exc:
        raise MirrorError(f"the Release file has no field {exc.args[0]}", context=where) from exc
    except (ValueError, OverflowError) as exc:
        raise MirrorError(f"the Release file cannot be read: {exc}", context=where) from exc
    return Release(
        suite=fields.get("suite", ""),
        codename=fields.get("codename", ""),
        date=date,
        valid_until=valid_until,
        by_hash=fields.get("acquire-by-hash") == "yes",
        indexes=indexes,
    )


def check_release(release: Release, *, suite: str, now: int, where: str) -> None:
    """Refuse a Release of another suite, one that has run out, and one from the future.

    Args:
        release: what the mirror gave.
        suite: what was asked for, as `trixie-security`.
        now: seconds since the epoch.
        where: names the file in errors.

    Raises:
        MirrorError: with what is wrong.
    """
    if suite not in {release.suite, release.codename}:
        raise MirrorError(
            f"this is suite {release.suite!r}, codename {release.codename!r}, not {suite!r}", context=where
        )
    if release.valid_until is not None and release.valid_until < now:
        late = (now - release.valid_until) // 3600
        hint = "the mirror is no longer updated, or this machine's clock is wrong"
        raise MirrorError(f"its Valid-Until passed {late} hours ago", context=where, hint=hint)
    if release.date > now + _MAX_FUTURE_S:
        raise MirrorError("its Date lies in the future", context=where, hint="look at this machine's clock")


def _split(text: str) -> tuple[dict[str, str], dict[str, list[str]]]:
    """Split one paragraph into single-line fields and the lines of multi-line ones, names in lower case."""
    fields: dict[str, str] = {}
    blocks: dict[str, list[str]] = {}
    name = ""
    for line in text.splitlines():
        if line.startswith(" ") and name:
            blocks.setdefault(name, []).append(line)
        else:
            name, _, value = line.partition(":")
            name = name.lower()
            fields[name] = value.strip()
    return fields, blocks


def _index(line: str) -> tuple[str, LockedFile]:
    match = _INDEX_LINE.match(line)
    if match is None or ".." in match[3].split("/") or match[3].startswith("/"):
        raise ValueError(f"index line {line[:120]!r}")
    return match[3], LockedFile(name=match[3].rpartition("/")[2], size=int(match[2]), sha256=Digest(match[1]))


def _seconds(text: str) -> int:
    return int(parsedate_to_datetime(text).timestamp())
