"""The words of an audit export."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from builder.ledger.entry import Entry, format_time, parse_entry
from builder.ledger.events import Event, parse_event
from builder.ledger.note import Checkpoint

NOT_ON_RECORD = "not on record"


@dataclass(frozen=True, slots=True, kw_only=True)
class Period:
    """A time, seconds since the epoch: from `begin` up to and without `end`."""

    begin: int
    end: int

    @property
    def told(self) -> tuple[str, str]:
        """Write both as RFC 3339."""
        return format_time(self.begin), format_time(self.end)


@dataclass(frozen=True, kw_only=True)
class Line:
    """An entry, as the ledger keeps it and as it reads."""

    data: bytes

    @cached_property
    def entry(self) -> Entry:
        """Read it."""
        return parse_entry(self.data)

    @cached_property
    def event(self) -> Event | None:
        """Read what happened; None for a kind that this program does not know."""
        return parse_event(self.entry.kind, self.entry.data)

    @property
    def number(self) -> int:
        """Say which entry it is."""
        return self.entry.number


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """The entries of a period by number: from `first` up to and without `end`."""

    first: int
    end: int

    def has(self, number: int) -> bool:
        """Tell whether an entry is one of them."""
        return self.first <= number < self.end


@dataclass(frozen=True, slots=True, kw_only=True)
class Named:
    """Where an entry names a digest."""

    number: int
    place: str
    """As `data.lock`; `documents[0]` where it came with the entry, and its data do not name it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """A file of a folder whose digest is on record."""

    file: str
    digest: str
    named: tuple[Named, ...]
    source: str = "ledger"
    """Where it was taken from."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Missing:
    """What entries name, and nobody has."""

    digest: str
    named: tuple[Named, ...]
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """A file of a folder that this program made of others."""

    file: str
    of: tuple[str, ...]
    """Digests of what it was made of."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Topic:
    """One of the things that an auditor asks of each change."""

    name: str
    lines: tuple[Line, ...]
    files: tuple[str, ...]

    @property
    def is_on_record(self) -> bool:
        """Whether there is anything."""
        return bool(self.lines or self.files)


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One image, and all that is on record of it up to the end of the period: a folder."""

    folder: str
    """As `changes/core-cc9974d5cd82`; below `unknown/` where no build is on record."""
    digest: str
    stack: str
    """Empty where no build is on record."""
    airflow: str
    before: str
    """Digest of the image that the stack had before; empty for its first."""
    digests: frozenset[str]
    """Of its index, manifests and configs."""
    lines: tuple[Line, ...]
    """By number."""
    documents: tuple[Document, ...]
    made: tuple[Made, ...]
    missing: tuple[Missing, ...]
    topics: tuple[Topic, ...]

    @property
    def name(self) -> str:
        """Name it as its folder is."""
        return self.folder.partition("/")[2]


@dataclass(frozen=True, slots=True, kw_only=True)
class Move:
    """A channel that was made to stand for an image, and how that came about."""

    line: Line
    stack: str
    channel: str
    digest: str
    before: str
    folder: str
    rollback: bool
    reason: str
    rules: str
    """Digest."""
    requests: tuple[Line, ...]
    approvals: tuple[Line, ...]
    """That counted."""
    unmet: tuple[str, ...]
    """Rules that were not met, and had not to be."""
    broken: tuple[str, ...]
    """Rules that were not met, and had to be."""
    fell: tuple[str, ...]
    """What the rules before asked for, and these did not."""
    reviews: tuple[Line, ...]
    """Approvals that came afterwards."""
    seen: Line | None
    """The first look at a cluster, afterwards, that saw it."""
    draw: int = 0
    """Its place in a random order that neither side chooses."""

    @property
    def ways_around(self) -> tuple[str, ...]:
        """Say how the rules did not hold as they do else; empty for an ordinary move."""
        told = [f"rolled back without: {', '.join(self.unmet)}"] if self.unmet else []
        told += [f"rules asked for less than before: {', '.join(self.fell)}"] if self.fell else []
        told += [f"rules that were not met: {', '.join(self.broken)}"] if self.broken else []
        if "emergency" in self.reason.lower():
            told.append("called an emergency by who made it")
        return tuple(told)

    @property
    def people(self) -> frozenset[str]:
        """Name who asked for it or made it."""
        return frozenset({self.line.entry.actor.name, *(one.entry.actor.name for one in self.requests)})


@dataclass(frozen=True, slots=True, kw_only=True)
class Remark:
    """Something that an auditor would want to be told."""

    kind: str
    line: Line
    folder: str
    """Empty where it is about no image."""
    what: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RulesSpan:
    """Rules under which something was done, from the first entry that names them to the last."""

    whom: str
    """As `core prod`; else the kind of entry."""
    digest: str
    first: Line
    last: Line
    entries: int
    kept: bool
    """Whether the ledger has them."""
    changed: tuple[str, ...]
    """Against the rules before, as `approvals: 1 -> 0`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Control:
    """A control of a framework, and what here answers it."""

    framework: str
    id: str
    title: str
    shows: str
    files: tuple[str, ...]
    topics: tuple[str, ...]
    not_here: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """An export, without the contents of documents."""

    head: Checkpoint
    period: Period
    span: Span
    roots: tuple[bytes, bytes]
    """Of the entries before the period, and of those up to its end."""
    lines: tuple[Line, ...]
    """Of the period."""
    changes: tuple[Change, ...]
    """By folder."""
    moves: tuple[Move, ...]
    """By number."""
    remarks: tuple[Remark, ...]
    rules: tuple[RulesSpan, ...]
    controls: tuple[Control, ...]
    signed_by: str = ""
    """Name of the key; empty for nobody's."""
    folders: Mapping[int, Sequence[str]] = field(default_factory=dict)
    """Of each entry of the period that is in one."""


def text_of(data: Mapping[str, Any], key: str) -> str:
    """Read a text that an entry may have; empty where it has none."""
    value = data.get(key, "")
    return value if isinstance(value, str) else ""
