from __future__ import annotations

import pytest

from builder.platform import AMD64, ARM64
from builder.resolve.core import Budget, find_core
from builder.resolve.hitting import smallest_hitting_set
from builder.resolve.problem import Kind, Solved, Unsolved
from builder.resolve.relax import Proof, Relaxation, keep_most, smallest_relaxation
from tests.support.small_universe import ExhaustiveSolver, Universe, make_problem

PLENTY = Budget(solves=1000)

PROTOBUF: Universe = {
    "airflow": {"2": ("protobuf", "client")},
    "client": {"1": ("protobuf<5",), "2": ("protobuf",), "3": ("protobuf>=5",)},
    "dbt": {"1": ("protobuf>=5",)},
    "protobuf": {"4": (), "5": (), "6": ()},
}
"""dbt needs another protobuf than the tested one, and the tested client does not go with it."""
TESTED = {"client": "1", "protobuf": "4"}


def _relax(solver: ExhaustiveSolver, *asked: str, budget: Budget = PLENTY) -> Relaxation:
    problem = make_problem(*asked, tested=TESTED)
    found = smallest_relaxation(problem, problem.of_kind(Kind.TESTED), solver, budget)
    assert isinstance(found, Relaxation)
    return found


def test_what_gives_way_moves_to_the_nearest_version_that_does() -> None:
    found = _relax(ExhaustiveSolver(PROTOBUF), "airflow", "dbt")
    assert [(tested.text, moved.text) for tested, moved in found.moves] == [
        ("client==1", "client==2"),
        ("protobuf==4", "protobuf==5"),
    ]
    assert all(moved.kind is Kind.DIVERGED for _, moved in found.moves)
    assert found.solved.versions() == {"airflow": "2", "client": "2", "dbt": "1", "protobuf": "5"}


def test_what_goes_down_takes_the_highest_version_that_does() -> None:
    universe: Universe = {"old": {"1": ("lib<3",)}, "lib": {"1": (), "2": (), "3": ()}}
    problem = make_problem("old", tested={"lib": "3"})
    found = smallest_relaxation(problem, problem.of_kind(Kind.TESTED), ExhaustiveSolver(universe), PLENTY)
    assert isinstance(found, Relaxation)
    assert [moved.text for _, moved in found.moves] == ["lib==2"]


def test_nothing_gives_way_where_all_can_hold() -> None:
    found = _relax(ExhaustiveSolver(PROTOBUF), "airflow")
    assert (found.relaxed, found.moves, found.proof) == ((), (), Proof.LEAST)


def test_without_a_budget_the_set_is_irreducible_and_says_so() -> None:
    found = _relax(ExhaustiveSolver(PROTOBUF), "airflow", "dbt", budget=Budget(solves=0))
    assert (len(found.relaxed), found.proof) == (2, Proof.IRREDUCIBLE)


def test_a_budget_of_time_ends_the_search_too() -> None:
    found = _relax(ExhaustiveSolver(PROTOBUF), "airflow", "dbt", budget=Budget(solves=1000, expired=lambda: True))
    assert found.proof is Proof.IRREDUCIBLE


def test_no_relaxation_helps_where_the_wishes_alone_fail() -> None:
    problem = make_problem("airflow", "protobuf>=7", tested=TESTED)
    found = smallest_relaxation(problem, problem.of_kind(Kind.TESTED), ExhaustiveSolver(PROTOBUF), PLENTY)
    assert isinstance(found, Unsolved)


def test_a_relaxation_serves_all_platforms() -> None:
    universe: Universe = {
        "app": {"1": ("lib", "arm>=2; linux/arm64")},
        "lib": {"1": (), "2": ()},
        "arm": {"1": (), "2": ()},
    }
    problem = make_problem("app", "lib>=2", tested={"lib": "1", "arm": "1"}, platforms=(AMD64, ARM64))
    found = smallest_relaxation(problem, problem.of_kind(Kind.TESTED), ExhaustiveSolver(universe), PLENTY)
    assert isinstance(found, Relaxation)
    assert {demand.text for demand in found.relaxed} == {"lib==1", "arm==1"}
    assert found.proof is Proof.LEAST
    assert [part.platform for part in found.solved.resolutions] == [AMD64, ARM64]


def test_least_is_smaller_than_what_preferences_move() -> None:
    """One resolution takes the newest of what has to move, and pulls others along."""
    universe: Universe = {
        "app": {"1": ("hub>=2", "east", "west")},
        "hub": {"1": (), "2": (), "3": ("east>=2", "west>=2")},
        "east": {"1": (), "2": ()},
        "west": {"1": (), "2": ()},
    }
    problem = make_problem("app", tested={"hub": "1", "east": "1", "west": "1"})
    found = smallest_relaxation(problem, problem.of_kind(Kind.TESTED), ExhaustiveSolver(universe), PLENTY)
    assert isinstance(found, Relaxation)
    assert found.moved_by_preference == 3
    assert [demand.text for demand in found.relaxed] == ["hub==1"]
    assert found.proof is Proof.LEAST


def test_core_names_what_stands_against_each_other_and_nothing_else() -> None:
    problem = make_problem("airflow", "dbt", tested={**TESTED, "airflow": "2"})
    core = find_core(problem, problem.of_kind(Kind.TESTED, Kind.ASKED), ExhaustiveSolver(PROTOBUF), PLENTY)
    assert {demand.text for demand in core} in ({"dbt", "protobuf==4"}, {"dbt", "airflow", "client==1"})


def test_core_is_empty_where_the_rest_alone_cannot_hold() -> None:
    problem = make_problem("protobuf>=7", tested=TESTED)
    assert find_core(problem, problem.of_kind(Kind.TESTED), ExhaustiveSolver(PROTOBUF), PLENTY) == ()


def test_core_of_what_can_hold_is_refused() -> None:
    problem = make_problem("airflow", tested=TESTED)
    with pytest.raises(ValueError, match="can hold together"):
        find_core(problem, problem.of_kind(Kind.TESTED), ExhaustiveSolver(PROTOBUF), PLENTY)


def test_core_of_many_suspects_takes_few_questions() -> None:
    """A derivation that names everything leaves the search to halves."""
    names = [f"p{number:02}" for number in range(64)]
    universe: dict[str, dict[str, tuple[str, ...]]] = {name: {"1": ()} for name in names}
    universe |= {"app": {"1": tuple(names)}, "p07": {"1": ("p50>=2",), "2": ()}, "p50": {"1": (), "2": ()}}
    problem = make_problem("app", tested=dict.fromkeys(names, "1"))
    solver = ExhaustiveSolver(universe)
    core = find_core(problem, problem.of_kind(Kind.TESTED), solver, PLENTY)
    assert [demand.text for demand in core] == ["p07==1", "p50==1"]
    assert len(solver.asked) < 40


def test_relocking_keeps_all_pins_that_hold_without_further_questions() -> None:
    solver = ExhaustiveSolver(PROTOBUF)
    solved = keep_most(make_problem("airflow"), {"client": "1", "protobuf": "4"}, solver, PLENTY)
    assert isinstance(solved, Solved)
    assert solved.versions() == {"airflow": "2", "client": "1", "protobuf": "4"}
    assert len(solver.asked) == 1


def test_a_wished_upgrade_moves_the_fewest_others() -> None:
    universe: Universe = {
        "hub": {"1": (), "2": (), "3": ("east>=2", "west>=2")},
        "east": {"1": (), "2": ()},
        "west": {"1": (), "2": ()},
    }
    solved = keep_most(
        make_problem("hub>=2", "east", "west"),
        {"hub": "1", "east": "1", "west": "1"},
        ExhaustiveSolver(universe),
        PLENTY,
    )
    assert isinstance(solved, Solved)
    assert solved.versions() == {"hub": "2", "east": "1", "west": "1"}


@pytest.mark.parametrize(
    ("cores", "smallest"),
    [
        ([], ()),
        (["a"], (0,)),
        (["ab", "bc"], (1,)),
        (["ab", "bc", "cd"], (0, 2)),
        (["ab", "cd", "ad", "bc"], (0, 2)),
    ],
)
def test_smallest_hitting_set_takes_one_of_each_core(cores: list[str], smallest: tuple[int, ...]) -> None:
    assert smallest_hitting_set(cores, "abcd") == smallest


def test_hitting_sets_of_cores_without_end_are_given_up() -> None:
    members = range(40)
    cores = [(one, (one * 7 + step) % 40, (one * 11 + 3 * step) % 40) for one in members for step in range(1, 8)]
    assert smallest_hitting_set(cores, list(members)) is None
