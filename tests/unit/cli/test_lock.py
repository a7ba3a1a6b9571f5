from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from builder.cli.lock_report import render_report
from builder.cli.root import root
from builder.project import Project
from builder.usecase.lock import lock_stacks
from builder.usecase.lock_model import LockReport, Move, StackChange
from tests.support.lock_world import AIRFLOW_STACK, CHILD_STACK, World, make_project


@pytest.fixture
def project(tmp_path: Path) -> Project:
    made = make_project(tmp_path, core=AIRFLOW_STACK, etl=CHILD_STACK)
    lock_stacks(made, World().tools(made))
    return made


def check(project: Project, *args: str) -> Result:
    return CliRunner().invoke(root, ["--project", str(project.root), "lock", "--check", *args])


def test_check_says_fresh_for_each_base_and_stack(project: Project) -> None:
    result = check(project)
    assert result.output == "base trixie: fresh\nstack core: fresh\nstack etl: fresh\n"
    assert result.exit_code == 0


def test_check_ends_with_1_where_a_lock_is_stale(project: Project) -> None:
    (project.root / "stacks/etl/requirements.in").write_text("gamma\n", encoding="utf-8")
    result = check(project)
    assert "stack core: fresh\nstack etl: stale: stack.toml, requirements.in" in result.output
    assert result.exit_code == 1
    assert check(project, "core").exit_code == 0


def test_check_as_json(project: Project) -> None:
    project.stack_lock_path("etl").unlink()
    result = check(project, "--json", "etl")
    assert result.exit_code == 1
    assert json.loads(result.output) == [
        {"kind": "base", "name": "trixie", "fresh": True, "reasons": []},
        {"kind": "stack", "name": "core", "fresh": True, "reasons": []},
        {"kind": "stack", "name": "etl", "fresh": False, "reasons": ["it has no lock"]},
    ]


def test_a_report_counts_and_names_what_moved() -> None:
    moves = (
        Move(project="a", before=None, after="1"),
        Move(project="b", before="1", after="2"),
        Move(project="c", before="1", after=None),
    )
    report = LockReport(
        bases=("trixie",),
        stacks=(
            StackChange(stack="core", changed=True, candidates=195, layers=29, moves=moves),
            StackChange(stack="gcp", changed=True, candidates=3, layers=1, moves=()),
            StackChange(stack="aws", changed=False, candidates=3, layers=1, moves=()),
        ),
        stale=("etl",),
    )
    assert render_report(report) == (
        "base trixie: locked\n"
        "core: 195 projects in 29 layers, 1 added, 1 moved, 1 removed\n"
        "  b 1 -> 2\n"
        "gcp: 3 projects in 1 layers, rewritten\n"
        "aws: 3 projects in 1 layers, unchanged\n"
        "stale now: etl; lock them with: airflow-kubler lock etl"
    )
