"""What the ledger tells of a stack's layers: how often its projects moved, and which layers nodes hold.

Time is the ledger's own: that of its newest entry. So the same lock and the same ledger tell the same.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from builder.digest import Digest
from builder.errors import BuilderError
from builder.image.plan_search import Held, held_of
from builder.ledger.entry import Entry
from builder.ledger.events import Built, Locked, Pushed
from builder.ledger.model import LedgerReader
from builder.ledger.queries import event_of, find_image, iter_found
from builder.lock.model import StackLock
from builder.lock.pylock import parse_stack_lock

_DAY_S = 86_400


@dataclass(frozen=True, slots=True, kw_only=True)
class Watched:
    """How a stack's projects moved in the last nights."""

    moves: Mapping[str, int]
    """Project to how often it came in another version."""
    days: float
    """How long that was watched; 0 where no earlier lock is on record."""
    until: int
    """Seconds since the epoch; 0 where there is no ledger."""


NOTHING = Watched(moves={}, days=0.0, until=0)
"""What is known without a ledger."""


def watch(ledger: LedgerReader, stack: str, nights: int) -> Watched:
    """Count the moves of a stack's locks in so many nights before the ledger's newest entry."""
    until = _newest_time(ledger)
    since = until - nights * _DAY_S
    moves: Counter[str] = Counter()
    days = 0.0
    for entry in iter_found(ledger, "stack", stack, kinds=(Locked.kind,)):
        days = (until - max(entry.time, since)) / _DAY_S
        if entry.time < since:
            break
        moves.update(move.name for move in event_of(entry, Locked).moves if move.before and move.after)
    return Watched(moves=moves, days=days, until=until)


def held_layers(ledger: LedgerReader, lock: StackLock) -> Held:
    """Tell which of a lock's projects nodes hold together in one layer, with the very wheels that the lock has.

    Nodes hold what was pushed last, else what was built last. Where neither is on record, the ledger may be younger than
    the image, so they are taken to hold what the lock says.
    """
    before = _held_lock(ledger, lock.stack)
    if before is None:
        return layers_of(lock)
    old, new = _wheels(before), _wheels(lock)
    return held_of(
        layer.projects
        for layer in before.plan
        if before.compression == lock.compression and all(old.get(name) == new.get(name) for name in layer.projects)
    )


def layers_of(lock: StackLock) -> Held:
    """Tell what nodes hold where nothing else is known: what the lock says."""
    return held_of(layer.projects for layer in lock.plan)


def _held_lock(ledger: LedgerReader, stack: str) -> StackLock | None:
    found = [event_of(entry, Pushed) for entry in ledger.find("stack", stack, kinds=(Pushed.kind,), limit=1)]
    image = find_image(ledger, found[0].digest) if found else None
    built = image.built if image else None
    if built is None:
        for entry in ledger.find("stack", stack, kinds=(Built.kind,), limit=1):
            built = event_of(entry, Built)
    data = ledger.document(Digest.parse(built.lock)) if built else None
    try:
        return parse_stack_lock(data, file=f"the lock that {stack} was built from") if data is not None else None
    except BuilderError:
        return None


def _wheels(lock: StackLock) -> dict[str, set[tuple[str, Digest]]]:
    found: dict[str, set[tuple[str, Digest]]] = {}
    for candidate in lock.candidates:
        rows = {(platform, file.sha256) for platform, file in candidate.wheels.items()}
        found.setdefault(candidate.project, set()).update(rows)
    return found


def _newest_time(ledger: LedgerReader) -> int:
    last: Entry | None = None
    for entry in ledger.entries(max(ledger.head().size - 1, 0)):
        last = entry
    return last.time if last is not None else 0
