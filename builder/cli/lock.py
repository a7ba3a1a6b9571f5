"""`airflow-kubler lock`: pin every file of stacks and bases by hash, or tell whether their locks are fresh."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar

import click

from builder.cli.lock_report import failure_to_dict, render_report, report_to_dict, show_states
from builder.cli.options import json_option, stacks_argument, upgrade_options
from builder.cli.output import note, show_json, show_text, tally
from builder.cli.root import Context, Verb
from builder.cli.subverbs import VerbWithSubverbs
from builder.errors import ResolutionError
from builder.usecase.lock_model import LockOptions, LockReport
from builder.wiring.recording import open_recorder

if TYPE_CHECKING:
    from builder.project import Project


class _Lock(VerbWithSubverbs):
    subverbs: ClassVar = {
        "export": Verb("builder.cli.lock_export:command", "Write a lock as other tools read it."),
        "import": Verb("builder.cli.lock_import:command", "Start a stack from requirements, a lock or a Dockerfile."),
    }


@click.command(cls=_Lock)
@stacks_argument
@click.option("--base", "bases", multiple=True, metavar="NAME", help="Lock this base again; may be repeated.")
@click.option("--check", is_flag=True, help="Only tell which locks are stale, without network; exit 1 if any is.")
@upgrade_options
@click.option("--accept", is_flag=True, help="Write the fewest divergences from the tested set that STACKs need.")
@click.option("--expires", type=click.DateTime(["%Y-%m-%d"]), help="Until when accepted divergences hold: in 90 days.")
@click.option("--snapshot", metavar="ID", help="Lock against this snapshot of the indexes, offline.")
@click.option("--refresh", is_flag=True, help="Ask the indexes again for each page, however fresh it is.")
@click.option("--refresh-constraints", is_flag=True, help="Fetch Airflow's tested constraints again.")
@click.option("--resolver", type=click.Choice(["uv", "pip-tools"]), help="In place of the stack's own.")
@json_option
@click.pass_obj
def command(
    context: Context, /, stacks: tuple[str, ...], bases: tuple[str, ...], *, check: bool, as_json: bool, **options: Any
) -> int:
    """Pin every file of STACKs by hash: all stacks, and bases without a lock, where none is named."""
    if check:
        if bases or any(options.values()):
            raise click.UsageError("--check tells, and does nothing else: leave the other options out")
        return show_states(context.project(), stacks, as_json=as_json)
    if bases and options["accept"] and not stacks:
        raise click.UsageError("--accept is for stacks: name them")
    try:
        with open_recorder(context.recording()) as recorder:
            report = _lock(context.project(), stacks, bases, **options)
            if recorder is not None:
                recorder.locked(context.project().locks_folder, [change.stack for change in report.stacks])
    except ResolutionError as error:
        if as_json:
            show_json(failure_to_dict(error))
        raise
    show_json(report_to_dict(report)) if as_json else show_text(render_report(report))
    return 0


def _lock(
    project: Project, stacks: tuple[str, ...], bases: tuple[str, ...], *, accept: bool, **options: Any
) -> LockReport:
    from builder.usecase.lock import lock_bases, lock_stacks
    from builder.wiring.locks import make_lock_tools, make_search_budget

    expires, seen = options.pop("expires"), {key: options.pop(key) for key in ("snapshot", "refresh")}
    how = LockOptions(**options)
    with tally("asking the indexes") as watch, make_lock_tools(project, note, watch=watch, **seen) as tools:
        report = lock_bases(project, tools, bases) if bases else None
        if report is not None and not stacks:
            return report
        if accept:
            from builder.usecase.accept import accept_divergences

            names, until = stacks or project.stack_names(), expires.date() if expires else None
            accept_divergences(project, tools, names, expires=until, budget=make_search_budget, options=how)
        later = lock_stacks(project, tools, stacks, how)
        return replace(later, bases=(*bases, *later.bases))
