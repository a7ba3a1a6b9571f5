"""What is on record of an image, and of the channel that shall stand for it: all that rules are checked against."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from builder.finding.document import Findings
from builder.finding.gate import Given
from builder.ledger.entry import Entry
from builder.ledger.events import Approved, Built, Event, LicencesJudged, Promoted, Rebuilt, Requested, Scanned, Tested

E = TypeVar("E", bound=Event)


@dataclass(frozen=True, slots=True, kw_only=True)
class Fact(Generic[E]):
    """An event, and the entry that records it."""

    entry: Entry
    event: E


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """What a channel stands for, and since when without a break."""

    digest: str
    since: int
    """Seconds since the epoch."""
    promotions: tuple[Fact[Promoted], ...]
    """Those that moved it there, the newest first; more than one where it was moved to what it stood for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """All that the rules of one move ask about; each list the newest first."""

    stack: str
    channel: str
    digest: str
    """Of the image's index."""
    build: Fact[Built]
    """The first of this very image: what it holds is no newer."""
    standing: Standing | None
    """Of the channel itself."""
    previous: Standing | None = None
    """Of the channel that comes before it."""
    tests: Sequence[Fact[Tested]] = ()
    scans: Sequence[Fact[Scanned]] = ()
    findings: Findings | None = None
    """Of the last scan that came to an end; None where another system scanned."""
    given: Given = field(default_factory=Given)
    """Waivers and lists, as they stand in files now."""
    licences: Sequence[Fact[LicencesJudged]] = ()
    rebuilds: Sequence[Fact[Rebuilt]] = ()
    requests: Sequence[Fact[Requested]] = ()
    """For this channel to move to this image; approvals and promotions too."""
    approvals: Sequence[Fact[Approved]] = ()
    promotions: Sequence[Fact[Promoted]] = ()
