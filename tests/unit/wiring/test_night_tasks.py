"""A night of many processes: begun once however often that is tried, ended once, and nobody else's meanwhile."""

from __future__ import annotations

import json
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from builder.errors import BuildError, InvalidInputError
from builder.nightly.journal import Ended
from builder.nightly.model import Result, Step, StepDone
from builder.project import Project
from builder.service.address import ServiceAddress
from builder.usecase.night import Task
from builder.wiring.ledgers import begin_ledger, open_ledger
from builder.wiring.night_tasks import NightRun, find_ledger, tasks_by_generation
from builder.wiring.nights import JOURNAL, Nights
from tests.support.lock_world import AIRFLOW_STACK, CHILD_STACK, make_project
from tests.support.tools import require_tool

LOCK = StepDone(node="stack:core", step=Step.LOCK, result=Result.DONE)


@pytest.fixture
def run(tmp_path: Path) -> NightRun:
    project = make_project(tmp_path, core=AIRFLOW_STACK, child=CHILD_STACK)
    begin_ledger(project.root / "ledger.db", "test")
    return run_of(project)


def run_of(project: Project) -> NightRun:
    return NightRun(project=project, ledger=find_ledger(project, None), owner="DAG nightly", jobs=1, say=lambda _: None)


def nights_of(run: NightRun) -> Nights:
    return Nights(root=run.project.root / "build/nights")


def recorded(run: NightRun) -> list[str]:
    assert run.ledger is not None
    with open_ledger(run.ledger) as ledger:
        return [entry.data["night"] for entry in ledger.entries() if entry.kind == "night"]


def test_a_night_that_is_begun_twice_is_one(run: NightRun) -> None:
    name = run.begin()
    assert run.begin() == name
    assert nights_of(run).names() == (name,)
    assert set(nights_of(run).read(name).begun.before) == {"core", "child"}


def test_a_night_that_has_ended_is_followed_by_another(run: NightRun) -> None:
    name = run.begin()
    run.end(name)
    assert run.begin() != name


def test_a_night_that_is_ended_twice_is_on_record_once(run: NightRun) -> None:
    name = run.begin()
    first = run.end(name)
    assert run.end(name) == first
    assert recorded(run) == [name]
    assert json.loads((nights_of(run).folder(name) / "report.json").read_bytes())["ended"] == first.ended


def test_an_end_that_was_killed_after_its_record_is_recorded_once(run: NightRun) -> None:
    name = run.begin()
    run.end(name)
    journal = nights_of(run).folder(name) / JOURNAL
    journal.write_bytes(b"".join(journal.read_bytes().splitlines(keepends=True)[:-1]))
    assert not nights_of(run).read(name).ended
    run.end(name)
    assert nights_of(run).read(name).ended
    assert recorded(run) == [name]


def test_a_night_that_goes_on_after_its_end_is_ended_and_recorded_again(run: NightRun) -> None:
    name = run.begin()
    with nights_of(run).journal(name) as write:
        write(Ended(ended=1))
        write(LOCK)
    assert run.begin() == name
    assert run.end(name).ended > 1
    assert recorded(run) == [name]


def test_another_run_is_refused_until_the_end(run: NightRun) -> None:
    other = replace(run, owner="DAG other")
    name = run.begin()
    with pytest.raises(BuildError, match="a night of DAG nightly"):
        other.begin()
    with pytest.raises(BuildError, match="a night of DAG nightly"):
        other.do(name, Task("stack:core", (Step.LOCK,)))
    run.end(name)
    other.begin()


def test_a_task_that_the_night_does_not_have_is_told(run: NightRun) -> None:
    name = run.begin()
    with pytest.raises(InvalidInputError, match="has no task for stack:none"):
        run.do(name, Task("stack:none", (Step.LOCK,)))


def test_a_task_on_one_that_has_not_ended_is_held_and_written_down(run: NightRun) -> None:
    name = run.begin()
    [held] = run.do(name, Task("stack:child", (Step.LOCK,)))
    assert held.result is Result.HELD
    assert held.reason == "stands on base trixie, whose refresh has not ended"
    assert nights_of(run).read(name).steps == (held,)
    assert not run.end(name).is_good


def test_generations_of_a_project_are_of_all_its_stacks(run: NightRun) -> None:
    assert [[task.node for task in tasks] for tasks in tasks_by_generation(run.project)] == [
        ["base:trixie"],
        ["stack:core"],
        ["stack:child"],
        ["stack:core"],
        ["stack:child"],
    ]


def test_a_project_without_a_ledger_records_nothing(tmp_path: Path) -> None:
    run = run_of(make_project(tmp_path))
    assert run.ledger is None
    run.end(run.begin())


def test_changed_locks_are_committed_where_that_is_wanted(run: NightRun, monkeypatch: pytest.MonkeyPatch) -> None:
    require_tool("git")
    root = run.project.root
    for name in ("GIT_CONFIG_GLOBAL", "GIT_CONFIG_SYSTEM"):
        monkeypatch.setenv(name, "/dev/null")

    def git(*words: str) -> str:
        who = ("-c", "user.name=a", "-c", "user.email=a@example.org")
        return subprocess.run(["git", "-C", str(root), *who, *words], capture_output=True, text=True, check=True).stdout

    run.project.save_lock(run.project.stack_lock_path("core"), b"old\n")
    git("init", "--quiet", "--initial-branch=main")
    git("config", "user.name", "a")
    git("config", "user.email", "a@example.org")
    git("add", "stacks", "locks")
    git("commit", "--quiet", "-m", "first")
    committing = replace(run, branch="nightly/{night}")
    name = committing.begin()
    run.project.save_lock(run.project.stack_lock_path("core"), b"new\n")
    committing.end(name)
    assert git("show", f"nightly/{name}:locks/pylock.core.toml") == "new\n"
    assert git("log", "--format=%s", "main").split() == ["first"]


def test_locks_of_workers_without_a_common_folder_are_not_committed(run: NightRun) -> None:
    away = replace(run, branch="", ledger=ServiceAddress("https://ledger.example.org"))
    with pytest.raises(InvalidInputError, match=r"locks\.patch"):
        away.begin()
