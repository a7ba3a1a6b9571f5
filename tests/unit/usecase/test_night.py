"""A night's tasks: parents first, a failure stops what stands on it and nothing else, what is finished is not done again."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from builder.errors import BuildError
from builder.nightly.model import Begun, Night, Result, Step, StepDone
from builder.usecase.night import IMAGE_STEPS, NightRoom, make_tasks, run_night

STACKS = {"core": ("trixie", ""), "aws": ("trixie", "core"), "zoo": ("trixie", "aws"), "legacy": ("bookworm", "")}
BASES = ("bookworm", "trixie")
ALL = {("base:" + name, Step.REFRESH) for name in BASES} | {
    (f"stack:{name}", step) for name in STACKS for step in (Step.LOCK, *IMAGE_STEPS)
}


@dataclass
class FakeWork:
    """Does nothing, or fails where it is told to; keeps what it did."""

    fails: frozenset[tuple[str, Step]] = frozenset()
    standing: bool = True
    error: Exception | None = None
    did: list[tuple[str, Step]] = field(default_factory=list)
    turn: threading.Lock = field(default_factory=threading.Lock)
    locking: int = 0

    def do(self, node: str, step: Step) -> StepDone:
        with self.turn:
            self.did.append((node, step))
            if step in {Step.LOCK, Step.REFRESH}:
                self.locking += 1
                assert self.locking == 1
        try:
            if (node, step) in self.fails:
                raise self.error or BuildError("is broken", context=node)
            return StepDone(node=node, step=step, result=Result.DONE, key="k")
        finally:
            if step in {Step.LOCK, Step.REFRESH}:
                with self.turn:
                    self.locking -= 1

    def stands(self, done: StepDone) -> bool:
        return self.standing and done.key == "k"


def night(*steps: StepDone) -> Night:
    return Night(begun=Begun(night="20261130.1", at=1, by="a@b"), steps=steps)


def run(work: FakeWork, before: Night | None = None, workers: int = 4) -> tuple[StepDone, ...]:
    written: list[StepDone] = []
    done = run_night(
        make_tasks(BASES, STACKS), before or night(), NightRoom(work=work, write=written.append, workers=workers)
    )
    assert sorted(map(repr, done)) == sorted(map(repr, written))
    return done


def results(steps: tuple[StepDone, ...]) -> Mapping[tuple[str, Step], Result]:
    return {(one.node, one.step): one.result for one in steps}


def test_all_is_done_once_in_order() -> None:
    work = FakeWork()
    done = run(work)
    assert set(work.did) == ALL
    assert len(work.did) == len(ALL)
    place = {key: number for number, key in enumerate((one.node, one.step) for one in done)}
    for name, (base, parent) in STACKS.items():
        node = f"stack:{name}"
        assert place[f"base:{base}", Step.REFRESH] < place[node, Step.LOCK] < place[node, Step.BUILD]
        assert [place[node, step] for step in IMAGE_STEPS] == sorted(place[node, step] for step in IMAGE_STEPS)
        if parent:
            assert place[f"stack:{parent}", Step.LOCK] < place[node, Step.LOCK]
            assert place[f"stack:{parent}", Step.CHANNELS] < place[node, Step.BUILD]


@pytest.mark.parametrize(
    ("node", "step", "held"),
    [
        ("base:trixie", Step.REFRESH, {"core", "aws", "zoo"}),
        ("stack:core", Step.LOCK, {"core", "aws", "zoo"}),
        ("stack:aws", Step.BUILD, {"zoo"}),
        ("stack:core", Step.TEST, {"aws", "zoo"}),
        ("stack:zoo", Step.PUSH, set[str]()),
        ("stack:core", Step.SCAN, set[str]()),
    ],
)
def test_a_failure_stops_what_stands_on_it_and_nothing_else(node: str, step: Step, held: set[str]) -> None:
    done = run(FakeWork(fails=frozenset({(node, step)})))
    found = results(done)
    assert found[node, step] is Result.FAILED
    assert {one.node.partition(":")[2] for one in done if one.result is Result.HELD} == held
    assert found["stack:legacy", Step.CHANNELS] is Result.DONE
    reasons = [one.reason for one in done if one.result is Result.HELD]
    assert all(f"whose {step} failed" in reason for reason in reasons)


def test_a_failed_scan_does_not_keep_channels_from_being_asked() -> None:
    found = results(run(FakeWork(fails=frozenset({("stack:core", Step.SCAN)}))))
    assert found["stack:core", Step.CHANNELS] is Result.DONE


def test_a_defect_is_told_as_one_and_stops_no_other_stack() -> None:
    done = run(FakeWork(fails=frozenset({("stack:core", Step.BUILD)}), error=ZeroDivisionError("x")))
    [failed] = [one for one in done if one.result is Result.FAILED]
    assert failed.reason == "this is a defect, please report it: ZeroDivisionError: x"
    assert results(done)["stack:legacy", Step.CHANNELS] is Result.DONE


def test_an_interrupt_ends_the_night() -> None:
    with pytest.raises(KeyboardInterrupt):
        run(FakeWork(fails=frozenset({("stack:core", Step.LOCK)}), error=KeyboardInterrupt()))  # type: ignore[arg-type]


@given(st.integers(0, len(ALL)), st.integers(1, 4))
def test_what_ended_before_a_kill_is_not_done_again(killed_after: int, workers: int) -> None:
    first = run(FakeWork(), workers=workers)
    kept = first[:killed_after]
    work = FakeWork()
    later = run(work, night(*kept), workers=workers)
    assert set(work.did) == ALL - {(one.node, one.step) for one in kept}
    assert results((*kept, *later)) == results(first)


def test_what_does_not_stand_any_more_is_done_again() -> None:
    first = run(FakeWork())
    work = FakeWork(standing=False)
    run(work, night(*first))
    assert set(work.did) == ALL


@pytest.mark.parametrize("result", [Result.FAILED, Result.HELD, Result.WAITING])
def test_what_failed_or_waited_is_tried_again(result: Result) -> None:
    work = FakeWork()
    run(work, night(StepDone(node="stack:legacy", step=Step.CHANNELS, result=result, key="k")))
    assert ("stack:legacy", Step.CHANNELS) in work.did
