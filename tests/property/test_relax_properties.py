"""What holds for every relaxation, against trying every set of demands there is."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from builder.platform import AMD64, ARM64
from builder.resolve.core import Budget, find_core
from builder.resolve.model import ResolutionRequest
from builder.resolve.problem import Demand, Kind, Problem, Solved, Unsolved
from builder.resolve.relax import Proof, Relaxation, keep_most, smallest_relaxation
from tests.support.small_universe import ExhaustiveSolver, Universe, make_problem

_PROJECTS = ("alpha", "beta", "delta", "eta", "gamma", "iota")
_VERSIONS = ("1", "2", "3")
_PLENTY = Budget(solves=10_000)
_SPECIFIERS = st.sampled_from(("", ">=2", ">=3", "<2", "<3", "==1", "==2", "==3", "!=2"))


@st.composite
def _universes(draw: st.DrawFn) -> Universe:
    """Projects that require others, in circles too, some on one platform only."""
    universe: dict[str, dict[str, tuple[str, ...]]] = {}
    for project in _PROJECTS:
        others = [name for name in _PROJECTS if name != project]
        universe[project] = {
            version: tuple(
                f"{name}{draw(_SPECIFIERS)}{draw(st.sampled_from(('', '', '', '; linux/arm64')))}"
                for name in draw(st.lists(st.sampled_from(others), unique=True, max_size=3))
            )
            for version in _VERSIONS
        }
    return universe


@st.composite
def _problems(draw: st.DrawFn) -> Problem:
    asked = draw(st.lists(st.sampled_from(_PROJECTS), min_size=1, max_size=3, unique=True))
    tested = {name: draw(st.sampled_from(_VERSIONS)) for name in _PROJECTS if draw(st.integers(0, 4))}
    return make_problem(
        *(f"{name}{draw(_SPECIFIERS)}" for name in asked),
        tested=tested,
        platforms=draw(st.sampled_from(((AMD64,), (AMD64, ARM64), (ARM64,)))),
    )


@st.composite
def _solvers(draw: st.DrawFn) -> ExhaustiveSolver:
    """Solvers whose derivations name everything, nothing, or anything."""
    named = draw(st.sampled_from((None, frozenset[str]())) | st.frozensets(st.sampled_from(_PROJECTS)))

    def name(universe: Universe, _request: ResolutionRequest) -> frozenset[str]:
        return frozenset(universe) if named is None else named

    return ExhaustiveSolver(draw(_universes()), name)


def _does(problem: Problem, solver: ExhaustiveSolver, relaxed: Sequence[Demand]) -> bool:
    return isinstance(solver.solve(problem.without(relaxed)), Solved)


def _brute_force(problem: Problem, solver: ExhaustiveSolver) -> int | None:
    """Count the demands of a least relaxation, by trying all by rising size."""
    soft = problem.of_kind(Kind.TESTED)
    for size in range(len(soft) + 1):
        if any(_does(problem, solver, relaxed) for relaxed in itertools.combinations(soft, size)):
            return size
    return None


def _moved_by_preference(problem: Problem, solver: ExhaustiveSolver) -> int:
    soft = problem.of_kind(Kind.TESTED)
    tested = {demand.project: demand.text.partition("==")[2] for demand in soft}
    solved = solver.solve(problem.without(soft).preferring(tested.items()))
    assert isinstance(solved, Solved)
    return len(
        {
            candidate.project
            for resolution in solved.resolutions
            for candidate in resolution.candidates
            if tested.get(candidate.project, candidate.version) != candidate.version
        }
    )


def _check(problem: Problem, solver: ExhaustiveSolver, found: Relaxation, least: int) -> None:
    relaxed = found.relaxed
    assert _does(problem, solver, relaxed)
    for demand in relaxed:
        assert not _does(problem, solver, [other for other in relaxed if other != demand])
    assert len(relaxed) >= least
    if found.proof is Proof.LEAST:
        assert len(relaxed) == least
    assert [demand for demand, _ in found.moves] == list(relaxed)
    replaced = problem.without(relaxed).adding(*(move for _, move in found.moves))
    assert isinstance(solver.solve(replaced), Solved)


@settings(max_examples=60, deadline=None)
@given(_problems(), _solvers())
def test_relaxation_is_solvable_irreducible_and_least_by_count(problem: Problem, solver: ExhaustiveSolver) -> None:
    least = _brute_force(problem, solver)
    found = smallest_relaxation(problem, problem.of_kind(Kind.TESTED), solver, _PLENTY)
    if least is None:
        assert isinstance(found, Unsolved)
        return
    assert isinstance(found, Relaxation)
    assert found.proof is Proof.LEAST
    _check(problem, solver, found, least)


@settings(max_examples=40, deadline=None)
@given(_problems(), _solvers(), st.integers(0, 12))
def test_relaxation_is_irreducible_whatever_the_budget(problem: Problem, solver: ExhaustiveSolver, solves: int) -> None:
    least = _brute_force(problem, solver)
    assume(least)
    found = smallest_relaxation(problem, problem.of_kind(Kind.TESTED), solver, Budget(solves=solves))
    assert isinstance(found, Relaxation)
    _check(problem, solver, found, least or 0)


@settings(max_examples=40, deadline=None)
@given(_problems(), _solvers(), st.sampled_from((0, 10_000)))
def test_relaxation_is_no_larger_than_what_one_resolution_moves(
    problem: Problem, solver: ExhaustiveSolver, solves: int
) -> None:
    problem = problem.on(problem.platforms[0])
    found = smallest_relaxation(problem, problem.of_kind(Kind.TESTED), solver, Budget(solves=solves))
    assume(isinstance(found, Relaxation))
    assert isinstance(found, Relaxation)
    assert found.moved_by_preference == _moved_by_preference(problem, solver)
    assert len(found.relaxed) <= found.moved_by_preference


@settings(max_examples=60, deadline=None)
@given(_problems(), _solvers())
def test_core_cannot_hold_and_without_any_one_of_it_can(problem: Problem, solver: ExhaustiveSolver) -> None:
    assume(isinstance(solver.solve(problem), Unsolved))
    soft = problem.of_kind(Kind.TESTED, Kind.ASKED)
    core = find_core(problem, soft, solver, _PLENTY)
    rest = [demand for demand in soft if demand not in core]
    assert not _does(problem, solver, rest)
    for demand in core:
        assert _does(problem, solver, [*rest, demand])


@settings(max_examples=60, deadline=None)
@given(_problems(), _solvers(), st.integers(0, 6))
def test_core_of_a_spent_budget_cannot_hold_either(problem: Problem, solver: ExhaustiveSolver, solves: int) -> None:
    assume(isinstance(solver.solve(problem), Unsolved))
    soft = problem.of_kind(Kind.TESTED)
    core = find_core(problem, soft, solver, Budget(solves=solves))
    assert not _does(problem, solver, [demand for demand in soft if demand not in core])


@settings(max_examples=40, deadline=None)
@given(_problems(), _solvers(), st.sampled_from((0, 10_000)))
def test_relocking_moves_no_pin_that_could_have_stayed(problem: Problem, solver: ExhaustiveSolver, solves: int) -> None:
    previous = {demand.project: demand.text.partition("==")[2] for demand in problem.of_kind(Kind.TESTED)}
    problem = problem.without(problem.of_kind(Kind.TESTED))
    solved = keep_most(problem, previous, solver, Budget(solves=solves))
    assert isinstance(solved, Solved) == isinstance(solver.solve(problem), Solved)
    if isinstance(solved, Unsolved):
        return
    first = solver.solve(problem.preferring(previous.items()))
    assert isinstance(first, Solved)
    offered: dict[str, set[str]] = {}
    for part in first.resolutions:
        for item in part.candidates:
            offered.setdefault(item.project, set()).add(item.version)
    # What platforms had in two versions keeps two: there is no pin for both.
    for project, versions in offered.items():
        if len(versions) > 1 and previous.get(project) in versions:
            del previous[project]
    pins = {
        project: Demand(kind=Kind.TESTED, text=f"{project}=={version}", source="test")
        for project, version in previous.items()
    }
    chosen = {(item.project, item.version) for part in solved.resolutions for item in part.candidates}
    moved = {project for project, version in chosen if previous.get(project, version) != version}
    kept = [pin for project, pin in pins.items() if project not in moved]
    for project in moved:
        assert isinstance(solver.solve(problem.adding(*kept, pins[project])), Unsolved)
