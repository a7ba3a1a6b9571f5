"""What stands out in a period: moves that went around rules, what was asked for and not done, what runs and should not."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from builder.audit.model import Change, Line, Move, Remark, Span
from builder.audit.moves import approvals_left
from builder.history.image import short_digest
from builder.history.telling import tell
from builder.ledger.events import Approved, Promoted, Requested, Seen
from builder.sizes import render_count

EMERGENCY = "around the rules"
"""Of moves: rolled back, by rules that asked for less, or called an emergency."""


def list_remarks(
    lines: Sequence[Line],
    changes: Sequence[Change],
    moves: Sequence[Move],
    folders: Mapping[int, Sequence[str]],
    span: Span,
) -> tuple[Remark, ...]:
    """List what stands out, by entry."""
    found = [
        *_of_moves(moves),
        *(remark for change in changes for remark in _of_requests(change, span)),
        *(remark for change in changes for remark in _of_looks(change, span)),
        *_of_entries(lines, folders),
    ]
    return tuple(sorted(found, key=lambda one: (one.line.number, one.kind, one.folder)))


def _of_moves(moves: Iterable[Move]) -> Iterator[Remark]:
    for move in moves:
        if move.ways_around:
            told = "; ".join((*move.ways_around, _reviewed(move)))
            yield Remark(kind=EMERGENCY, line=move.line, folder=move.folder, what=told)
        for approval in move.approvals:
            name = approval.entry.actor.name
            if name in move.people:
                what = f"{name} asked for it or made it, and his own approval counted"
                yield Remark(kind="approved himself", line=move.line, folder=move.folder, what=what)


def _reviewed(move: Move) -> str:
    if not move.reviews:
        return "NOT REVIEWED by the end of the period"
    first = move.reviews[0].entry
    return (
        f"reviewed by {first.actor.name}, {hours_after(move.line, move.reviews[0])} h afterwards (entry {first.number})"
    )


def hours_after(before: Line, after: Line) -> str:
    """Write how long after one entry another came, in hours."""
    return f"{(after.entry.time - before.entry.time) / 3600:.1f}"


def _of_requests(change: Change, span: Span) -> Iterator[Remark]:
    """Tell of what was asked for in the period, and not done by its end."""
    for line in change.lines:
        event = line.event
        if not isinstance(event, Requested) or not span.has(line.number):
            continue
        later = [
            one
            for one in change.lines
            if one.number > line.number
            and isinstance(one.event, Approved | Promoted)
            and (one.event.stack, one.event.channel, one.event.digest) == (event.stack, event.channel, event.digest)
        ]
        if any(isinstance(one.event, Promoted) for one in later):
            continue
        agreed = [one.entry.actor.name for one in approvals_left(later)]
        back = [
            f"{one.entry.actor.name} took his approval back{f': {one.event.comment}' if one.event.comment else ''}"
            for one in later
            if isinstance(one.event, Approved) and one.event.withdrawn
        ]
        told = [f"asked for {event.channel}, and not moved by the end of the period", *back]
        told.append(f"agreed: {', '.join(agreed)}" if agreed else "nobody agrees")
        yield Remark(kind="asked for, not done", line=line, folder=change.folder, what="; ".join(told))


def _of_looks(change: Change, span: Span) -> Iterator[Remark]:
    """Tell of what ran and was never built on record, or ran in the place of a channel that never stood for it; once each."""
    told: set[tuple[str, str]] = set()
    moved = {
        (one.event.stack, one.event.channel): one.number
        for one in reversed(change.lines)
        if isinstance(one.event, Promoted) and one.event.digest in change.digests
    }
    for line in change.lines:
        event = line.event
        if not isinstance(event, Seen) or not span.has(line.number):
            continue
        what = ""
        if not change.stack:
            what = f"runs in {event.cluster}, and no build of {short_digest(change.digest)} is on record"
        elif event.channel and moved.get((event.stack, event.channel), line.number) >= line.number:
            what = f"runs in {event.cluster} for {event.stack} {event.channel}, which never stood for it until then"
        if what and (event.cluster, event.channel) not in told:
            told.add((event.cluster, event.channel))
            yield Remark(kind="runs, not released", line=line, folder=change.folder, what=what)


def _of_entries(lines: Sequence[Line], folders: Mapping[int, Sequence[str]]) -> Iterator[Remark]:
    before = 0
    for line in lines:
        entry = line.entry
        told = tell(entry)
        # A look is about all images that run: what it found is no image's own.
        folder = "" if isinstance(told.event, Seen) else " ".join(folders.get(line.number, ()))
        if entry.time < before:
            what = f"dated {render_count(before - entry.time, 'second')} before the entry above it; order is by number"
            yield Remark(kind="clock went back", line=line, folder=folder, what=what)
        before = entry.time
        if told.event is None:
            yield Remark(kind="not understood", line=line, folder=folder, what=told.what)
        elif isinstance(told.event, Approved):
            continue
        elif told.good is False:
            kind = "drift" if isinstance(told.event, Seen) else "negative result"
            yield Remark(kind=kind, line=line, folder=folder, what=told.what)
        elif entry.data.get("result") == "waived":
            yield Remark(kind="waived", line=line, folder=folder, what=told.what)
