"""A finding: a known weakness of something that is in an image, with whose it is and what would mend it.

Its key leaves the version out: what is upgraded and as weak as before is the same finding, known for as long.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final


class Severity(StrEnum):
    """How bad a weakness is said to be."""

    UNKNOWN = "unknown"
    """Nobody has said yet: gates take it for high."""
    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"
    CRITICAL = "critical"

    @property
    def rank(self) -> int:
        """Order severities; what nobody has judged stands beside high."""
        return _RANKS[self]


_RANKS: Final = {
    Severity.LOW: 0,
    Severity.MEDIUM: 1,
    Severity.HIGH: 2,
    Severity.UNKNOWN: 2,
    Severity.CRITICAL: 3,
}


class Kind(StrEnum):
    """What sort of thing a weakness is in."""

    DEB = "deb"
    DISTRIBUTION = "distribution"
    OTHER = "other"
    """A copy of something that lies within a distribution or a base's image, and that no lock names."""


class Part(StrEnum):
    """Whose part of an image something is."""

    BASE = "base"
    TESTED = "tested"
    """Of Airflow's tested set, in the tested version."""
    SHARED = "shared"
    """In a parent stack's layers."""
    OWN = "own"


class FixState(StrEnum):
    """What is known of a way to mend a finding."""

    NONE = "none"
    """The scanner's database knows no version that mends it."""
    NOT_LOOKED_FOR = "not looked for"
    REACHABLE = "reachable"
    """A version was found that the lock's rules allow."""
    OUTSIDE = "outside"
    """A version was found that needs divergences from Airflow's tested set."""
    UNREACHABLE = "unreachable"
    """None can be had with all else that the stack asks for."""
    UNRESOLVED = "unresolved"
    """It could not be found out."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fix:
    """A way to mend a finding."""

    state: FixState = FixState.NOT_LOOKED_FOR
    version: str = ""
    """The nearest one that mends it; empty where none was found."""
    how: str = ""
    """A command where there is one, else why not."""
    moves: tuple[str, ...] = ()
    """What else moves with it, as `urllib3 1.24.1 -> 1.24.3`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """What a weakness is in."""

    kind: Kind
    name: str
    """Of a distribution PEP 503 normalised."""
    version: str
    purl: str
    """Package URL without qualifiers, as `pkg:pypi/requests@2.19.0`."""
    path: str = ""
    """Where it lies in the image, of Kind.OTHER."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Belonging:
    """Whose a finding is."""

    part: Part
    layer: str
    """Name of the layer that it is in."""
    stack: str = ""
    """Whose layers those are; empty for the base's."""
    owners: tuple[str, ...] = ()
    chain: tuple[str, ...] = ()
    """From who asks to what it is in, as `stack:finance`, `dbt-core`, `requests`; empty where no lock names it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """A known weakness of something in an image."""

    id: str
    """As `CVE-2018-18074`."""
    subject: Subject
    severity: Severity
    belongs: Belonging
    platforms: tuple[str, ...]
    aliases: tuple[str, ...] = ()
    """Other names of it, as `DSA-5000-1`."""
    status: str = ""
    """What the distributor says, as `will_not_fix`."""
    fixed_in: tuple[str, ...] = ()
    """Versions that mend it, by the scanner's database."""
    title: str = ""
    url: str = ""
    fix: Fix = field(default_factory=Fix)
    first_seen: int = 0
    """Seconds since the epoch: of the first scan on record that found it; 0 where that was not looked up."""
    waiver: str = ""
    """What waived it when it was scanned, as `stacks/vex/a.openvex.json#0`."""

    @property
    def key(self) -> tuple[str, str, str, str]:
        """Name it, whatever its version: of a copy, the folder counts that its own folder lies in."""
        place = self.subject.path.rpartition("/")[0].rpartition("/")[0]
        return self.id, self.subject.kind.value, self.subject.name, place

    @property
    def names(self) -> frozenset[str]:
        """All names that it goes by."""
        return frozenset((self.id, *self.aliases))


def order_of(finding: Finding) -> tuple[int, str, str, str]:
    """Order findings for people: the worst first, then by what they are in."""
    return -finding.severity.rank, finding.subject.kind.value, finding.subject.name, finding.id
