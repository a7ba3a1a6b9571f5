"""Promote: a channel stands for another image, if its rules hold; what was found and the move are one decision.

Between the look at the ledger and the entry nothing may come: the ledger refuses the entry where it has grown, and all is looked
at again. So of two who move a channel at once, the later one sees what the earlier one did.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Final, Literal

from builder.digest import Digest
from builder.errors import PromotionError
from builder.finding.gate import Given
from builder.finding.vex import dump_vex
from builder.ledger.entry import Actor, Entry
from builder.ledger.events import Built, Promoted, Requested
from builder.ledger.model import Ledger, LedgerReader, NewDocument, NewEntry
from builder.policy.checks import is_met, judge, judge_rollback
from builder.policy.evidence import Evidence, Fact
from builder.policy.judged import Asked, Judged
from builder.policy.rules import ChannelRules, dump_rules
from builder.policy.scan import judge_scan
from builder.usecase.channel_evidence import decide, find_build, find_standing, gather, latest_build
from builder.usecase.database_move import DatabaseAdvice, advise_on_database

Outcome = Literal["promoted", "unchanged", "lacking", "met", "requested"]
"""Done; nothing to do; rules are not met; they are, and nothing was written; asked for."""
_APPROVALS: Final = "approvals"


@dataclass(frozen=True, slots=True, kw_only=True)
class PromoteRequest:
    """What is wanted."""

    stack: str
    rules: ChannelRules
    target: str = ""
    """Digest, beginning of one, or tag; empty for what the channel before stands for, else the latest build."""
    reason: str = ""
    rollback: bool = False
    ask: bool = False
    """Where approvals lack, put the wish on record."""
    given: Given = field(default_factory=Given)
    """Waivers and lists that findings are judged by."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Promotion:
    """What came out."""

    stack: str
    channel: str
    digest: str
    before: str
    """What the channel stood for; empty for nothing."""
    judged: tuple[Judged, ...]
    database: DatabaseAdvice
    outcome: Outcome
    entry: Entry | None = None
    """What was appended."""


def promote(ledger: Ledger, request: PromoteRequest, actor: Actor, clock: Callable[[], int]) -> Promotion:
    """Move a channel where its rules are met; else say what lacks.

    Raises:
        LedgerError: the image is not on record.
        PromotionError: it is another stack's, or the channel before stands for nothing.
        LedgerMovedError: others wrote in the ledger all the time.
    """

    def attempt() -> tuple[Promotion, Sequence[NewEntry]]:
        found, evidence = look(ledger, request, actor, clock())
        if found.outcome == "met":
            return replace(found, outcome="promoted"), (_promotion(found, request, evidence, clock()),)
        if request.ask and _lacks_approvals(found):
            wish = Requested(stack=found.stack, channel=found.channel, digest=found.digest, reason=request.reason)
            asked = replace(found, outcome="requested")
            return asked, () if _is_asked_for(evidence, actor) else (NewEntry(event=wish),)
        return found, ()

    found, entry = decide(ledger, actor, attempt)
    return replace(found, entry=entry)


def look(ledger: LedgerReader, request: PromoteRequest, actor: Actor, now: int) -> tuple[Promotion, Evidence]:
    """Check a move against the ledger as it is; writes nothing."""
    rules = request.rules
    evidence = replace(gather(ledger, request.stack, rules, _target(ledger, request)), given=request.given)
    before = evidence.standing.digest if evidence.standing else ""
    asked = Asked(promoter=actor.name, now=now)
    judged = judge_rollback(rules, evidence, asked) if request.rollback else judge(rules, evidence, asked)
    outcome: Outcome = "unchanged" if before == evidence.digest else "met" if is_met(judged) else "lacking"
    found = Promotion(
        stack=request.stack,
        channel=rules.channel,
        digest=evidence.digest,
        before=before,
        judged=judged,
        database=advise_on_database(ledger, before, evidence.digest),
        outcome=outcome,
    )
    return found, evidence


def _target(ledger: LedgerReader, request: PromoteRequest) -> Fact[Built]:
    after = request.rules.after
    if request.target:
        return find_build(ledger, request.stack, request.target)
    if not after:
        return latest_build(ledger, request.stack)
    standing = find_standing(ledger, request.stack, after)
    if standing is None:
        raise PromotionError(
            f"{after} comes before {request.rules.channel}, and stands for nothing",
            context=request.stack,
            hint=f"airflow-kubler promote {request.stack} --to {after}",
        )
    return find_build(ledger, request.stack, standing.digest)


def _lacks_approvals(found: Promotion) -> bool:
    return found.outcome == "lacking" and any(
        judged.lacks and judged.check.rule == _APPROVALS for judged in found.judged
    )


def _is_asked_for(evidence: Evidence, actor: Actor) -> bool:
    """Tell whether the same person asked for it already, since the channel last moved."""
    last = evidence.standing.promotions[0].entry.number if evidence.standing else -1
    return any(fact.entry.number > last and fact.entry.actor.name == actor.name for fact in evidence.requests)


def _promotion(found: Promotion, request: PromoteRequest, evidence: Evidence, now: int) -> NewEntry:
    rules, waivers = request.rules, _waivers(request.rules, evidence, now)
    event = Promoted(
        stack=found.stack,
        channel=found.channel,
        digest=found.digest,
        before=found.before,
        rules=str(rules.digest),
        checks=tuple(judged.check for judged in found.judged),
        database=str(found.database.move.danger),
        rollback=request.rollback,
        reason=request.reason,
        waivers=str(Digest.of(waivers)) if waivers else "",
    )
    documents = tuple(NewDocument(data=data) for data in (dump_rules(rules), waivers) if data)
    return NewEntry(event=event, documents=documents)


def _waivers(rules: ChannelRules, evidence: Evidence, now: int) -> bytes:
    """Keep the waivers that let findings pass, as they stood: files change."""
    verdict = judge_scan(rules, evidence, now)
    used = sorted({waiver for _, waiver in verdict.waived.waived}) if verdict else []
    return dump_vex(used, author=evidence.stack) if used else b""
