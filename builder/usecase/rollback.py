"""Roll back: what a channel stood for before, what would change, and what it means for the database."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby, islice

from builder.digest import Digest
from builder.errors import LockInvalidError
from builder.finding.gate import Given
from builder.ledger.entry import Actor
from builder.ledger.events import Promoted
from builder.ledger.model import LedgerReader
from builder.ledger.queries import find_image
from builder.lock.base import parse_base_lock
from builder.lock.diff import LockDiff, diff_locks
from builder.lock.model import BaseLock, StackLock
from builder.lock.pylock import parse_stack_lock
from builder.policy.evidence import Fact
from builder.policy.rules import ChannelRules
from builder.usecase.channel_evidence import iter_promotions
from builder.usecase.promote import PromoteRequest, Promotion, look


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """An image that a channel stood for before."""

    promoted: Fact[Promoted]
    """The move that brought the channel there."""
    left: Fact[Promoted]
    """The move that brought it to the next one."""
    promotion: Promotion
    """The move back, checked; nothing was written."""
    changes: LockDiff | None
    """From what stands there now; None where the locks are not on record."""


def propose_rollback(
    ledger: LedgerReader,
    stack: str,
    rules: ChannelRules,
    actor: Actor,
    now: int,
    *,
    most: int = 5,
    given: Given | None = None,
) -> tuple[Proposal, ...]:
    """List the images that a channel stood for before, the latest first, each once."""
    locks = _Locks(ledger)
    found = []
    for promoted, left in islice(_iter_earlier(ledger, stack, rules.channel), most):
        request = PromoteRequest(
            stack=stack, rules=rules, target=promoted.event.digest, rollback=True, given=given or Given()
        )
        promotion, _ = look(ledger, request, actor, now)
        changes = locks.compare(promotion.before, promotion.digest)
        found.append(Proposal(promoted=promoted, left=left, promotion=promotion, changes=changes))
    return tuple(found)


def _iter_earlier(ledger: LedgerReader, stack: str, channel: str) -> Iterator[tuple[Fact[Promoted], Fact[Promoted]]]:
    """Iterate over the last span in which a channel stood for each other image than now: the moves that began and ended it."""
    seen: set[str] = set()
    left: Fact[Promoted] | None = None
    for digest, moves in groupby(iter_promotions(ledger, stack, channel), key=lambda fact: fact.event.digest):
        *_, first = moves
        if left is not None and digest not in seen:
            yield first, left
        seen.add(digest)
        left = first


class _Locks:
    """Locks of images, each parsed once."""

    def __init__(self, ledger: LedgerReader) -> None:
        self._ledger = ledger
        self._known: dict[str, tuple[StackLock, BaseLock] | None] = {}

    def compare(self, before: str, after: str) -> LockDiff | None:
        """Compare the locks of two images; None where one is not on record."""
        old, new = self._read(before), self._read(after)
        return diff_locks(old[0], new[0], bases=(old[1], new[1])) if old and new else None

    def _read(self, digest: str) -> tuple[StackLock, BaseLock] | None:
        if digest not in self._known:
            self._known[digest] = self._parse(digest)
        return self._known[digest]

    def _parse(self, digest: str) -> tuple[StackLock, BaseLock] | None:
        image = find_image(self._ledger, digest)
        if image is None:
            return None
        built = image.built
        stack = self._ledger.document(Digest.parse(built.lock))
        base = self._ledger.document(Digest.parse(built.base_lock))
        if stack is None or base is None:
            return None
        try:
            return (
                parse_stack_lock(stack, file=f"lock {built.lock}"),
                parse_base_lock(base, file=f"lock {built.base_lock}"),
            )
        except LockInvalidError:
            return None  # Of another version of this program, in a form that this one does not read.
