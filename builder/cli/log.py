"""`airflow-kubler log`: what happened, the newest first."""

from __future__ import annotations

from itertools import chain
from pathlib import Path
from time import sleep
from typing import TYPE_CHECKING, Any

import click

from builder.cli.log_view import dump_entry_line, entry_to_dict, render_entries
from builder.cli.options import html_option, json_option, parse_since
from builder.cli.output import save_page, show_json, show_text
from builder.cli.root import Context
from builder.ledger.events import EVENTS
from builder.usecase.log import LogQuery, follow_log, read_log
from builder.wiring.ledgers import open_ledger

if TYPE_CHECKING:
    from builder.ledger.model import LedgerReader

_POLL_S = 0.5


@click.command()
@click.argument("stack", default="", metavar="[STACK]")
@click.option("--channel", default="", metavar="NAME", help="What was asked for, agreed and moved of this channel.")
@click.option(
    "--kind", "kinds", multiple=True, type=click.Choice(sorted(EVENTS)), help="Only entries of this; may be repeated."
)
@click.option("--since", callback=parse_since, metavar="TIME", help="As 7d, 12h, 2026-11-30 or 2026-11-30T07:23Z.")
@click.option("-n", "--limit", type=click.IntRange(min=0), metavar="N", help="Most entries. Default: 20; 0 for all.")
@click.option(
    "--follow", "-f", is_flag=True, help="Go on with what happens; the oldest first. With --json: JSON lines."
)
@html_option
@json_option
@click.pass_obj
def command(context: Context, /, *, html: Path | None, follow: bool, as_json: bool, **how: Any) -> None:
    """Show what happened to STACK, or to all: locks, builds, pushes, tests, scans, approvals, promotions, deployments."""
    if follow and html:
        raise click.UsageError("--follow goes on for ever: a page would never be whole")
    limit = how["limit"] if how["limit"] is not None else None if html or how["since"] else 20
    query = LogQuery(
        stack=how["stack"], channel=how["channel"], kinds=how["kinds"], since=how["since"], limit=limit or None
    )
    with open_ledger(context.ledger_place()) as ledger:
        if html:
            from builder.picture.log_page import render_log_page
            from builder.usecase.log import log_page

            save_page(html, render_log_page(log_page(ledger, query)))
        elif follow:
            _follow(ledger, query, as_json=as_json)
        else:
            entries = read_log(ledger, query)
            if as_json:
                show_json([entry_to_dict(entry) for entry in entries])
            else:
                show_text(render_entries(entries, stack=query.stack))


def _follow(ledger: LedgerReader, query: LogQuery, *, as_json: bool) -> None:
    size = ledger.head().size
    known = [entry for entry in read_log(ledger, query) if entry.number < size]
    for entry in chain(reversed(known), follow_log(ledger, query, size - 1, lambda: sleep(_POLL_S))):
        show_text(dump_entry_line(entry) if as_json else render_entries((entry,), stack=query.stack))
