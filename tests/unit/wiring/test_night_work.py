"""The work of a night on a project: what of it stands when the night is gone on with."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import pytest

from builder.digest import Digest
from builder.lock.base import dump_base_lock
from builder.nightly.model import Begun, Result, Step, StepDone
from builder.nightly.settings import NightSettings
from builder.platform import AMD64
from builder.project import Project
from builder.usecase.night_facts import find_base_before, find_before
from builder.wiring.nightly import ProjectWork
from tests.support.ledgers import make_ledger
from tests.support.lock_world import AIRFLOW_STACK, CHILD_STACK, World, make_project
from tests.support.tiny_image import write_tiny_image

FINISHED = (Step.TEST, Step.SCAN, Step.PUSH, Step.CHANNELS)


class Desk:
    """A project, what it is locked from, and a night's work on it."""

    def __init__(self, root: Path, later: ExitStack) -> None:
        self.world = World()
        self.project: Project = make_project(root / "project", core=AIRFLOW_STACK, child=CHILD_STACK)
        self.ledger = root / "ledger.db"
        make_ledger(self.ledger)
        self.later = later
        self.base_version = ""

    def work(self, begun: Begun | None = None) -> ProjectWork:
        return ProjectWork(
            project=self.project,
            settings=NightSettings(),
            begun=begun or self.begun(),
            tools=replace(self.world.tools(self.project), lock_base=self.lock_base),
            later=self.later,
            ledger=self.ledger,
            jobs=1,
            gates={},
        )

    def begun(self) -> Begun:
        return Begun(
            night="20261130.1",
            at=1,
            by="a@b",
            before=find_before(self.project, None, ["core", "child"]),
            refreshed=find_base_before(self.project, ["trixie"]),
        )

    def lock_base(self, name: str) -> bytes:
        lock = self.world.base_lock(self.project, name)
        version = self.base_version or lock.debs[0].version
        return dump_base_lock(replace(lock, debs=tuple(replace(deb, version=version) for deb in lock.debs)))


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    with ExitStack() as later:
        yield Desk(tmp_path, later)


def write_image(desk: Desk, stack: str = "core") -> str:
    image = write_tiny_image(desk.project.root / "build" / stack, AMD64.machine)
    index = json.loads((image.layout / "index.json").read_bytes())
    digest: str = index["manifests"][0]["digest"]
    return digest


def test_a_base_and_a_lock_stand_while_their_bytes_do(desk: Desk) -> None:
    work = desk.work()
    refreshed, locked = work.do("base:trixie", Step.REFRESH), work.do("stack:core", Step.LOCK)
    assert (refreshed.result, locked.result) == (Result.DONE, Result.DONE)
    assert work.stands(refreshed)
    assert work.stands(locked)
    for path in (desk.project.base_lock_path("trixie"), desk.project.stack_lock_path("core")):
        path.write_bytes(path.read_bytes() + b"\n")
    assert not work.stands(refreshed)
    assert not work.stands(locked)
    desk.project.stack_lock_path("core").unlink()
    assert not work.stands(locked)


def test_an_image_stands_while_it_is_there_and_its_lock_is_as_it_was(desk: Desk) -> None:
    work = desk.work()
    work.do("stack:core", Step.LOCK)
    digest = write_image(desk)
    lock = str(Digest.of(desk.project.stack_lock_path("core").read_bytes()))
    built = StepDone(node="stack:core", step=Step.BUILD, result=Result.DONE, key=digest, facts={"lock": lock})
    assert work.stands(built)
    assert not work.stands(replace_key(built, "sha256:" + "0" * 64))
    path = desk.project.stack_lock_path("core")
    path.write_bytes(path.read_bytes() + b"\n")
    assert not work.stands(built)


@pytest.mark.parametrize("step", FINISHED)
def test_what_was_done_with_an_image_stands_while_it_is_the_one(desk: Desk, step: Step) -> None:
    work, digest = desk.work(), write_image(desk)
    done = StepDone(node="stack:core", step=step, result=Result.DONE, key=digest)
    assert work.stands(done)
    (desk.project.root / "build/core/index.json").unlink()
    assert not work.stands(done)


@pytest.mark.parametrize("step", FINISHED)
def test_a_step_that_nothing_asks_for_stands_and_is_not_noted_again(desk: Desk, step: Step) -> None:
    work, digest = desk.work(), write_image(desk)
    done = work.do("stack:core", step)
    assert (done.result, done.key) == (Result.SKIPPED, digest)
    assert work.stands(done)


def test_moves_are_told_though_a_kill_came_after_the_locks_were_written(desk: Desk) -> None:
    first = desk.work()
    first.do("base:trixie", Step.REFRESH)
    first.do("stack:core", Step.LOCK)
    desk.world.offers["alpha"], desk.base_version = "2.0", "6"
    begun = desk.begun()
    expected = [
        desk.work(begun).do(node, step) for node, step in (("base:trixie", Step.REFRESH), ("stack:core", Step.LOCK))
    ]
    again = [
        desk.work(begun).do(node, step) for node, step in (("base:trixie", Step.REFRESH), ("stack:core", Step.LOCK))
    ]
    assert [one.facts["moves"] for one in expected] == [
        [{"name": "bash", "before": "5", "after": "6"}],
        [{"name": "alpha", "before": "1.0", "after": "2.0"}],
    ]
    assert [(one.result, one.key, one.facts["moves"]) for one in again] == [
        (one.result, one.key, one.facts["moves"]) for one in expected
    ]
    assert [one.result for one in again] == [Result.DONE, Result.DONE]


def replace_key(done: StepDone, key: str) -> StepDone:
    return StepDone(node=done.node, step=done.step, result=done.result, key=key, facts=done.facts)
