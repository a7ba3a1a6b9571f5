"""Which entries are of a period, and which of those before belong to an image's folder."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from builder.audit.model import Period, Span
from builder.audit.verifier.entries import about, leaned_on
from builder.ledger.entry import Entry
from builder.ledger.events import Approved, Attested, Built, Locked, Promoted, Pushed, Removed, Requested, Seen, Signed

_UNSAFE: Final = re.compile(r"[^A-Za-z0-9_-]")
_LASTING: Final = frozenset(
    kind.kind for kind in (Locked, Built, Pushed, Signed, Attested, Requested, Approved, Promoted)
)
"""Kinds that say what an image is and how it came where it is: all of them count, however long ago."""
_PASSING: Final = frozenset({Seen.kind, Removed.kind})
"""Kinds that are asked for in their own time only."""


def span_of(entries: Iterable[Entry], period: Period) -> Span:
    """Find the entries of a period: from the first that is dated in it or later, to the last that is dated in it or earlier.

    Clocks may go back. What is dated outside and stands between entries of the period belongs to it.
    """
    first, end, count = None, 0, 0
    for entry in entries:
        count = entry.number + 1
        if first is None and entry.time >= period.begin:
            first = entry.number
        if entry.time < period.end:
            end = entry.number + 1
    first = count if first is None else first
    return Span(first=first, end=max(first, end))


def digests_about(entry: Entry) -> list[str]:
    """List the digests of images that an entry is about."""
    return about(dict(entry.data))


def digests_of(builds: Iterable[Mapping[str, Any]]) -> frozenset[str]:
    """List the digests that builds of an image gave it: of index, manifests, configs."""
    return frozenset(
        digest
        for build in builds
        for digest in (build["digest"], *(one[key] for one in build["platforms"] for key in ("manifest", "config")))
    )


def evidence_of(entries: Iterable[Entry]) -> frozenset[int]:
    """List the earlier entries that promotions name as what they lean on; the ledger takes any number."""
    promotions = [(entry.number, entry.data) for entry in entries if entry.kind == Promoted.kind]
    return frozenset(other for number, data in promotions for other in leaned_on(number, dict(data)))


def iter_earlier(earlier: Iterable[Entry], leaned_on: frozenset[int]) -> Iterator[int]:
    """Iterate over the entries before the period that belong to an image's folder.

    Of what is found again and again, as by nightly scans, the last of each kind says how it stood when the period began.

    Args:
        earlier: entries on the image, the newest first.
        leaned_on: entries that promotions of the folder name.
    """
    seen: set[tuple[str, str]] = set()
    for entry in earlier:
        what = (entry.kind, str(entry.data.get("name") or entry.data.get("by") or ""))
        newest = what not in seen and entry.kind not in _PASSING
        seen.add(what)
        if entry.kind in _LASTING or entry.number in leaned_on or newest:
            yield entry.number


def name_folders(images: Mapping[str, str]) -> dict[str, str]:
    """Name a folder for each image, by its stack and as much of its digest as makes it the only one.

    Args:
        images: digest to stack; empty where no build is on record.
    """
    found: dict[str, str] = {}
    taken: set[str] = set()
    for digest, stack in sorted(images.items()):
        # The ledger takes any text for a stack.
        place = f"changes/{_UNSAFE.sub('_', stack)}-" if stack else "unknown/image-"
        hexadecimal = digest.partition(":")[2]
        length = 12
        # Who chooses what is in an image chooses twelve letters too, if he tries for long.
        while f"{place}{hexadecimal[:length]}" in taken:
            length += 4
        found[digest] = f"{place}{hexadecimal[:length]}"
        taken.add(found[digest])
    return found
