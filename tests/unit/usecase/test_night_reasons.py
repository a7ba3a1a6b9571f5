"""A night's plan: what moved and why each stack would be locked again; nothing is resolved, nothing written."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from builder.digest import Digest
from builder.lock.base import dump_base_lock
from builder.project import Project
from builder.usecase.lock import lock_stacks
from builder.usecase.lock_model import LockOptions, LockTools
from builder.usecase.night_plan import NightPlan, plan_night
from tests.support.lock_world import AIRFLOW_STACK, CHILD_STACK, World, make_project

UPGRADE = LockOptions(upgrade=True)
OTHER_STACK = AIRFLOW_STACK.replace('["alpha"]', '["gamma"]')


class Evening:
    """A project of three stacks, settled by nights before."""

    def __init__(self, root: Path) -> None:
        self.world = World(offers={"apache-airflow": "3.3.2", "alpha": "1.0", "beta": "1.0", "gamma": "1.0"})
        self.project: Project = make_project(root, core=AIRFLOW_STACK, child=CHILD_STACK, other=OTHER_STACK)
        self.base_version = ""

    def settle(self) -> None:
        for _ in range(2):
            lock_stacks(self.project, self.tools(), (), UPGRADE)

    def tools(self) -> LockTools:
        return replace(self.world.tools(self.project), lock_base=self.lock_base, program="ours 1")

    def lock_base(self, name: str) -> bytes:
        lock = self.world.base_lock(self.project, name)
        if self.base_version:
            lock = replace(lock, debs=tuple(replace(deb, version=self.base_version) for deb in lock.debs))
        return dump_base_lock(lock)

    def plan(self, *names: str) -> NightPlan:
        self.world.requests.clear()
        before = self.files()
        found = plan_night(self.project, self.tools(), UPGRADE, bases=["trixie"], names=names)
        assert self.files() == before
        assert self.world.requests == []
        return found

    def reasons(self, *names: str) -> dict[str, tuple[str, ...]]:
        return {stack.name: stack.reasons for stack in self.plan(*names).stacks}

    def files(self) -> dict[Path, Digest]:
        return {path: Digest.of(path.read_bytes()) for path in self.project.root.rglob("*") if path.is_file()}


@pytest.fixture
def evening(tmp_path: Path) -> Evening:
    made = Evening(tmp_path)
    made.settle()
    return made


def test_where_nothing_moved_the_plan_is_empty(evening: Evening) -> None:
    plan = evening.plan()
    assert plan.is_empty
    assert {stack.name for stack in plan.stacks} == {"core", "child", "other"}


def test_a_release_names_the_stacks_that_looked_at_its_project_and_their_children(evening: Evening) -> None:
    evening.world.offers["alpha"] = "2.0"
    assert evening.reasons() == {
        "core": ("indexes say something new of alpha",),
        "child": ("its parent core would be locked again",),
        "other": (),
    }


def test_a_moved_deb_names_all_stacks_on_the_base_with_the_versions(evening: Evening) -> None:
    evening.base_version = "6"
    plan = evening.plan()
    assert not plan.is_empty
    [base] = plan.bases
    assert (base.changed, base.moves) == (True, [{"name": "bash", "before": "5", "after": "6"}])
    assert {stack.reasons[0] for stack in plan.stacks} == {"base trixie moves: bash"}


def test_a_changed_stack_file_is_a_reason_without_asking_indexes(evening: Evening) -> None:
    path = evening.project.root / "stacks/other/stack.toml"
    path.write_text(path.read_text().replace("gamma", "beta"))
    found = evening.reasons()
    assert found["other"]
    assert (found["core"], found["child"]) == ((), ())


def test_a_lock_that_was_just_made_is_not_known_to_be_settled(tmp_path: Path) -> None:
    evening = Evening(tmp_path)
    lock_stacks(evening.project, evening.tools(), (), UPGRADE)
    reason = "it has not been locked by these rules since it last changed"
    assert evening.reasons()["other"] == (reason,)


def test_a_plan_of_named_stacks_is_of_these_alone(evening: Evening) -> None:
    evening.world.offers["alpha"] = "2.0"
    assert evening.reasons("other") == {"other": ()}
