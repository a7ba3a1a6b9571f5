"""What `nightly` prints: plans, summaries, the list of nights."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

from builder.cli.output import show_json, show_text
from builder.nightly.summary import render_markdown, summarise, summary_to_dict

if TYPE_CHECKING:
    from builder.nightly.summary import NightSummary
    from builder.usecase.night_plan import NightPlan
    from builder.wiring.nights import Nights

_MOST_MOVES = 8


def render_plan(plan: NightPlan) -> str:
    """Render what a night would do."""
    lines = []
    for base in plan.bases:
        moves = ", ".join(
            f"{one['name']} {one['before'] or 'new'} -> {one['after'] or 'gone'}" for one in base.moves[:_MOST_MOVES]
        )
        more = f" and {len(base.moves) - _MOST_MOVES} more" if len(base.moves) > _MOST_MOVES else ""
        lines.append(f"base {base.name}: {f'moves: {moves}{more}' if base.changed else 'unchanged'}")
    lines += [f"stack {one.name}: {'; '.join(one.reasons) or 'settled: nothing to do'}" for one in plan.stacks]
    count = sum(1 for stack in plan.stacks if stack.reasons)
    lines.append(f"{count} of {len(plan.stacks)} stacks would be locked again")
    return "\n".join(lines)


def show_summary(summary: NightSummary, *, as_json: bool) -> int:
    """Print a summary; returns the exit status."""
    show_json(summary_to_dict(summary)) if as_json else show_text(render_markdown(summary).rstrip("\n"))
    return int(not summary.is_good)


def list_nights(nights: Nights, *, as_json: bool) -> int:
    """Print which nights are on disk; returns the exit status."""
    rows = [summarise(nights.read(name)) for name in nights.names()]
    if as_json:
        show_json([{"night": one.night, "began": one.began, "ended": one.ended, "good": one.is_good} for one in rows])
        return 0
    for one in rows:
        began = dt.datetime.fromtimestamp(one.began, dt.UTC).strftime("%Y-%m-%d %H:%M")
        state = "not finished" if not one.ended else "good" if one.is_good else "FAILED"
        show_text(f"{one.night}  {began}  {len(one.stacks)} stacks  {state}")
    return 0
