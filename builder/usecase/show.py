"""Show: all that is known of one image: what is in it, where it came from, what was found of it, where it is."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import takewhile
from typing import Final

from builder.errors import LedgerError
from builder.history.explain import Explanation, explain
from builder.history.image import ImageRecord
from builder.ledger.entry import Entry
from builder.ledger.events import (
    Attested,
    Built,
    LicencesJudged,
    Locked,
    Pushed,
    Rebuilt,
    Removed,
    Scanned,
    Seen,
    Signed,
    Tested,
)
from builder.ledger.model import LedgerReader
from builder.ledger.parts import SeenImage
from builder.ledger.queries import ChannelState, Place, channels_of, event_of, find_image, iter_found, places_of
from builder.usecase.recorded import build_before, find_digest, open_record

_FINDINGS: Final = (
    Tested.kind, Scanned.kind, LicencesJudged.kind, Rebuilt.kind, Signed.kind, Attested.kind, Removed.kind
)  # fmt: skip
_MOST_FINDINGS: Final = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Deployed:
    """Where an image was seen."""

    cluster: str
    namespaces: tuple[str, ...]
    """That were looked at; all where empty."""
    pods: int
    workloads: tuple[str, ...]
    entry: Entry
    """The last that saw it."""
    runs: bool
    """Whether the last look there saw it; else it is gone since."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """All that is known of an image."""

    asked: str
    digest: str
    """Of its index."""
    record: ImageRecord | None
    """None where it was built before the ledger was begun, or elsewhere."""
    times_built: int
    """Builds on record that gave this digest."""
    locked: Entry | None
    """When its lock was made."""
    explanation: Explanation | None
    """What makes it another than the image before; None for a stack's first."""
    findings: tuple[Entry, ...]
    """Tests, scans, rebuilds and removals, the newest first."""
    places: tuple[Place, ...]
    """Where it was pushed, the latest first."""
    channels: tuple[ChannelState, ...]
    """Those that stand for it."""
    deployed: tuple[Deployed, ...]
    """By cluster; what runs first."""


def show_image(ledger: LedgerReader, text: str) -> Shown:
    """Gather all that is known of an image.

    Args:
        ledger: that knows it.
        text: whatever it is called by; see `find_digest`. The digest of a platform's manifest or config means the image.

    Raises:
        LedgerError: the ledger knows no such image.
    """
    digest = find_digest(ledger, text)
    found = find_image(ledger, digest)
    if found is None:
        return _without_build(ledger, text, digest)
    built, digest = found.built, found.built.digest
    builds = ledger.find("digest", digest, kinds=(Built.kind,))
    # Of equal builds the first one made the image.
    first = builds[-1]
    record = open_record(ledger, type(found)(built=event_of(first, Built), entry=first), name=text)
    before = build_before(ledger, found.entry, built)
    locks = ledger.find("lock", built.lock, kinds=(Locked.kind,))
    states = channels_of(ledger, built.stack)
    return Shown(
        asked=text,
        digest=digest,
        record=record,
        times_built=len(builds),
        locked=locks[-1] if locks else None,
        explanation=explain(open_record(ledger, before, like=record), record) if before else None,
        findings=ledger.find("digest", digest, kinds=_FINDINGS, limit=_MOST_FINDINGS),
        places=places_of(ledger, digest),
        channels=tuple(state for state in states if state.digest == digest),
        deployed=_deployed(ledger, {digest, *(one.manifest for one in built.platforms), *_configs(built)}),
    )


def _configs(built: Built) -> Iterator[str]:
    return (one.config for one in built.platforms)


def _without_build(ledger: LedgerReader, text: str, digest: str) -> Shown:
    entries = ledger.find("digest", digest, limit=1)
    if not entries:
        raise LedgerError("the ledger does not know it", context=digest, hint="airflow-kubler log shows what it knows")
    pushes = ledger.find("digest", digest, kinds=(Pushed.kind,), limit=1)
    stack = event_of(pushes[0], Pushed).stack if pushes else ""
    return Shown(
        asked=text,
        digest=digest,
        record=None,
        times_built=0,
        locked=None,
        explanation=None,
        findings=ledger.find("digest", digest, kinds=_FINDINGS, limit=_MOST_FINDINGS),
        places=places_of(ledger, digest),
        channels=tuple(state for state in channels_of(ledger, stack) if state.digest == digest) if stack else (),
        deployed=_deployed(ledger, {digest}),
    )


def _deployed(ledger: LedgerReader, digests: set[str]) -> tuple[Deployed, ...]:
    """Find where an image was seen, by what was looked at: cluster, namespaces, and the pods of a channel there."""
    last: dict[tuple[object, ...], Entry] = {}
    for digest in sorted(digests):
        for entry in ledger.find("digest", digest, kinds=(Seen.kind,), limit=_MOST_FINDINGS):
            seen = event_of(entry, Seen)
            looked_at = (seen.cluster, seen.namespaces, seen.stack, seen.channel, seen.selector)
            known = last.get(looked_at)
            if known is None or known.number < entry.number:
                last[looked_at] = entry
    found = [_look(ledger, entry, digests) for entry in last.values()]
    return tuple(sorted(found, key=lambda one: (not one.runs, one.cluster, one.namespaces)))


def _look(ledger: LedgerReader, entry: Entry, digests: set[str]) -> Deployed:
    seen = event_of(entry, Seen)
    images: list[SeenImage] = [image for image in seen.images if image.digest in digests]
    return Deployed(
        cluster=seen.cluster,
        namespaces=seen.namespaces,
        pods=sum(image.pods for image in images),
        workloads=tuple(sorted({workload for image in images for workload in image.workloads})),
        entry=entry,
        runs=not _was_looked_again(ledger, entry, seen),
    )


def _was_looked_again(ledger: LedgerReader, entry: Entry, seen: Seen) -> bool:
    """Tell whether a later look at the same place saw it no more."""
    looks = iter_found(ledger, "cluster", seen.cluster, kinds=(Seen.kind,), first=1)
    later = takewhile(lambda other: other.number > entry.number, looks)
    return any(_covers(event_of(other, Seen), seen) for other in later)


def _covers(other: Seen, seen: Seen) -> bool:
    """Tell whether another look would have seen all that one saw."""
    namespaces = not other.namespaces or (seen.namespaces and set(seen.namespaces) <= set(other.namespaces))
    pods = other.selector in {"", seen.selector} and (other.stack, other.channel) in {
        ("", ""),
        (seen.stack, seen.channel),
    }
    return bool(namespaces) and pods
