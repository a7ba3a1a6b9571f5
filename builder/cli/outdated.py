"""`airflow-kubler outdated`: newer releases of what a stack has, and what blocks them."""

from __future__ import annotations

from dataclasses import asdict

import click

from builder.cli.options import json_option, stack_argument
from builder.cli.output import note, render_table, show_json, show_text, tally
from builder.cli.root import Context


@click.command()
@stack_argument
@click.option("--all", "everything", is_flag=True, help="Look at all projects, not only at plugins asked for.")
@json_option
@click.pass_obj
def command(context: Context, stack: str, *, everything: bool, as_json: bool) -> None:
    """Show newer releases of what STACK has: what `lock --upgrade` would bring, and what keeps the rest away."""
    from builder.usecase.lock import open_stack
    from builder.usecase.outdated import find_outdated
    from builder.wiring.locks import make_lock_tools, make_search_budget

    project = context.project()
    with tally("asking the indexes") as watch, make_lock_tools(project, note, watch=watch) as tools:
        found = find_outdated(open_stack(project, tools, stack), everything=everything, budget=make_search_budget())
    if as_json:
        show_json([asdict(row) for row in found])
    elif found:
        rows = [(row.project, row.current, row.reachable, row.newest, row.blocker) for row in found]
        show_text(render_table(("PROJECT", "LOCKED", "UPGRADE", "NEWEST", "HELD BACK BY"), rows))
    else:
        show_text(f"{stack}: all of it is the newest")
