"""`airflow-kubler layers`: why a stack's layers are as they are, and whether others would pay."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import click

from builder.cli.options import json_option, stacks_argument
from builder.cli.output import show_json, show_text
from builder.cli.root import Context
from builder.image.plan_again import PAY_NIGHTS

if TYPE_CHECKING:
    from builder.ledger.model import LedgerReader
    from builder.project import Project

_NIGHTS = click.IntRange(min=1, max=3650)


@click.command()
@stacks_argument
@click.option("--nights", type=_NIGHTS, default=30, help="How far to look back in the ledger. Default: 30.")
@click.option("--replan", "again", is_flag=True, help="Plan again, and tell whether it would pay.")
@click.option("--horizon", type=_NIGHTS, default=PAY_NIGHTS, help=f"Nights to pay within. Default: {PAY_NIGHTS}.")
@click.option("--apply", "apply_it", is_flag=True, help="Write the plans that pay into the locks; implies --replan.")
@click.option("--unpushed", is_flag=True, help="With --replan: no node holds any of it yet, so all is free.")
@json_option
@click.pass_obj
def command(context: Context, /, stacks: tuple[str, ...], nights: int, *, as_json: bool, **how: Any) -> None:
    """Show the layers of STACKs and why each is as it is; all stacks where none is named.

    --replan looks for better ones, for all stacks that extend one another together: what nodes pull once, because layers
    come that they do not hold, must be saved within the horizon. Chances come from the ages of releases, and from the
    moves that the ledger has of the last nights.
    """
    from builder.cli.layers_view import plan_to_dict, render_plan, render_replanned, replanned_to_dict
    from builder.usecase.layers import explain_plan, replan

    if how["unpushed"] and not (how["again"] or how["apply_it"]):
        raise click.UsageError("--unpushed is for --replan and --apply")
    project = context.project()
    with _ledger(context) as ledger:
        if not (how["again"] or how["apply_it"]):
            plans = [explain_plan(project, name, ledger, nights) for name in stacks or project.stack_names()]
            dicts, text = [plan_to_dict(plan) for plan in plans], "\n\n".join(render_plan(plan) for plan in plans)
            show_json(dicts) if as_json else show_text(text)
            return
        horizon, unpushed = how["horizon"], how["unpushed"]
        found = replan(project, stacks, ledger, nights=nights, horizon=horizon, unpushed=unpushed)
    if how["apply_it"]:
        _write(context, project, {row.plan.stack: row.lock for row in found if row.lock is not None})
    if as_json:
        show_json([replanned_to_dict(row) for row in found])
    else:
        show_text(render_replanned(found, horizon=horizon, written=how["apply_it"]))


def _write(context: Context, project: Project, locks: Mapping[str, bytes]) -> None:
    from builder.wiring.recording import open_recorder

    for name, data in locks.items():
        project.save_lock(project.stack_lock_path(name), data)
    with open_recorder(context.recording()) as recorder:
        if recorder is not None:
            recorder.locked(project.locks_folder, locks)


@contextmanager
def _ledger(context: Context) -> Iterator[LedgerReader | None]:
    path = context.recording()
    if path is None:
        yield None
        return
    from builder.wiring.ledgers import open_ledger

    with open_ledger(path) as ledger:
        yield ledger
