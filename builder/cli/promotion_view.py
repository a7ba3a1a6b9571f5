"""How moves of channels are shown: what was found, what lacks, and what is to be done with the database."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from builder.cli.output import render_table
from builder.ledger.entry import Entry
from builder.migrations.advice import Step
from builder.policy.judged import Judged, shorten
from builder.usecase.database_move import DatabaseAdvice
from builder.usecase.follow_tag import FollowedTag
from builder.usecase.promote import Promotion

_MET = {"met": "yes", "skipped": "skipped", "lacks": "no"}


def promotion_to_dict(found: Promotion, tags: Sequence[FollowedTag] = ()) -> dict[str, Any]:
    """Write a move as JSON values."""
    return {
        "stack": found.stack,
        "channel": found.channel,
        "digest": found.digest,
        "before": found.before or None,
        "outcome": found.outcome,
        "entry": found.entry.number if found.entry else None,
        "checks": [_judged_to_dict(one) for one in found.judged],
        "database": found.database.to_dict(),
        "tags": [
            {
                "reference": str(one.reference),
                "digest": str(one.digest),
                "before": str(one.before) if one.before else None,
            }
            for one in tags
        ],
    }


def render_promotion(found: Promotion) -> str:
    """Render a move: the checks, how to meet those that are not, the database, and what came of it."""
    lines = [f"{found.stack} {found.channel}: {found.digest}"]
    if found.outcome != "unchanged":
        lines.append(f"in place of {found.before or 'nothing'}")
    if found.judged:
        rows = [(one.check.rule, _MET[_state(one)], one.check.found) for one in found.judged]
        lines += ["", render_table(("rule", "met", "found"), rows)]
    lacking = [(one.check.rule, one.way) for one in found.judged if one.lacks]
    if lacking:
        lines += ["", render_table(("lacks", "the way to meet it"), lacking)]
    if found.outcome != "unchanged":
        lines += ["", render_database(found.database)]
    return "\n".join((*lines, "", _render_outcome(found)))


def render_database(advice: DatabaseAdvice) -> str:
    """Render what a move means for the database, and the steps."""
    lines = [f"database: {advice.move.danger}: {advice.move.reason}"]
    lines += [f"  {number}. {_render_step(step)}" for number, step in enumerate(advice.steps, 1)]
    return "\n".join(lines)


def render_entry(entry: Entry) -> str:
    """Name an entry of the ledger."""
    return f"entry {entry.number} of the ledger, by {entry.actor.name}"


def _render_step(step: Step) -> str:
    if not step.command:
        return step.what
    words = [*(f"{name}={value}" for name, value in step.environment), *step.command]
    return f"{step.what}, in the image {shorten(step.image)}:\n       {' '.join(words)}"


def _render_outcome(found: Promotion) -> str:
    match found.outcome:
        case "promoted":
            return f"moved: {render_entry(found.entry)}" if found.entry else "moved"
        case "unchanged":
            return "nothing to do: it stands there already"
        case "met":
            return "all rules are met; nothing was written"
        case "requested":
            return f"asked for: {render_entry(found.entry)}" if found.entry else "asked for already"
        case "lacking":
            return "not moved"


def _state(judged: Judged) -> str:
    return "lacks" if judged.lacks else "skipped" if judged.check.skipped else "met"


def _judged_to_dict(judged: Judged) -> dict[str, Any]:
    check = judged.check
    return {
        "rule": check.rule,
        "met": check.met,
        "skipped": check.skipped,
        "found": check.found,
        "evidence": list(check.evidence),
        "way": judged.way or None,
    }
