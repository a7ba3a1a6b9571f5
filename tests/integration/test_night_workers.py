"""A night by workers that share nothing but the ledger's service: to the digests of one machine, whoever is killed."""

from __future__ import annotations

import os
import random
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from builder.ledger.check import check_ledger
from builder.ledger.database import SqliteLedger
from builder.nightly.model import Night, Result, Step
from builder.project import open_project
from builder.usecase.night import Task
from builder.usecase.segments import recorded_set
from builder.wiring.night_tasks import tasks_by_generation
from builder.wiring.nights import Nights
from tests.support.filled_store import borrow_cache
from tests.support.index_project import IndexProject
from tests.support.index_server import Said
from tests.support.ledgers import Ticking
from tests.support.night_project import GOOD, built_indexes, make_night_project, serve_night_index
from tests.support.registries import SmallRegistry
from tests.support.service import Served, serve_workers
from tests.support.tools import ROOT

pytestmark = [pytest.mark.network, pytest.mark.slow]

SEED = int(os.environ.get("KILL_SEED") or random.SystemRandom().randrange(1_000_000))


@dataclass(kw_only=True)
class Team:
    """Workers, each with a project, a cache and builds of its own; one after another takes a task."""

    workers: tuple[IndexProject, ...]
    hub: Path
    service: Served
    turn: int = 0

    def start(self, *words: str) -> subprocess.Popen[str]:
        worker = self.workers[self.turn % len(self.workers)]
        self.turn += 1
        argv = [sys.executable, "-m", "tests.support.night_worker", str(worker.folder), self.service.url, *words]
        environment = {**worker.environment(), **self.service.environment}
        return subprocess.Popen(
            argv, cwd=ROOT, env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )

    def run(self, *words: str) -> tuple[int, str, str]:
        process = self.start(*words)
        out, err = process.communicate(timeout=120)
        return process.returncode, out.strip(), err

    def begin(self) -> str:
        status, name, err = self.run("begin")
        assert status == 0, err
        return name

    def tasks(self) -> tuple[Task, ...]:
        made = tasks_by_generation(open_project(self.workers[0].folder))
        return tuple(task for generation in made for task in generation)

    def night_by(self, worker: int) -> Night:
        """Run a night by one of the workers alone."""
        self.turn = worker
        name = self.begin()
        for words in (*(("do", name, task.node, *task.steps) for task in self.tasks()), ("end", name)):
            self.turn = worker
            self.run(*words)
        return self.night(name)

    def night(self, name: str) -> Night:
        return Nights(root=self.hub / "nights").read(name)

    def file(self, name: str, file: str) -> str:
        return (self.hub / "nights" / name / file).read_text()

    def indexes(self) -> dict[str, Any]:
        """Find the images that workers made: of a stack that several built, all are the same."""
        found: dict[str, Any] = {}
        for stack in GOOD:
            made = [
                (worker.folder / f"build/{stack}/index.json").read_bytes()
                for worker in self.workers
                if (worker.folder / f"build/{stack}/index.json").exists()
            ]
            assert len(set(made)) == 1, stack
            [worker] = [one for one in self.workers if (one.folder / f"build/{stack}/index.json").exists()][:1]
            found |= {stack: built_index(worker, stack)}
        return found

    def recorded(self) -> Counter[tuple[str, str]]:
        with SqliteLedger(self.hub / "ledger.db", Ticking(), write=False) as ledger:
            return Counter((entry.kind, str(entry.data.get("stack", ""))) for entry in ledger.entries())


def built_index(worker: IndexProject, stack: str) -> Any:
    import json

    return json.loads((worker.folder / f"build/{stack}/index.json").read_bytes())


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[IndexProject, IndexProject, Any]]:
    """A project as it is committed, the same after a night on one machine, and the index that both ask."""
    root = tmp_path_factory.mktemp("alone")
    with serve_night_index() as index:
        committed = make_night_project(root / "committed", index, borrow_cache(root / "cache"))
        done = replace(committed, folder=root / "done")
        shutil.copytree(committed.folder, done.folder)
        done.run("nightly", status=1)
        yield committed, done, index


@contextmanager
def open_team(root: Path, committed: IndexProject, workers: int = 2) -> Iterator[Team]:
    hub = root / "hub"
    hub.mkdir(parents=True)
    shutil.move(shutil.copy(committed.folder / "ledger.db", root / "ledger.db"), hub / "ledger.db")
    made = []
    for number in range(workers):
        folder = root / f"worker-{number}"
        shutil.copytree(committed.folder, folder, ignore=shutil.ignore_patterns("ledger.db*"))
        settings: Mapping[str, str] = borrow_cache(root / f"cache-{number}")
        made.append(replace(committed, folder=folder).with_settings(**settings))
    with serve_workers(hub / "ledger.db") as service:
        yield Team(workers=tuple(made), hub=hub, service=service)


def results(night: Night) -> dict[tuple[str, Step], Result]:
    return {key: done.result for key, done in night.latest().items()}


def last_night(project: IndexProject) -> Night:
    nights = Nights(root=project.folder / "build/nights")
    return nights.read(nights.names()[-1])


def test_a_night_by_two_workers_is_that_of_one_machine(
    tmp_path: Path, alone: tuple[IndexProject, IndexProject, Any]
) -> None:
    committed, done, _ = alone
    with open_team(tmp_path, committed) as team:
        name = team.begin()
        for task in team.tasks():
            team.run("do", name, task.node, *task.steps)
        assert team.run("end", name)[0] == 1
        assert team.indexes() == built_indexes(done)
        assert results(team.night(name)) == results(last_night(done))
        assert "finance" in team.file(name, "report.md")
        assert not any((worker.folder / "ledger.db").exists() for worker in team.workers)

        # The next night: other hands, the same digests, and the record says so.
        again = team.begin()
        team.turn += 1
        for task in team.tasks():
            team.run("do", again, task.node, *task.steps)
        team.run("end", again)
        for stack in GOOD:
            assert team.night(again).latest()[f"stack:{stack}", Step.BUILD].result is Result.UNCHANGED
        assert check_ledger(team.hub / "ledger.db", documents=True).problems == ()


def test_whoever_is_killed_the_digests_are_the_same_and_nothing_is_on_record_twice(
    tmp_path: Path, alone: tuple[IndexProject, IndexProject, Any], record_property: Callable[[str, object], None]
) -> None:
    committed, done, _ = alone
    chance = random.Random(SEED)  # noqa: S311  moments to kill at
    record_property("KILL_SEED", SEED)
    with open_team(tmp_path, committed, workers=3) as team:
        kill(team, chance, "begin")
        name = team.begin()
        for task in team.tasks():
            words = ("do", name, task.node, *task.steps)
            kill(team, chance, *words)
            if chance.random() < 0.3:
                # One that nobody believed to live any more comes back, beside its successor.
                zombie = team.start(*words)
                team.run(*words)
                zombie.communicate(timeout=120)
            else:
                team.run(*words)
        kill(team, chance, "end", name)
        assert team.run("end", name)[0] == 1
        assert team.indexes() == built_indexes(done)
        counts = team.recorded()
        assert {
            key: count
            for key, count in counts.items()
            if count > 1 and key[0] in {"lock", "build", "push", "test", "night"}
        } == {}
        assert {stack for kind, stack in counts if kind == "build"} == set(GOOD)
        assert check_ledger(team.hub / "ledger.db", documents=True).problems == ()


def kill(team: Team, chance: random.Random, *words: str) -> None:
    """Start what a worker does, and kill it after a while."""
    process = team.start(*words)
    try:
        process.communicate(timeout=chance.uniform(0.2, 1.5))
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()


def test_a_service_that_is_away_for_a_while_is_waited_for(
    tmp_path: Path, alone: tuple[IndexProject, IndexProject, Any]
) -> None:
    committed, _, _ = alone
    with open_team(tmp_path, committed, workers=1) as team:
        name = team.begin()
        first, *_ = team.tasks()
        team.service.process.kill()
        team.service.process.wait()
        waiting = team.start("do", name, first.node, *first.steps)
        port = int(team.service.url.rpartition(":")[2])
        with serve_workers(team.hub / "ledger.db", port=port):
            assert waiting.wait(60) == 0, waiting.communicate()
            waiting.communicate()
        assert team.night(name).latest()[first.node, first.steps[0]].result is Result.DONE


def test_a_worker_without_a_token_is_told_where_to_put_one(
    tmp_path: Path, alone: tuple[IndexProject, IndexProject, Any]
) -> None:
    committed, _, _ = alone
    with open_team(tmp_path, committed, workers=1) as team:
        status, _, err = replace(team, service=replace(team.service, token="another")).run("begin")  # noqa: S106  made up
        assert status == 1
        assert "AIRFLOW_KUBLER_TOKEN" in err
        said = committed.with_settings(**team.service.environment).run("log", "finance", status=1)
        assert "finance" in said.flat


def test_what_one_worker_compiled_another_with_an_empty_cache_takes_from_the_registry(
    tmp_path: Path, alone: tuple[IndexProject, IndexProject, Any]
) -> None:
    committed, done, index = alone
    with SmallRegistry() as registry, open_team(tmp_path, committed) as team:
        for worker in team.workers:
            settings = worker.folder / "stacks/nightly.toml"
            pushed = f'repository = "{registry.host}/team/airflow"\nsegments = "{registry.host}/team/segments"\n'
            settings.write_text(settings.read_text() + pushed)
        built = facts_of(team.night_by(0), Step.BUILD)
        assert {
            name for name, facts in built.items() if facts.get("segments") and "segments_taken" not in facts
        } == set(GOOD)
        assert team.indexes() == built_indexes(done)
        pins = {stack: recorded_set(team.workers[0].folder / "locks", stack) for stack in GOOD}
        assert None not in pins.values()

        index.offer("gamma", "1.1", said=Said(metadata=True))
        night = team.night_by(1)
        assert facts_of(night, Step.LOCK)["child"]["moves"] == [{"name": "gamma", "before": "1.0", "after": "1.1"}]
        assert facts_of(night, Step.BUILD)["finance"]["segments_taken"] > 1
        assert night.latest()["stack:finance", Step.BUILD].result is Result.UNCHANGED
        # The pins of the night before came by way of the service: they are in nobody's git yet.
        after = {stack: recorded_set(team.workers[1].folder / "locks", stack) for stack in GOOD}
        assert {stack for stack in GOOD if after[stack] != pins[stack]} == {"child"}


def facts_of(night: Night, step: Step) -> dict[str, Mapping[str, Any]]:
    return {node.partition(":")[2]: done.facts for (node, which), done in night.latest().items() if which is step}
