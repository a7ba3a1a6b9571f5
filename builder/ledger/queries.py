"""Questions that several verbs ask a ledger. Each costs a few rows, however long the ledger is."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar

from builder.errors import LedgerError
from builder.ledger.entry import Entry
from builder.ledger.events import Built, Event, Promoted, Pushed, parse_event
from builder.ledger.model import LedgerReader

_E = TypeVar("_E", bound=Event)
_LARGEST_PAGE = 800


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelState:
    """What a channel stands for."""

    stack: str
    channel: str
    digest: str
    """Of an image index, as `sha256:...`."""
    entry: Entry
    """The promotion that moved it there."""
    promoted: Promoted


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedImage:
    """An image that the ledger knows from its build."""

    built: Built
    entry: Entry


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where an image was pushed."""

    repository: str
    """As `registry.example.org/team/airflow`."""
    tag: str
    """Its immutable tag there; else any; empty where it was pushed without one."""


def event_of(entry: Entry, kind: type[_E]) -> _E:
    """Read an entry's event as the kind that it is known to have; raises LedgerError where it is another."""
    event = parse_event(entry.kind, entry.data)
    if not isinstance(event, kind):
        raise LedgerError(f"is of the kind {entry.kind}, not {kind.kind}", context=f"entry {entry.number}")
    return event


def iter_found(
    ledger: LedgerReader,
    name: str,
    value: str,
    *,
    kinds: Sequence[str] = (),
    before: int | None = None,
    first: int = 25,
) -> Iterator[Entry]:
    """Iterate over entries that have a mark, the newest first, page by page: what is not asked for is not read.

    Args:
        ledger: that has them.
        name: of the mark.
        value: of the mark.
        kinds: of entries; all where empty.
        before: number that they are below.
        first: length of the first page; each is longer than the one before.
    """
    size = first
    while True:
        page = ledger.find(name, value, kinds=kinds, before=before, limit=size)
        yield from page
        if len(page) < size:
            return
        before, size = page[-1].number, min(size * 4, _LARGEST_PAGE)


def channel_state(ledger: LedgerReader, stack: str, channel: str) -> ChannelState | None:
    """Find what a channel of a stack stands for; None where it has never been moved."""
    found = ledger.find("channel", f"{stack} {channel}", kinds=(Promoted.kind,), limit=1)
    if not found:
        return None
    promoted = event_of(found[0], Promoted)
    return ChannelState(stack=stack, channel=channel, digest=promoted.digest, entry=found[0], promoted=promoted)


def channels_of(ledger: LedgerReader, stack: str = "") -> tuple[ChannelState, ...]:
    """List what channels stand for, of a stack or of all, by stack and channel."""
    names = (value.split(" ", 1) for value in ledger.values("channel", f"{stack} " if stack else ""))
    found = (channel_state(ledger, name, channel) for name, channel in names)
    return tuple(state for state in found if state is not None)


def find_image(ledger: LedgerReader, digest: str) -> RecordedImage | None:
    """Find the latest build of an image by the digest of its index, or of a platform's manifest or config."""
    found = ledger.find("digest", digest, kinds=(Built.kind,), limit=1)
    return RecordedImage(built=event_of(found[0], Built), entry=found[0]) if found else None


def complete_digest(ledger: LedgerReader, text: str) -> str:
    """Find the one digest that a beginning names, as `cc9974` or `sha256:cc9974`.

    Raises:
        LedgerError: none begins so, or several do.
    """
    prefix = text if text.startswith("sha256:") else f"sha256:{text}"
    if len(prefix) == len("sha256:") + 64:
        return prefix
    found = ledger.values("digest", prefix, limit=3)
    if len(found) == 1 and len(prefix) >= len("sha256:") + 4:
        return found[0]
    if not found:
        raise LedgerError(
            "the ledger knows no such digest", context=text[:80], hint="airflow-kubler log shows what it knows"
        )
    hint = "write more of it"
    raise LedgerError(
        f"may be {found[0][:23]}..., {found[-1][:23]}...: not the beginning of one", context=text[:80], hint=hint
    )


def places_of(ledger: LedgerReader, digest: str) -> tuple[Place, ...]:
    """List the repositories that an image was pushed to, the latest first, each once."""
    found: dict[str, Place] = {}
    for entry in ledger.find("digest", digest, kinds=(Pushed.kind,)):
        pushed = event_of(entry, Pushed)
        tags = [move.tag for move in pushed.tags]
        known = found.get(pushed.repository)
        if known is None or (not known.tag and tags):
            found[pushed.repository] = Place(repository=pushed.repository, tag=_best(tags))
    return tuple(found.values())


def _best(tags: Sequence[str]) -> str:
    """Choose the immutable tag: the first, as push writes it."""
    return tags[0] if tags else ""
