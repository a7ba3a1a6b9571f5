"""`airflow-kubler lock`: pin every file of stacks and bases by hash, or tell whether their locks are fresh."""

from __future__ import annotations

from typing import ClassVar

import click

from builder.cli.lock_report import render_report, render_states, report_to_dict, state_to_dict
from builder.cli.options import json_option, stacks_argument
from builder.cli.output import note, show_json, show_text
from builder.cli.root import Context, Verb
from builder.cli.subverbs import VerbWithSubverbs
from builder.project import Project
from builder.usecase.lock_check import check_locks
from builder.usecase.lock_model import LockReport


class _Lock(VerbWithSubverbs):
    subverbs: ClassVar = {
        "export": Verb("builder.cli.lock_export:command", "Write a lock as other tools read it."),
        "import": Verb("builder.cli.lock_import:command", "Start a stack from requirements, a lock or a Dockerfile."),
    }


@click.command(cls=_Lock)
@stacks_argument
@click.option("--base", "bases", multiple=True, metavar="NAME", help="Lock this base again; may be repeated.")
@click.option("--check", is_flag=True, help="Only tell which locks are stale, without network; exit 1 if any is.")
@json_option
@click.pass_obj
def command(context: Context, stacks: tuple[str, ...], bases: tuple[str, ...], *, check: bool, as_json: bool) -> int:
    """Pin every file of STACKs by hash: all stacks, and bases without a lock, where none is named."""
    project = context.project()
    if check:
        states = check_locks(project, stacks)
        show_json([state_to_dict(state) for state in states]) if as_json else show_text(render_states(states))
        return int(any(state.reasons for state in states))
    report = _lock(project, stacks, bases)
    show_json(report_to_dict(report)) if as_json else show_text(render_report(report))
    return 0


def _lock(project: Project, stacks: tuple[str, ...], bases: tuple[str, ...]) -> LockReport:
    from builder.usecase.lock import lock_bases, lock_stacks
    from builder.wiring import make_lock_tools

    with make_lock_tools(project, note) as tools:
        report = lock_bases(project, tools, bases) if bases else None
        if report is None or stacks:
            later = lock_stacks(project, tools, stacks)
            return LockReport(bases=(*bases, *later.bases), stacks=later.stacks, stale=later.stale)
        return report
