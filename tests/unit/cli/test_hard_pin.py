"""Airflow is a hard pin: a lock in which it moved is refused by every verb that reads locks."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner

from builder.cli.root import root
from builder.lock.model import LockedCandidate, StackLock
from builder.lock.pylock import dump_stack_lock, parse_stack_lock
from builder.project import Project
from builder.usecase.lock import lock_stacks
from tests.support.lock_world import AIRFLOW_STACK, CHILD_STACK, World, make_project
from tests.support.stack_locks import make_candidate

PARTS = {"apache-airflow-core": "3.3.2", "apache-airflow-task-sdk": "1.3.2"}


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    monkeypatch.setenv("AIRFLOW_KUBLER_CACHE", str(tmp_path / "cache"))
    made = make_project(tmp_path / "p", core=AIRFLOW_STACK, etl=CHILD_STACK)
    world = World(requires={"apache-airflow": tuple(PARTS)})
    world.offers |= PARTS
    lock_stacks(made, world.tools(made))
    return made


def move(project: Project, stack: str, part: str, version: str) -> None:
    """Move a part of Airflow in a lock, so that nothing else is wrong with it."""
    path = project.stack_lock_path(stack)
    lock = parse_stack_lock(path.read_bytes(), file="x")
    path.write_bytes(dump_stack_lock(replace(lock, candidates=_moved(lock, part, version))))


def _moved(lock: StackLock, part: str, version: str) -> tuple[LockedCandidate, ...]:
    wheels = make_candidate(part, version).wheels
    return tuple(
        replace(one, version=version, wheels=wheels) if one.project == part else one for one in lock.candidates
    )


@pytest.mark.parametrize(
    "verb",
    [
        "lock --check core",
        "fetch core",
        "build core",
        "verify core",
        "run core true",
        "distance core",
        "why core alpha",
        "diff core etl",
        "lock export core --format requirements",
        "lock export core --format cyclonedx",
    ],
)
def test_every_reader_refuses_a_lock_in_which_airflow_moved(project: Project, verb: str) -> None:
    move(project, "core", "apache-airflow-core", "3.4.0")
    result = CliRunner().invoke(root, ["--project", str(project.root), *verb.split()])
    assert result.exit_code in {1, 3}, result.output
    assert "apache-airflow-core moved to 3.4.0, while the lock is for Airflow 3.3.2" in result.output


@pytest.mark.parametrize("verb", ["lock --check etl", "fetch etl", "build etl"])
def test_a_childs_task_sdk_that_moved_is_refused_where_the_parents_lock_is_at_hand(project: Project, verb: str) -> None:
    move(project, "etl", "apache-airflow-task-sdk", "1.3.3")
    result = CliRunner().invoke(root, ["--project", str(project.root), *verb.split()])
    assert result.exit_code in {1, 3}, result.output
    assert "apache-airflow-task-sdk is 1.3.3, while parent core has 1.3.2" in result.output


def test_lock_puts_it_right_again(project: Project) -> None:
    before = project.stack_lock_path("core").read_bytes()
    move(project, "core", "apache-airflow-core", "3.4.0")
    world = World(requires={"apache-airflow": tuple(PARTS)})
    world.offers |= PARTS
    lock_stacks(project, world.tools(project))
    assert project.stack_lock_path("core").read_bytes() == before
