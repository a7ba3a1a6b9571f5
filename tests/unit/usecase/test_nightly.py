"""A night is over once it is reported, and not before: a kill in between costs the report, never the work."""

from __future__ import annotations

from pathlib import Path

import pytest

from builder.nightly.model import Begun, Night, Result, Step, StepDone
from builder.usecase.night import make_tasks
from builder.usecase.nightly import Run, begin, carry_out
from builder.wiring.nights import Nights


class CountingWork:
    """Does everything at once, and counts."""

    def __init__(self) -> None:
        self.count = 0

    def do(self, node: str, step: Step) -> StepDone:
        self.count += 1
        return StepDone(node=node, step=step, result=Result.UNCHANGED)

    def stands(self, done: StepDone) -> bool:
        del done
        return True


def run(nights: Nights, work: CountingWork, closed: list[Night], *, dies: bool = False) -> Night:
    night, _ = begin(nights, "20261130", lambda name: Begun(night=name, at=1, by="a@b"))

    def close(over: Night) -> None:
        closed.append(over)
        if dies:
            raise KeyboardInterrupt

    tasks = make_tasks((), {"core": ("trixie", "")})
    return carry_out(nights, night, tasks, work, Run(now=lambda: 7, close=close))


def test_a_night_that_is_over_is_closed_once_and_the_next_one_is_new(tmp_path: Path) -> None:
    nights, closed = Nights(root=tmp_path), list[Night]()
    first, second = (run(nights, CountingWork(), closed) for _ in range(2))
    assert (first.begun.night, second.begun.night) == ("20261130.1", "20261130.2")
    assert closed == [first, second]
    assert first.ended == 7
    assert nights.unfinished() is None


def test_a_night_that_dies_while_it_is_closed_is_closed_again_and_nothing_is_done_twice(tmp_path: Path) -> None:
    nights, closed = Nights(root=tmp_path), list[Night]()
    first, second = CountingWork(), CountingWork()
    with pytest.raises(KeyboardInterrupt):
        run(nights, first, closed, dies=True)
    night = run(nights, second, closed)
    assert (first.count, second.count) == (6, 0)
    assert [one.begun.night for one in closed] == ["20261130.1", "20261130.1"]
    assert closed[0].steps == closed[1].steps == night.steps
