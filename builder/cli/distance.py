"""`airflow-kubler distance`: how far a stack is from Airflow's tested set."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from dataclasses import asdict

import click

from builder.cli.options import json_option, stack_argument
from builder.cli.output import render_table, show_json, show_text
from builder.cli.root import Context
from builder.usecase.distance import Distance, load_lock, measure_distance


@click.command()
@stack_argument
@json_option
@click.pass_obj
def command(context: Context, stack: str, *, as_json: bool) -> None:
    """Show how far the lock of STACK is from the set that Airflow's maintainers tested."""
    found = measure_distance(load_lock(context.project(), stack), dt.datetime.now(dt.UTC).date())
    if as_json:
        values = asdict(found)
        for row in (*values["departures"], *({"divergence": row} for row in values["expired"])):
            if row["divergence"]:
                row["divergence"]["expires"] = row["divergence"]["expires"].isoformat()
        show_json(values)
    else:
        show_text("\n".join(iter_lines(found)))


def iter_lines(found: Distance) -> Iterator[str]:
    """Render the counts, what moved with its reason, and what nobody tested."""
    if found.counts is None:
        yield f'{found.stack}: constraints = "none", so nothing tells what was tested with Airflow {found.airflow_version}'
        return
    yield f"{found.stack}, Airflow {found.airflow_version}: {found.counts}"
    if found.departures:
        rows = [
            (
                row.project,
                row.tested,
                row.chosen,
                f"{row.step}, older" if row.older else row.step,
                f"{row.divergence.reason} ({row.divergence.owner}, until {row.divergence.expires})"
                if row.divergence
                else "",
            )
            for row in found.departures
        ]
        yield render_table(("PROJECT", "TESTED", "HERE", "STEP", "WHY"), rows)
    if found.outside:
        yield "outside the tested set: " + ", ".join(f"{project} {version}" for project, version in found.outside)
    for divergence in found.expired:
        yield f"expired on {divergence.expires}: {divergence.project} ({divergence.owner})"
