"""How the ways back of a channel are shown."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from builder.cli.promotion_view import promotion_to_dict, render_database
from builder.lock.diff import LockDiff
from builder.policy.judged import shorten
from builder.usecase.rollback import Proposal

_MOST_NAMED = 4


def proposal_to_dict(proposal: Proposal) -> dict[str, Any]:
    """Write a way back as JSON values."""
    changes = proposal.changes
    return {
        **promotion_to_dict(proposal.promotion),
        "stood_from": proposal.promoted.entry.moment,
        "stood_until": proposal.left.entry.moment,
        "promoted_by": proposal.promoted.entry.actor.name,
        "left_by_rollback": proposal.left.event.reason if proposal.left.event.rollback else None,
        "changes": None
        if changes is None
        else {
            "distributions": [
                {"name": one.project, "before": one.before or None, "after": one.after or None}
                for one in changes.candidates
            ],
            "debs": [
                {"name": one.package, "before": one.before or None, "after": one.after or None} for one in changes.debs
            ],
        },
    }


def render_proposals(stack: str, channel: str, proposals: Sequence[Proposal]) -> str:
    """Render the ways back, the latest image first, each with what it means."""
    if not proposals:
        return f"{stack} {channel} stood for nothing else before"
    lines = [f"{stack} {channel} stands for {proposals[0].promotion.before}"]
    for proposal in proposals:
        lines += ["", *_iter_lines(stack, channel, proposal)]
    return "\n".join(lines)


def _iter_lines(stack: str, channel: str, proposal: Proposal) -> Iterator[str]:
    promotion, promoted, left = proposal.promotion, proposal.promoted.entry, proposal.left
    yield promotion.digest
    yield f"  stood there from {promoted.moment} to {left.entry.moment}, by {promoted.actor.name}"
    if left.event.rollback:
        yield f"  was left by a rollback: {left.event.reason}"
    yield f"  {_render_changes(proposal.changes)}"
    yield from (f"  {line}" for line in render_database(promotion.database).splitlines())
    lacking = [one.check.rule for one in promotion.judged if one.lacks]
    if lacking:
        yield f"  lacks: {', '.join(lacking)}"
    yield f"  airflow-kubler rollback {stack} --channel {channel} --to {shorten(promotion.digest)} --reason TEXT"


def _render_changes(changes: LockDiff | None) -> str:
    if changes is None:
        return "what changes is not known: a lock is not on record"
    named = [f"{one.project} {one.before or '-'} -> {one.after or '-'}" for one in changes.candidates]
    # Airflow itself is what people look for first.
    named.sort(key=lambda text: not text.startswith("apache-airflow"))
    more = [f"and {len(named) - _MOST_NAMED} more"] if len(named) > _MOST_NAMED else []
    told = f": {', '.join((*named[:_MOST_NAMED], *more))}" if named else ""
    return f"changes {len(named)} distributions and {len(changes.debs)} Debian packages{told}"
