"""Where stacks stand by the ledger: their newest builds, and what their channels stand for."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import islice
from typing import Final

from builder.history.image import read_platforms
from builder.image.view import BASE_LAYER, PYTHON_LAYER, view_platform
from builder.ledger.events import Built
from builder.ledger.model import LedgerReader
from builder.ledger.queries import ChannelState, RecordedImage, channels_of, event_of, iter_found

MOST_BEHIND: Final = 100
"""Builds that are counted; more are not told apart."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelStanding:
    """What a channel stands for, and how far that is behind the newest build."""

    state: ChannelState
    behind: int | None
    """Images that the stack got after it; None where the ledger has not built it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StackStanding:
    """Where a stack stands."""

    newest: RecordedImage | None
    size: int
    """Compressed bytes of its largest platform."""
    channels: tuple[ChannelStanding, ...]
    """By name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BaseStanding:
    """Where a base stands, by the newest build on it."""

    lock: str
    """Digest of its lock."""
    size: int
    """Compressed bytes of its layers, of the largest platform; 0 where the image's documents are not on record."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """Where all stand."""

    stacks: Mapping[str, StackStanding] = field(default_factory=dict)
    bases: Mapping[str, BaseStanding] = field(default_factory=dict)


def find_standing(ledger: LedgerReader, stacks: Iterable[str]) -> Standing:
    """Find where stacks stand, and the bases under them."""
    found = {name: _stand(ledger, name) for name in stacks}
    newest: dict[str, RecordedImage] = {}
    for one in found.values():
        if one.newest is not None:
            known = newest.get(one.newest.built.base)
            if known is None or known.entry.number < one.newest.entry.number:
                newest[one.newest.built.base] = one.newest
    return Standing(stacks=found, bases={name: _stand_of_base(ledger, newest[name]) for name in sorted(newest)})


def _stand(ledger: LedgerReader, stack: str) -> StackStanding:
    builds = ledger.find("stack", stack, kinds=(Built.kind,), limit=1)
    if not builds:
        return StackStanding(newest=None, size=0, channels=())
    newest = RecordedImage(built=event_of(builds[0], Built), entry=builds[0])
    return StackStanding(
        newest=newest,
        size=max((one.size_bytes for one in newest.built.platforms), default=0),
        channels=tuple(
            ChannelStanding(state=state, behind=_behind(ledger, state)) for state in channels_of(ledger, stack)
        ),
    )


def _behind(ledger: LedgerReader, state: ChannelState) -> int | None:
    """Count the images that came after one."""
    seen: set[str] = set()
    builds = iter_found(ledger, "stack", state.stack, kinds=(Built.kind,), first=4)
    for entry in islice(builds, MOST_BEHIND):
        digest = event_of(entry, Built).digest
        if digest == state.digest:
            return len(seen)
        seen.add(digest)
    known = ledger.find("digest", state.digest, kinds=(Built.kind,), limit=1)
    return MOST_BEHIND if known else None


def _stand_of_base(ledger: LedgerReader, found: RecordedImage) -> BaseStanding:
    _, platforms, _ = read_platforms(found.built, ledger.document)
    sizes = [
        sum(
            layer.size
            for layer in view_platform(image).layers
            # Of a base that is an image, layers are named by number.
            if layer.name in {BASE_LAYER, PYTHON_LAYER} or layer.contents[1:] == ("as", "it", "is")
        )
        for image in platforms
    ]
    return BaseStanding(lock=found.built.base_lock, size=max(sizes, default=0))
