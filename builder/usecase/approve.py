"""Approve: somebody agrees that a channel moves to an image under its rules as they stand, or takes it back."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from builder.errors import PromotionError
from builder.ledger.entry import Actor, Entry
from builder.ledger.events import Approved
from builder.ledger.model import Ledger, NewDocument, NewEntry
from builder.policy.approvals import Approvals, count_approvals, may_approve, person_of, requesters
from builder.policy.evidence import Evidence
from builder.policy.rules import ChannelRules, dump_rules
from builder.usecase.channel_evidence import decide, find_build, gather


@dataclass(frozen=True, slots=True, kw_only=True)
class ApproveRequest:
    """What is wanted."""

    stack: str
    rules: ChannelRules
    target: str
    """Digest, beginning of one, or tag."""
    comment: str = ""
    withdraw: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Approval:
    """What came out."""

    stack: str
    channel: str
    digest: str
    withdrawn: bool
    approvals: Approvals
    """As they are now."""
    entry: Entry | None = None
    """What was appended; None where the same was on record."""


def approve(ledger: Ledger, request: ApproveRequest, actor: Actor, clock: Callable[[], int]) -> Approval:
    """Put an approval on record, or its withdrawal.

    Raises:
        PromotionError: the channel asks for none; he asked for the move himself, or is no approver; there is none to take back.
        LedgerError: the image is not on record.
        LedgerMovedError: others wrote in the ledger all the time.
    """
    rules = request.rules
    where = f"{request.stack} {rules.channel}"
    if not rules.approvals:
        raise PromotionError("the channel asks for no approvals", context=where)

    def attempt() -> tuple[Approval, Sequence[NewEntry]]:
        evidence = gather(ledger, request.stack, rules, find_build(ledger, request.stack, request.target))
        approvals = count_approvals(rules, evidence, promoter="", now=clock())
        found = Approval(
            stack=request.stack,
            channel=rules.channel,
            digest=evidence.digest,
            withdrawn=request.withdraw,
            approvals=approvals,
        )
        if request.withdraw:
            _check_there(evidence, actor, where)
        else:
            _check_allowed(rules, evidence, actor, where)
            if any(fact.entry.actor.name == actor.name for fact in approvals.counting):
                return found, ()
        event = Approved(
            stack=request.stack,
            channel=rules.channel,
            digest=evidence.digest,
            rules=str(rules.digest),
            withdrawn=request.withdraw,
            comment=request.comment,
        )
        return found, (NewEntry(event=event, documents=(NewDocument(data=dump_rules(rules)),)),)

    found, entry = decide(ledger, actor, attempt)
    evidence = gather(ledger, request.stack, rules, find_build(ledger, request.stack, found.digest))
    return replace(found, approvals=count_approvals(rules, evidence, promoter="", now=clock()), entry=entry)


def _check_there(evidence: Evidence, actor: Actor, where: str) -> None:
    """Refuse to take back what is not there."""
    own = [fact for fact in evidence.approvals if fact.entry.actor.name == actor.name]
    if not own or own[0].event.withdrawn:
        raise PromotionError(f"there is no approval of {actor.name} to take back", context=where)


def _check_allowed(rules: ChannelRules, evidence: Evidence, actor: Actor, where: str) -> None:
    if actor.name in requesters(evidence):
        hint = "somebody else has to agree"
        raise PromotionError(f"{actor.name} asked for this move, and cannot approve it", context=where, hint=hint)
    if not may_approve(rules, person_of(actor)):
        named = ", ".join(map(str, rules.approvers))
        raise PromotionError(f"{actor.name} is no approver", context=where, hint=f"stacks/channels.toml names {named}")
