from __future__ import annotations

from functools import partial

import pytest

from builder.resolve.core import Budget
from builder.resolve.problem import Demand, Kind, Problem, Solved
from builder.usecase.behind import count_steps, find_behind, is_far, is_unbounded
from builder.usecase.lock_model import Behind, Hold
from tests.support.small_universe import ExhaustiveSolver, Universe, make_problem
from tests.support.synthetic_offers import SyntheticOffers

SNOW = {f"6.{minor}.0": (["sqla<2.1"] if minor > 5 else []) for minor in range(21)}
UNIVERSE: Universe = {
    "apache-airflow": {"3.3.2": []},
    "snow": SNOW,
    "sqla": {"2.1.3": [], "2.0.5": []},
    "alch": {"1.0": ["sqla>=2.1"]},
    "caps": {"1.0": ["snow<6.10"]},
}


_problem = partial(make_problem, airflow="3.3.2")


def look(problem: Problem, universe: Universe = UNIVERSE, solves: int = 30) -> tuple[tuple[Behind, ...], int]:
    """Find what is behind, and count what that cost."""
    solver = ExhaustiveSolver(universe)
    solved = solver.solve(problem)
    assert isinstance(solved, Solved)
    before = len(solver.asked)
    found = find_behind(problem, solved, SyntheticOffers(universe), solver, Budget(solves=solves))
    return found, len(solver.asked) - before


def test_nothing_behind_costs_nothing() -> None:
    assert look(_problem("snow", "sqla<2.1")) == ((), 0)


def test_what_is_bounded_on_purpose_is_not_told() -> None:
    assert look(_problem("snow<6.3")) == ((), 0)


def test_a_far_one_is_told_with_the_knot_that_holds_it() -> None:
    (found,), _ = look(_problem("snow", "alch"))
    assert (found.project, found.chosen, found.newest, found.steps) == ("snow", "6.5.0", "6.20.0", "15 minors")
    assert found.blocker == "snow 6.20.0 requires sqla<2.1; alch 1.0 requires sqla>=2.1"
    assert found.hold is Hold.CANDIDATE


def test_a_requirement_of_a_candidate_is_told_without_a_resolution() -> None:
    (found,), solves = look(_problem("caps", "snow", "sqla<2.1"))
    assert found.blocker == "caps 1.0 requires snow<6.10"
    assert solves == 0


@pytest.mark.parametrize(
    ("problem", "hold", "blocker"),
    [
        (_problem("snow", pinned={"snow": "6.1.0"}), Hold.PARENT, "parent core pins snow==6.1.0"),
        (_problem("snow", tested={"snow": "6.1.0"}), Hold.TESTED, "the tested set pins snow==6.1.0"),
    ],
    ids=["parent", "tested"],
)
def test_a_pin_is_told_without_a_resolution(problem: Problem, hold: Hold, blocker: str) -> None:
    (found,), solves = look(problem)
    assert (found.hold, found.blocker, solves) == (hold, blocker, 0)


def test_where_nothing_but_the_resolvers_order_held_it_back_that_is_said() -> None:
    (found,), _ = look(_problem("sqla", "snow"))
    assert found.hold is Hold.ORDER
    assert found.blocker == "nothing but sqla 2.1.3 -> 2.0.5"


def test_what_the_lock_before_kept_is_said_as_that() -> None:
    problem = _problem("snow", "sqla<2.1").preferring([("snow", "6.4.0")])
    (found,), _ = look(problem)
    assert found.blocker == "nothing but the lock before: --upgrade-package moves it"


def test_a_near_one_is_told_without_looking_for_a_blocker() -> None:
    universe = {**UNIVERSE, "near": {"1.2.0": ["sqla<2.1"], "1.1.0": []}}
    (found,), solves = look(_problem("sqla", "near"), universe)
    assert (found.steps, found.blocker, solves) == ("1 minor", None, 0)


def test_a_spent_budget_leaves_the_blocker_out() -> None:
    (found,), solves = look(_problem("snow", "alch"), solves=0)
    assert (found.blocker, solves) == (None, 0)


@pytest.mark.parametrize(
    ("chosen", "newest", "steps", "far"),
    [
        ("6.5.0", "6.20.0", "15 minors", True),
        ("6.19.0", "6.20.0", "1 minor", False),
        ("6.20.0", "7.0", "1 major", True),
        ("6.20.0", "6.20.2", "2 patches", False),
    ],
)
def test_steps_count_releases_between(chosen: str, newest: str, steps: str, far: bool) -> None:  # noqa: FBT001
    versions = [*(f"6.{minor}.0" for minor in range(21)), "6.20.1", "6.20.2", "7.0", "7.1rc1"]
    assert count_steps(chosen, newest, versions) == steps
    assert is_far(steps) is far


@pytest.mark.parametrize(
    ("text", "open_"), [("a", True), ("a>=2", True), ("a!=3", True), ("a~=2.0", False), ("a<3", False)]
)
def test_only_requirements_without_an_upper_bound_are_looked_at(text: str, open_: bool) -> None:  # noqa: FBT001
    assert is_unbounded(Demand(kind=Kind.ASKED, text=text, source="stack:finance")) is open_
