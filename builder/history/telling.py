"""How an entry is told in a line: what happened, in the words of the verbs. Pure; what others wrote comes out as it is.

Renderers take out what a terminal or a page would obey.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from builder.attest.kinds import kind_of
from builder.errors import LedgerError
from builder.history.image import short_digest
from builder.ledger.entry import Entry
from builder.ledger.events import (
    Approved,
    Attested,
    Begun,
    Built,
    Event,
    LicencesJudged,
    Locked,
    Nightly,
    Promoted,
    Pushed,
    Rebuilt,
    Removed,
    Requested,
    Scanned,
    Seen,
    Signed,
    Tested,
    parse_event,
)
from builder.ledger.parts import Move
from builder.sizes import render_count, render_size

_MOST_MOVES = 4
_LONGEST = 400


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """An entry, told."""

    entry: Entry
    event: Event | None
    """None for a kind that this program does not know, or one that is damaged."""
    stack: str
    digest: str
    """Of the image that it is about; empty where it is about none or several."""
    what: str
    good: bool | None = None
    """Of what has an outcome."""


def tell(entry: Entry) -> Told:
    """Tell an entry in a line."""
    try:
        event = parse_event(entry.kind, entry.data)
    except LedgerError as error:
        return Told(entry=entry, event=None, stack="", digest="", what=f"cannot be read: {error.message}", good=False)
    if event is None:
        return Told(entry=entry, event=None, stack="", digest="", what="of a kind that this program does not know")
    what, good = _what(event)
    what = _one_line(what)
    stack = str(getattr(event, "stack", "")) or ", ".join(getattr(event, "stacks", ()))
    return Told(entry=entry, event=event, stack=stack, digest=str(getattr(event, "digest", "")), what=what, good=good)


def tell_moves(moves: Iterable[Move], most: int = _MOST_MOVES) -> str:
    """Tell what moved, in short.

    >>> tell_moves([Move(name="a", before="1", after="2"), Move(name="b", after="1"), Move(name="c", before="1")])
    'a 1 -> 2, b 1 new, c gone'
    """
    known = list(moves)
    told = [tell_move(move) for move in known[:most]]
    if len(known) > most:
        told.append(f"{len(known) - most} more")
    return ", ".join(told)


def tell_move(move: Move) -> str:
    """Tell one move of a version."""
    if not move.before:
        return f"{move.name} {move.after} new"
    return f"{move.name} {move.before} -> {move.after}" if move.after else f"{move.name} gone"


def _what(event: Event) -> tuple[str, bool | None]:
    match event:
        case Tested(name=name, passed=passed, summary=summary):
            return _join(f"tests {name} {'passed' if passed else 'FAILED'}", summary), passed
        case Scanned() | LicencesJudged():
            return _judged(event)
        case Rebuilt(same=same, by=by, difference=difference):
            return _join(f"rebuilt by {by}: {'the same digest' if same else 'DIFFERS'}", difference), same
        case Approved(channel=channel, withdrawn=withdrawn, comment=comment):
            return _join(f"approval for {channel}{' withdrawn' if withdrawn else ''}", comment), not withdrawn
        case Seen() | Nightly():
            return _looked_over(event)
    return _without_outcome(event), None


def _without_outcome(event: Event) -> str:
    match event:
        case Begun(origin=origin):
            told = f"ledger {origin} begun"
        case Locked():
            told = _locked(event)
        case Built():
            told = _built(event)
        case Pushed():
            told = _pushed(event)
        case Requested(channel=channel, reason=reason):
            told = _join(f"asked for {channel}", reason)
        case Promoted():
            told = _promoted(event)
        case Removed(repository=repository, digests=digests, reason=reason):
            told = _join(f"{render_count(len(digests), 'image')} deleted from {repository}", reason)
        case Signed() | Attested():
            told = _signed(event)
        case _:
            told = event.kind
    return told


def _signed(event: Signed | Attested) -> str:
    what = "" if isinstance(event, Signed) else f"{kind_of(event.predicate_type)} "
    signer = event.name or (short_digest(event.signer) if event.signer.startswith("sha256:") else event.signer)
    return f"{what}{'signed' if event.made else 'verified, signed'} by {signer}"


def _locked(event: Locked) -> str:
    parts = [tell_moves(event.moves)]
    if event.base_moves:
        parts.append(f"{event.base}: {tell_moves(event.base_moves, 2)}")
    told = "; ".join(part for part in parts if part)
    if not event.before and not told:
        return f"first lock, Airflow {event.airflow} on {event.base}"
    return told or "nothing moved: rules or words of the lock"


def _built(event: Built) -> str:
    platforms = ", ".join(platform.platform.removeprefix("linux/") for platform in event.platforms)
    layers = max((platform.layers for platform in event.platforms), default=0)
    size = max((platform.size_bytes for platform in event.platforms), default=0)
    took = f", {event.seconds:.1f} s" if event.seconds else ""
    engine = f", by {event.engine}" if event.engine != "airflow-kubler" else ""
    return f"{platforms}: {render_count(layers, 'layer')}, {render_size(size)}{took}{engine}"


def _pushed(event: Pushed) -> str:
    tags = ", ".join(
        f"{move.tag} (was {short_digest(move.before)})" if move.before else move.tag for move in event.tags
    )
    sent = f", {render_size(event.sent_bytes)} sent" if event.sent_bytes else ""
    return f"{event.repository}{f': {tags}' if tags else ''}{sent}"


def _scanned(event: Scanned) -> str:
    order = {"critical": 0, "high": 1, "medium": 2, "low": 3}
    counts = sorted(event.counts.items(), key=lambda one: (order.get(one[0].lower(), 9), one[0]))
    told = ", ".join(f"{number} {severity}" for severity, number in counts if number)
    by = f" by {event.scanner}" if event.scanner else ""
    return _join(f"scan{by}: {event.result}", told or event.summary)


def _judged(event: Scanned | LicencesJudged) -> tuple[str, bool]:
    if isinstance(event, Scanned):
        return _scanned(event), event.result in {"clean", "waived"}
    counts = ", ".join(f"{number} {outcome}" for outcome, number in sorted(event.counts.items()) if number)
    return _join(f"licences: {'allowed' if event.allowed else 'REFUSED'}", counts), event.allowed


def _looked_over(event: Seen | Nightly) -> tuple[str, bool]:
    if isinstance(event, Seen):
        return _seen(event), not event.findings
    return _night(event), not any(one.result in {"failed", "held"} for one in event.results)


def _night(event: Nightly) -> str:
    counts = Counter("unchanged" if one.same and one.result == "done" else one.result for one in event.results)
    told = ", ".join(f"{counts[result]} {result}" for result in sorted(counts))
    return f"night {event.night}: {told or 'no stacks'}"


def _promoted(event: Promoted) -> str:
    before = f" (was {short_digest(event.before)})" if event.before else ""
    unmet = [check.rule for check in event.checks if not check.met]
    notes = (
        f"database: {event.database}" if event.database and event.database != "safe" else "",
        f"NOT MET: {', '.join(unmet)}" if unmet else "",
        event.reason,
    )
    verb = "rolled back to" if event.rollback else "is now"
    return _join(f"{event.channel} {verb} {short_digest(event.digest)}{before}", *notes)


def _seen(event: Seen) -> str:
    pods = sum(image.pods for image in event.images)
    where = f" ({', '.join(event.namespaces)})" if event.namespaces else ""
    looked = f"{event.cluster}{where}: {render_count(pods, 'pod')} of {render_count(len(event.images), 'image')}"
    kinds = sorted({finding.kind for finding in event.findings})
    return _join(looked, f"{render_count(len(event.findings), 'finding')}: {', '.join(kinds[:3])}" if kinds else "")


def _one_line(text: str) -> str:
    """Make one line of what others wrote, of a length that is read."""
    line = " ".join(text.split())
    return line if len(line) <= _LONGEST else f"{line[: _LONGEST - 3]}..."


def _join(first: str, *others: str) -> str:
    return "; ".join(part for part in (first, *others) if part)
