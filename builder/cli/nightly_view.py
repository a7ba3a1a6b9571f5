"""How nights and plans of nights are shown."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

import click

from builder.cli.output import save_page, show_json, show_text

if TYPE_CHECKING:
    from pathlib import Path

    from builder.nightly.summary import NightSummary
    from builder.service.address import LedgerPlace
    from builder.usecase.night_plan import NightPlan
    from builder.wiring.nights import Nights


def show_summary(summary: NightSummary, *, as_json: bool) -> int:
    """Show a night as Markdown or as values; returns the exit status."""
    from builder.nightly.markdown import render_markdown
    from builder.nightly.summary import summary_to_dict

    if as_json:
        show_json(summary_to_dict(summary))
    else:
        # Not by way of show_text: there is nothing in it that a terminal obeys, and what keeps names from being mentions must stay.
        click.echo(render_markdown(summary), nl=False)
    return int(not summary.is_good)


def show_night_page(nights: Nights, summary: NightSummary, ledger: LedgerPlace | None, output: Path | None) -> int:
    """Show a night as a page, or write it into a file; returns the exit status."""
    from builder.wiring.night_reports import make_page

    page = make_page(nights, summary, ledger)
    if output is None:
        click.echo(page, nl=False)
    else:
        save_page(output, page)
    return int(not summary.is_good)


def list_nights(nights: Nights, *, as_json: bool) -> int:
    """List the nights on disk; returns the exit status."""
    from builder.nightly.summary import summarise

    rows = [summarise(nights.read(name)) for name in nights.names()]
    if as_json:
        show_json([{"night": one.night, "began": one.began, "ended": one.ended, "good": one.is_good} for one in rows])
        return 0
    for one in rows:
        began = dt.datetime.fromtimestamp(one.began, dt.UTC).strftime("%Y-%m-%d %H:%M")
        state = "not finished" if not one.ended else "good" if one.is_good else "FAILED"
        show_text(f"{one.night}  {began}  {len(one.stacks)} stacks  {state}")
    return 0


def render_plan(plan: NightPlan) -> str:
    """Render what a night would do."""
    lines = []
    for base in plan.bases:
        moves = ", ".join(
            f"{one['name']} {one['before'] or 'new'} -> {one['after'] or 'gone'}" for one in base.moves[:8]
        )
        more = f" and {len(base.moves) - 8} more" if len(base.moves) > 8 else ""
        lines.append(f"base {base.name}: {f'moves: {moves}{more}' if base.changed else 'unchanged'}")
    lines += [f"stack {one.name}: {'; '.join(one.reasons) or 'settled: nothing to do'}" for one in plan.stacks]
    count = sum(1 for stack in plan.stacks if stack.reasons)
    lines.append(f"{count} of {len(plan.stacks)} stacks would be locked again")
    return "\n".join(lines)
