"""Tasks of a night done one by one, each knowing of the others what is written down alone."""

from __future__ import annotations

import random
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from builder.errors import BuildError
from builder.nightly.model import Begun, Night, Result, Step, StepDone
from builder.usecase.night import IMAGE_STEPS, NightRoom, Task, generations, make_tasks, run_night, run_task

STACKS = {"core": ("trixie", ""), "aws": ("trixie", "core"), "zoo": ("trixie", "aws"), "legacy": ("bookworm", "")}
TASKS = make_tasks(("bookworm", "trixie"), STACKS)


@dataclass
class FakeWork:
    """Does nothing, or fails where it is told to; keeps what it did."""

    fails: frozenset[tuple[str, Step]] = frozenset()
    did: list[tuple[str, Step]] = field(default_factory=list)

    def do(self, node: str, step: Step) -> StepDone:
        self.did.append((node, step))
        if (node, step) in self.fails:
            raise BuildError("is broken", context=node)
        return StepDone(node=node, step=step, result=Result.DONE, key="k")

    def stands(self, done: StepDone) -> bool:
        return done.key == "k"


def lock(name: str) -> Task:
    return Task(f"stack:{name}", (Step.LOCK,))


def image(name: str) -> Task:
    return Task(f"stack:{name}", IMAGE_STEPS)


def night(*steps: StepDone) -> Night:
    return Night(begun=Begun(night="20261130.1", at=1, by="a@b"), steps=steps)


def do(work: FakeWork, written: list[StepDone], task: Task) -> tuple[StepDone, ...]:
    return run_task(TASKS, task, night(*written), NightRoom(work=work, write=written.append, now=lambda: 0.0))


def do_all(work: FakeWork) -> list[StepDone]:
    written: list[StepDone] = []
    for tasks in generations(TASKS):
        for task in tasks:
            do(work, written, task)
    return written


def results(steps: list[StepDone] | tuple[StepDone, ...]) -> dict[tuple[str, Step], Result]:
    return {(one.node, one.step): one.result for one in steps}


def test_generations_are_bases_then_locks_and_images_by_parents() -> None:
    assert [[(task.node, task.steps[0]) for task in tasks] for tasks in generations(TASKS)] == [
        [("base:bookworm", Step.REFRESH), ("base:trixie", Step.REFRESH)],
        [("stack:core", Step.LOCK), ("stack:legacy", Step.LOCK)],
        [("stack:aws", Step.LOCK)],
        [("stack:zoo", Step.LOCK)],
        [("stack:core", Step.BUILD), ("stack:legacy", Step.BUILD)],
        [("stack:aws", Step.BUILD)],
        [("stack:zoo", Step.BUILD)],
    ]


def test_a_night_of_nothing_has_no_generations() -> None:
    assert generations(make_tasks((), {})) == ()


@given(st.randoms(use_true_random=False))
def test_each_task_stands_on_earlier_generations_alone(chance: random.Random) -> None:
    names = [f"s{number}" for number in range(12)]
    stacks = {name: ("b", chance.choice(["", *names[:number]])) for number, name in enumerate(names)}
    tasks = make_tasks(("b",), stacks)
    found = generations(tasks)
    place = {task: number for number, row in enumerate(found) for task in row}
    assert set(place) == set(tasks)
    assert all(place[before] < place[after] for before, after in tasks.edges)
    assert all(len({task.steps for task in row}) == 1 for row in found)


@pytest.mark.parametrize(
    "failing",
    [
        (),
        (("base:trixie", Step.REFRESH),),
        (("stack:core", Step.LOCK),),
        (("stack:aws", Step.BUILD),),
        (("stack:core", Step.TEST), ("stack:aws", Step.LOCK)),
        (("stack:core", Step.SCAN),),
        (("stack:core", Step.PUSH), ("base:bookworm", Step.REFRESH)),
    ],
)
def test_tasks_by_themselves_come_out_as_one_night(failing: tuple[tuple[str, Step], ...]) -> None:
    fails = frozenset(failing)
    whole = run_night(TASKS, night(), NightRoom(work=FakeWork(fails), write=lambda _: None))
    assert results(do_all(FakeWork(fails))) == results(whole)


def test_a_task_that_is_done_twice_does_nothing_the_second_time() -> None:
    written = do_all(FakeWork())
    again = FakeWork()
    assert [do(again, written, task) for tasks in generations(TASKS) for task in tasks] == [()] * 10
    assert again.did == []


def test_a_killed_task_goes_on_after_its_last_step() -> None:
    written = [one for one in do_all(FakeWork()) if (one.node, one.step) < ("stack:zoo", Step.TEST)]
    written = [one for one in written if one.node != "stack:zoo" or one.step in {Step.LOCK, Step.BUILD}]
    work = FakeWork()
    do(work, written, image("zoo"))
    assert work.did == [("stack:zoo", step) for step in IMAGE_STEPS[1:]]


def test_a_task_is_held_by_one_that_was_killed_and_says_so() -> None:
    written: list[StepDone] = []
    do(FakeWork(), written, Task("base:trixie", (Step.REFRESH,)))
    work = FakeWork()
    [held] = do(work, written, image("core"))
    assert held.result is Result.HELD
    assert held.reason == "stands on stack core, whose lock has not ended"
    assert work.did == []


def test_a_scan_that_was_killed_holds_nobody() -> None:
    written = [one for one in do_all(FakeWork()) if (one.node, one.step) != ("stack:core", Step.SCAN)]
    assert do(FakeWork(), written, image("aws")) == ()


def test_what_was_held_is_done_once_what_held_it_came_out() -> None:
    written = do_all(FakeWork(frozenset({("stack:core", Step.LOCK)})))
    work = FakeWork()
    do(work, written, lock("core"))
    [held] = do(work, written, lock("zoo"))
    assert held.reason == "stands on stack aws, which was held"
    for tasks in generations(TASKS):
        for task in tasks:
            do(work, written, task)
    assert set(results(written).values()) == {Result.DONE}
