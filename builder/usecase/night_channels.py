"""Channels in a night: moved where their rules are met; where approvals lack, the move is asked for."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from builder.finding.gate import Given
from builder.ledger.entry import Actor
from builder.ledger.model import Ledger
from builder.nightly.model import Result, Step, StepDone
from builder.policy.rules import ChannelRules
from builder.usecase.promote import PromoteRequest, Promotion, promote


def move_channels(
    ledger: Ledger,
    stack: str,
    digest: str,
    channels: Iterable[ChannelRules],
    actor: Actor,
    clock: Callable[[], int],
    *,
    given: Given | None = None,
) -> StepDone:
    """Move channels to an image, in their order; one whose rules are not met waits, with what it lacks.

    Args:
        ledger: open for appending.
        stack: whose channels.
        digest: of the image.
        channels: their rules.
        actor: who moves them.
        clock: seconds since the epoch.
        given: waivers and lists that findings are judged by, as `promote` takes them.
    """
    rows: list[dict[str, Any]] = []
    reasons: list[str] = []
    for rules in channels:
        request = PromoteRequest(
            stack=stack, rules=rules, target=digest, reason="nightly", ask=True, given=given or Given()
        )
        found = promote(ledger, request, actor, clock)
        rows.append(
            {
                "channel": rules.channel,
                "outcome": found.outcome,
                "before": found.before,
                "lacks": _lacks(found),
                "ways": [{"rule": one.check.rule, "way": one.way} for one in found.judged if one.lacks],
            }
        )
        if found.outcome in {"lacking", "requested"}:
            reasons.append(f"{rules.channel}: {'; '.join(_lacks(found))}")
    outcomes = {row["outcome"] for row in rows}
    moved = Result.DONE if "promoted" in outcomes else Result.UNCHANGED
    return StepDone(
        node=f"stack:{stack}",
        step=Step.CHANNELS,
        result=Result.WAITING if reasons else moved,
        key=digest,
        reason="\n".join(reasons),
        facts={"channels": rows},
    )


def _lacks(found: Promotion) -> list[str]:
    return [f"{one.check.rule}: {one.check.found}" for one in found.judged if one.lacks]
