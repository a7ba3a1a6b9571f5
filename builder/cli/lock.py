"""`airflow-kubler lock`: pin every file of stacks and bases by hash, or tell whether their locks are fresh."""

from __future__ import annotations

from typing import Any

import click

from builder.cli.options import json_option, stacks_argument
from builder.cli.output import note, show_json, show_text
from builder.cli.root import Context
from builder.project import Project
from builder.usecase.lock_check import check_locks
from builder.usecase.lock_model import LockReport, LockState


@click.command()
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
        show_json([_state_to_dict(state) for state in states]) if as_json else show_text(render_states(states))
        return int(any(state.reasons for state in states))
    report = _lock(project, stacks, bases)
    show_json(_report_to_dict(report)) if as_json else show_text(render_report(report))
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


def render_states(states: tuple[LockState, ...]) -> str:
    """Render a line for each lock."""
    lines = []
    for state in states:
        verdict = f"stale: {'; '.join(state.reasons)}" if state.reasons else "fresh"
        lines.append(f"{state.kind} {state.name}: {verdict}")
    return "\n".join(lines)


def render_report(report: LockReport) -> str:
    """Render what locking brought, and the way on."""
    lines = [f"base {name}: locked" for name in report.bases]
    for change in report.stacks:
        counts = [f"{change.count(kind)} {kind}" for kind in ("added", "moved", "removed") if change.count(kind)]
        news = ", ".join(counts) if counts else ("rewritten" if change.changed else "unchanged")
        lines.append(f"{change.stack}: {change.candidates} projects in {change.layers} layers, {news}")
        lines += [
            f"  {move.project} {move.before} -> {move.after}" for move in change.moves if move.before and move.after
        ]
    if report.stale:
        lines.append(
            f"stale now: {', '.join(report.stale)}; lock them with: airflow-kubler lock {' '.join(report.stale)}"
        )
    return "\n".join(lines)


def _state_to_dict(state: LockState) -> dict[str, Any]:
    return {"kind": state.kind, "name": state.name, "fresh": not state.reasons, "reasons": state.reasons}


def _report_to_dict(report: LockReport) -> dict[str, Any]:
    from dataclasses import asdict

    return asdict(report)
