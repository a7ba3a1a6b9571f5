"""`airflow-kubler verify STACK`: built again from its lock, and compared."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from builder.cli.options import DEFAULT_FOLDER
from builder.cli.output import progress
from builder.cli.root import Context
from builder.cli.verify_view import show_report
from builder.usecase.verify import verify_digest, verify_layout
from builder.wiring.images import scratch_build_tools


def verify_layout_of(context: Context, stack: str, how: Mapping[str, Any], jobs: int, *, as_json: bool) -> int:
    """Compare a layout, or a digest, with what the lock gives; returns the exit status, 1 where anything differs."""
    project = context.project()
    with scratch_build_tools(jobs, lambda total: progress(f"verify {stack}", total)) as tools:
        if how["digest"] is not None:
            report = verify_digest(stack, project.locks_folder, how["digest"], tools)
        else:
            folder = how["layout"] or project.root / DEFAULT_FOLDER / stack
            report = verify_layout(stack, project.locks_folder, folder, tools, by_files=how["files"])
    show_report(report, as_json=as_json)
    return 1 if report.differences else 0
