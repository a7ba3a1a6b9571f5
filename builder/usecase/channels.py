"""Channels: what each stands for, since when and by whom, and what waits for approval."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from builder.ledger.events import Promoted, Requested
from builder.ledger.model import LedgerReader
from builder.ledger.queries import event_of, find_image, iter_found
from builder.policy.approvals import Approvals, count_approvals
from builder.policy.evidence import Fact, Standing
from builder.policy.reader import Channels
from builder.policy.rules import ChannelRules
from builder.usecase.channel_evidence import find_build, find_standing, gather


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """A move that somebody asked for."""

    request: Fact[Requested]
    approvals: Approvals


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelLine:
    """A channel of a stack."""

    stack: str
    channel: str
    standing: Standing | None
    built: int | None
    """When its image was built, seconds since the epoch."""
    waiting: tuple[Waiting, ...]
    """The latest first."""

    @property
    def promoted(self) -> Fact[Promoted] | None:
        """The first of the moves that brought it there."""
        return self.standing.promotions[-1] if self.standing else None


def list_channels(ledger: LedgerReader, channels: Channels, stacks: Sequence[str], now: int) -> tuple[ChannelLine, ...]:
    """List the channels of stacks: those of the rules in their order, then those that are on record and in no rule any more.

    Args:
        ledger: to look in.
        channels: the rules.
        stacks: by name; empty for all that have rules of their own or are on record.
        now: seconds since the epoch.
    """
    return tuple(line for stack in stacks for line in _lines_of(ledger, channels, stack, now))


def _lines_of(ledger: LedgerReader, channels: Channels, stack: str, now: int) -> Iterator[ChannelLine]:
    rules = {one.channel: one for one in channels.rules_of(stack)}
    recorded = (value.partition(" ")[2] for value in ledger.values("channel", f"{stack} "))
    for channel in dict.fromkeys((*rules, *recorded)):
        standing = find_standing(ledger, stack, channel)
        image = find_image(ledger, standing.digest) if standing else None
        yield ChannelLine(
            stack=stack,
            channel=channel,
            standing=standing,
            built=image.entry.time if image else None,
            waiting=tuple(_waiting(ledger, stack, rules[channel], standing, now)) if channel in rules else (),
        )


def _waiting(
    ledger: LedgerReader, stack: str, rules: ChannelRules, standing: Standing | None, now: int
) -> Iterator[Waiting]:
    """Iterate over moves that were asked for since the channel last moved, each image once."""
    last = standing.promotions[0].entry.number if standing else -1
    seen: set[str] = set()
    for entry in iter_found(ledger, "channel", f"{stack} {rules.channel}", kinds=(Requested.kind,), first=2):
        request = event_of(entry, Requested)
        if entry.number < last:
            return
        if request.digest not in seen:
            seen.add(request.digest)
            evidence = gather(ledger, stack, rules, find_build(ledger, stack, request.digest))
            approvals = count_approvals(rules, evidence, promoter="", now=now)
            yield Waiting(request=Fact(entry=entry, event=request), approvals=approvals)
