"""What `airflow-kubler lock` answers, as text and for JSON."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from builder.cli.output import show_json, show_text
from builder.errors import ResolutionError
from builder.usecase.lock_model import LockReport, LockState, StackChange

if TYPE_CHECKING:
    from builder.project import Project


def show_states(project: Project, names: tuple[str, ...], *, as_json: bool) -> int:
    """Tell which locks are fresh; returns 1 where any is not."""
    from builder.usecase.lock_check import check_locks

    states = check_locks(project, names, today=dt.datetime.now(dt.UTC).date())
    show_json([state_to_dict(state) for state in states]) if as_json else show_text(render_states(states))
    return int(any(state.reasons for state in states))


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
        lines += list(iter_findings(change))
    if report.snapshot:
        lines.append(f"snapshot {report.snapshot[:12]}")
    if report.stale:
        lines.append(
            f"stale now: {', '.join(report.stale)}; lock them with: airflow-kubler lock {' '.join(report.stale)}"
        )
    return "\n".join(lines)


def iter_findings(change: StackChange) -> Iterator[str]:
    """Say what must not go unsaid: how much is as tested, what came out behind its newest, what is not needed any more."""
    if change.status:
        yield f"  {change.status}"
    for row in change.behind:
        held = f": held back by {row.blocker}" if row.blocker else ""
        yield f"  {row.project} {row.chosen} is {row.steps} behind {row.newest}{held}"
    for project in change.droppable:
        yield f"  the divergence of {project} is not needed any more: take it out of stack.toml"


def state_to_dict(state: LockState) -> dict[str, Any]:
    """Make the JSON form of a line of `lock --check`."""
    return {"kind": state.kind, "name": state.name, "fresh": not state.reasons, "reasons": state.reasons}


def report_to_dict(report: LockReport) -> dict[str, Any]:
    """Make the JSON form of what locking brought."""
    from dataclasses import asdict

    return asdict(report)


def failure_to_dict(error: ResolutionError) -> dict[str, Any]:
    """Make the JSON form of why a stack cannot be had."""
    from builder.resolve.conflict import ConflictError, conflict_to_dict

    if isinstance(error, ConflictError):
        return conflict_to_dict(error)
    return {"error": "resolution", "stack": error.context, "lines": error.message.splitlines(), "fixes": []}
