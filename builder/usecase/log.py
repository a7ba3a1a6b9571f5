"""Log: what happened, the newest first, of a stack, a channel or all, without reading more of the ledger than is shown."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import Final

from builder.errors import LedgerError
from builder.ledger.entry import Entry
from builder.ledger.events import Seen
from builder.ledger.marks import marks_of
from builder.ledger.model import LedgerReader
from builder.ledger.note import Checkpoint
from builder.ledger.queries import ChannelState, channels_of, iter_found
from builder.usecase.recorded import check_stack

MOST_ON_A_PAGE: Final = 2000
"""Entries that a page has room for."""
_FIRST_PAGE: Final = 25
_LARGEST_PAGE: Final = 800
_OLD_IN_A_ROW: Final = 100
"""Entries older than asked for, after which no younger one is looked for: a writer's clock may have gone back."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LogQuery:
    """What is asked for."""

    stack: str = ""
    """Empty for all."""
    channel: str = ""
    """Empty for all; else what asked for a move of it, agreed, moved it, or was seen of it."""
    kinds: tuple[str, ...] = ()
    """Empty for all."""
    since: int | None = None
    """Seconds since the epoch."""
    limit: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LogPage:
    """What a page of the log tells."""

    query: LogQuery
    entries: tuple[Entry, ...]
    """The newest first."""
    more: bool
    """Whether there are older ones."""
    channels: tuple[ChannelState, ...]
    """Of the stack; empty where all are asked for."""
    head: Checkpoint
    """Of the ledger, as it was."""


def log_page(ledger: LedgerReader, query: LogQuery) -> LogPage:
    """Read what a page of the log tells; raises as `read_log`."""
    head = ledger.head()
    limit = query.limit or MOST_ON_A_PAGE
    entries = read_log(ledger, replace(query, limit=limit + 1))
    return LogPage(
        query=query,
        entries=entries[:limit],
        more=len(entries) > limit,
        channels=channels_of(ledger, query.stack) if query.stack else (),
        head=head,
    )


def read_log(ledger: LedgerReader, query: LogQuery) -> tuple[Entry, ...]:
    """List what happened, the newest first.

    Raises:
        LedgerError: the ledger does not know the stack, or no stack has the channel.
    """
    found = tuple(islice(_iter_young(_iter_asked(ledger, query), query.since), query.limit))
    if not found:
        _check_known(ledger, query)
    return found


def follow_log(ledger: LedgerReader, query: LogQuery, after: int, wait: Callable[[], None]) -> Iterator[Entry]:
    """Iterate over what happens from now on, for ever, the oldest first.

    Args:
        ledger: that others append to.
        query: what is asked for; `limit` says nothing here.
        after: number of the last entry that was seen.
        wait: called when there is nothing new.
    """
    position = after + 1
    while True:
        for entry in ledger.entries(position):
            position = entry.number + 1
            if is_asked(query, entry):
                yield entry
        wait()


def is_asked(query: LogQuery, entry: Entry) -> bool:
    """Tell whether an entry is one of those asked for."""
    if query.kinds and entry.kind not in query.kinds:
        return False
    if query.since is not None and entry.time < query.since:
        return False
    marks = marks_of(entry)
    if query.stack and ("stack", query.stack) not in marks:
        return False
    return not query.channel or _is_of_channel(entry, query, marks)


def _is_of_channel(entry: Entry, query: LogQuery, marks: Sequence[tuple[str, str]]) -> bool:
    if entry.kind == Seen.kind:
        return entry.data.get("channel") == query.channel
    return any(name == "channel" and value.endswith(f" {query.channel}") for name, value in marks)


def _iter_asked(ledger: LedgerReader, query: LogQuery) -> Iterator[Entry]:
    first = min(query.limit or _LARGEST_PAGE, _LARGEST_PAGE)
    if query.channel:
        return _iter_channel(ledger, query)
    if query.stack:
        return iter_found(ledger, "stack", query.stack, kinds=query.kinds, first=first)
    if query.kinds:
        return heapq.merge(*(iter_found(ledger, "kind", kind, first=first) for kind in query.kinds), key=_newest_first)
    return _iter_all(ledger)


def _iter_channel(ledger: LedgerReader, query: LogQuery) -> Iterator[Entry]:
    """Merge what happened to each stack's channel of that name; a page of one, where there may be a thousand of them."""
    values = ledger.values("channel", f"{query.stack} " if query.stack else "")
    wanted = [value for value in values if value.endswith(f" {query.channel}")]
    first = _FIRST_PAGE if len(wanted) == 1 else 1
    moves = (iter_found(ledger, "channel", value, kinds=query.kinds, first=first) for value in wanted)
    mark = ("stack", query.stack) if query.stack else ("kind", Seen.kind)
    seen = (
        ()
        if query.kinds and Seen.kind not in query.kinds
        else iter_found(ledger, *mark, kinds=(Seen.kind,), first=_FIRST_PAGE)
    )
    of_channel = (entry for entry in seen if entry.data.get("channel") == query.channel)
    return heapq.merge(*moves, of_channel, key=_newest_first)


def _iter_all(ledger: LedgerReader) -> Iterator[Entry]:
    end, size = ledger.head().size, _FIRST_PAGE
    while end > 0:
        begin = max(0, end - size)
        yield from reversed(tuple(ledger.entries(begin, end)))
        end, size = begin, min(size * 4, _LARGEST_PAGE)


def _iter_young(entries: Iterator[Entry], since: int | None) -> Iterator[Entry]:
    old = 0
    for entry in entries:
        if since is None or entry.time >= since:
            old = 0
            yield entry
        else:
            old += 1
            if old >= _OLD_IN_A_ROW:
                return


def _newest_first(entry: Entry) -> int:
    return -entry.number


def _check_known(ledger: LedgerReader, query: LogQuery) -> None:
    """Tell a name that is not known from one that nothing of what was asked for happened to."""
    if query.stack and (hint := check_stack(ledger, query.stack)):
        raise LedgerError("the ledger does not know this stack", context=query.stack[:80], hint=hint)
    if query.channel:
        values = ledger.values("channel", f"{query.stack} " if query.stack else "")
        known = sorted({value.split(" ", 1)[1] for value in values})
        if query.channel not in known:
            where = f"{query.stack}@{query.channel}" if query.stack else query.channel
            hint = f"known channels: {', '.join(known[:10])}" if known else "no channel was moved yet"
            raise LedgerError("no such channel was ever moved", context=where[:120], hint=hint)
