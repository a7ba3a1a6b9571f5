"""How channels came to stand for images: who asked, who agreed, who moved, under which rules, and what was looked at afterwards."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

from builder.audit.model import Change, Line, Move
from builder.audit.policy import ReadDocument, fallen
from builder.ledger.events import Approved, Event, Promoted, Requested, Seen

RulesBefore = Callable[[Line], str]
"""Gives the digest of the rules that the channel of a promotion was last moved or approved under; empty where it never was."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Around:
    """What is known around the moves of a period."""

    rules_before: RulesBefore
    read: ReadDocument
    root: bytes
    """Of the ledger: what the random order follows from."""


def moves_of(changes: Iterable[Change], numbers: Callable[[int], bool], around: Around) -> tuple[Move, ...]:
    """Find the moves of a period, by number.

    Args:
        changes: the folders.
        numbers: tells whether an entry is of the period.
        around: what is known beside.
    """
    # What names the manifest of one platform may be in the folders of two images: the first tells of it.
    by_number = {
        line.number: _move(change, line, line.event, around)
        for change in reversed(tuple(changes))
        for line in change.lines
        if isinstance(line.event, Promoted) and numbers(line.number) and line.event.digest in change.digests
    }
    found = [by_number[number] for number in sorted(by_number)]
    drawn = sorted(found, key=lambda move: hashlib.sha256(around.root + str(move.line.number).encode()).digest())
    place = {move.line.number: position + 1 for position, move in enumerate(drawn)}
    return tuple(replace(move, draw=place[move.line.number]) for move in found)


def _move(change: Change, line: Line, event: Promoted, around: Around) -> Move:
    own = [one for one in change.lines if _is_of(one.event, event.stack, event.channel, event.digest)]
    last = max((one.number for one in own if isinstance(one.event, Promoted) and one.number < line.number), default=-1)
    requests = tuple(one for one in own if isinstance(one.event, Requested) and last < one.number < line.number)
    counted = {number for check in event.checks if check.rule == "approvals" for number in check.evidence}
    after = [one for one in own if one.number > line.number]
    again = next((one.number for one in after if isinstance(one.event, Promoted)), None)
    people = {line.entry.actor.name, *(one.entry.actor.name for one in requests)}
    reviews = approvals_left(one for one in after if again is None or one.number < again)
    return Move(
        line=line,
        stack=event.stack,
        channel=event.channel,
        digest=event.digest,
        before=event.before,
        folder=change.folder,
        rollback=event.rollback,
        reason=event.reason,
        rules=event.rules,
        requests=requests,
        approvals=tuple(one for one in change.lines if one.number in counted and isinstance(one.event, Approved)),
        unmet=tuple(check.rule for check in event.checks if not check.met and check.skipped),
        broken=tuple(check.rule for check in event.checks if not check.met and not check.skipped),
        fell=fallen(around.rules_before(line), event.rules, around.read),
        reviews=tuple(one for one in reviews if one.entry.actor.name not in people),
        seen=next((one for one in change.lines if one.number > line.number and _saw(one.event, change)), None),
    )


def approvals_left(lines: Iterable[Line]) -> tuple[Line, ...]:
    """List the approvals that nobody has taken back, the last word of each person."""
    latest: dict[str, Line] = {}
    for line in lines:
        if isinstance(line.event, Approved):
            latest[line.entry.actor.name] = line
    kept = [one for one in latest.values() if isinstance(one.event, Approved) and not one.event.withdrawn]
    return tuple(sorted(kept, key=lambda one: one.number))


def _is_of(event: Event | None, stack: str, channel: str, digest: str) -> bool:
    return isinstance(event, Requested | Approved | Promoted) and (event.stack, event.channel, event.digest) == (
        stack,
        channel,
        digest,
    )


def _saw(event: Event | None, change: Change) -> bool:
    return isinstance(event, Seen) and any(image.digest in change.digests and image.pods for image in event.images)
