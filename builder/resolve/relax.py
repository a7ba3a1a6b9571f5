"""Finds a smallest set of demands that has to give way, and how little it has to. Pure over a Solver.

Steps of `smallest_relaxation`, on the problem's first platform:
1. All soft demands become preferences; what that one solution breaks is the set to beat.
2. Cores that share nothing are collected, then a smallest set is tried that takes one demand out of each core; where it
   does not do, there is another core. Where it does, no smaller set can: it is least by count, hence irreducible.
3. Where the budget ends before, the best set so far is shrunk until none of it can be put back.
4. The set is tried on all platforms; where it does not do, all steps are taken again on all of them at once.
5. The demands of the set move as little as can be: those that go up to the lowest versions that do, beside all else as found.

Source: Ignatiev and others, smallest MUS extraction with minimal hitting set dualization (CP 2015), for step 2.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from packaging.version import Version

from builder.resolve.core import Budget, BudgetSpentError, Kept, Trials, pinned_version, preferring_pins
from builder.resolve.hitting import smallest_hitting_set
from builder.resolve.problem import Demand, Kind, Problem, Solved, Solver, Unsolved


class Proof(StrEnum):
    """What is known of a relaxation's size."""

    LEAST = "least"
    """No set of fewer demands would do."""
    IRREDUCIBLE = "irreducible"
    """None of it can be put back; the search for a smaller set came to the end of its budget."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Relaxation:
    """A set of demands that give way, and what comes out then."""

    relaxed: tuple[Demand, ...]
    """In the order given; empty where nothing has to."""
    proof: Proof
    moves: tuple[tuple[Demand, Demand], ...]
    """Of each relaxed demand what stands in its place, of kind DIVERGED: nearest to what was pinned."""
    solved: Solved
    """On all platforms, with these in place."""
    moved_by_preference: int
    """How many demands one resolution breaks that takes them all as preferences."""
    cores: tuple[tuple[Demand, ...], ...]
    """Why: of each of these, one has to give way."""
    solves: int
    """Questions to the solver."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Found:
    """A set that does, on the platforms that were looked at."""

    relaxed: tuple[Demand, ...]
    proof: Proof
    moved_by_preference: int
    cores: tuple[tuple[Demand, ...], ...]
    solves: int
    unsolved: Mapping[Kept, Unsolved]


def smallest_relaxation(
    problem: Problem, soft: Sequence[Demand], solver: Solver, budget: Budget
) -> Relaxation | Unsolved:
    """Find a smallest set of soft demands without which the problem can be solved, and the smallest moves.

    Args:
        problem: holds the soft demands and all others, which are hard.
        soft: may give way, as the lines of tested constraints.
        solver: answers.
        budget: of the search for the proof that nothing smaller does; irreducible the set is in any case.

    Returns:
        Unsolved where the hard demands alone cannot hold.

    Raises:
        PackageIndexError: the index answered wrongly or not at all.
    """
    found = _search(problem, soft, solver, budget)
    if isinstance(found, Unsolved):
        return found
    steps = _Steps(preferring_pins(problem, soft), found.relaxed, solver)
    nearest = steps.nearest()
    if isinstance(nearest, Unsolved):
        return nearest
    moves, solved = nearest
    return Relaxation(
        relaxed=found.relaxed,
        proof=found.proof,
        moves=moves,
        solved=solved,
        moved_by_preference=found.moved_by_preference,
        cores=found.cores,
        solves=found.solves + steps.solves,
    )


def keep_most(problem: Problem, previous: Mapping[str, str], solver: Solver, budget: Budget) -> Solved | Unsolved:
    """Solve while as few pins of the lock before move as can be.

    A resolver that takes them as preferences moves more than it must: where one has to go, others go along.

    Args:
        problem: what is wanted now.
        previous: version by project; leave out what is wished to move.
        solver: answers.
        budget: of the search for the fewest; without it no pin that moved could have stayed all the same.

    Returns:
        Unsolved where the problem cannot be solved at all.
    """
    preferred = problem.preferring((dict(problem.preferences) | dict(previous)).items())
    first = solver.solve(preferred)
    if isinstance(first, Unsolved):
        return first
    # Where one platform has what is pinned and another does not, they differed before: a pin has room for one version.
    parted = {
        project
        for project, versions in _versions(first).items()
        if len(versions) > 1 and previous.get(project) in versions
    }
    pins = tuple(
        Demand(kind=Kind.TESTED, text=f"{project}=={version}", source="the lock before")
        for project, version in sorted(previous.items())
        if project not in parted
    )
    if not Trials(preferred, pins, solver, budget).broken(first):
        return first
    found = _search(preferred.adding(*pins), pins, solver, budget)
    if isinstance(found, Unsolved):
        return found
    gone = frozenset(found.relaxed)
    return solver.solve(preferred.adding(*(pin for pin in pins if pin not in gone)))


def _search(problem: Problem, soft: Sequence[Demand], solver: Solver, budget: Budget) -> _Found | Unsolved:
    """Steps 1 to 4."""
    found = _search_on(problem.on(problem.platforms[0]), soft, solver, budget)
    if isinstance(found, Unsolved) or len(problem.platforms) == 1:
        return found
    if isinstance(solver.solve(problem.without(found.relaxed)), Solved):
        return found
    # What fails on one platform fails on all.
    return _search_on(problem, soft, solver, budget, found)


def _search_on(
    problem: Problem, soft: Sequence[Demand], solver: Solver, budget: Budget, before: _Found | None = None
) -> _Found | Unsolved:
    """Steps 1 to 3."""
    trials = Trials(problem, soft, solver, budget, before.unsolved if before else None)
    trials.uncounted = True
    start = trials.ask(())
    trials.uncounted = False
    if isinstance(start, Unsolved):
        return start
    moved = trials.broken(start)
    search = _Cores(trials, moved, before.cores if before else ())
    least = search.least()
    trials.uncounted = True
    relaxed = least if least is not None else trials.shrunk(search.best, trials.all_but, Solved)
    # A set as large as any has to be is least, however it was found.
    proof = Proof.LEAST if least is not None or len(relaxed) <= search.at_least else Proof.IRREDUCIBLE
    return _Found(
        relaxed=trials.in_order(relaxed),
        proof=proof,
        moved_by_preference=len(moved),
        cores=tuple(search.cores),
        solves=trials.solves + (before.solves if before else 0),
        unsolved=trials.unsolved,
    )


class _Cores:
    """Step 2: cores from below, sets that do from above, until they meet.

    Args:
        trials: of the problem.
        best: a set that does.
        cores: those that are known.
    """

    def __init__(self, trials: Trials, best: Kept, cores: Sequence[tuple[Demand, ...]]) -> None:
        self.cores = list(cores)
        self.best = best
        self.at_least = 0
        """So many have to give way."""
        self._trials = trials

    def least(self) -> Kept | None:
        """Search for a least set; None where the budget ended or the cores became too many to reckon with."""
        try:
            while len(self.best) > self.at_least:
                order = self._order()
                smallest = smallest_hitting_set(self.cores, order)
                if smallest is None:
                    return None
                self.at_least = len(smallest)
                if len(self.best) > self.at_least:
                    chosen = frozenset(order[position] for position in smallest)
                    if isinstance(self._trials.ask(self._trials.all_but(chosen)), Solved):
                        return chosen
                    self._collect(chosen)
        except BudgetSpentError:
            return None
        return self.best

    def _collect(self, relaxed: Kept) -> None:
        """Add cores until, with all of them out, what is left does: that is a set to beat, too."""
        while isinstance(answer := self._trials.ask(self._trials.all_but(relaxed)), Unsolved):
            core = self._trials.core_of(self._trials.all_but(relaxed))
            self.cores.append(core)
            relaxed |= frozenset(core)
        broken = self._trials.broken(answer) & relaxed
        if len(broken) < len(self.best):
            self.best = broken

    def _order(self) -> tuple[Demand, ...]:
        """Soft demands, those first that the set to beat gives up: they do together."""
        return tuple(sorted(self._trials.soft, key=lambda demand: demand not in self.best))


class _Steps:
    """Step 5.

    Args:
        problem: on all its platforms.
        relaxed: without these it can be solved, without fewer it cannot.
        solver: answers.
    """

    def __init__(self, problem: Problem, relaxed: Sequence[Demand], solver: Solver) -> None:
        self.solves = 0
        self._relaxed = relaxed
        self._solver = solver
        self._rest = problem.without(relaxed)

    def nearest(self) -> tuple[tuple[tuple[Demand, Demand], ...], Solved] | Unsolved:
        """Choose versions nearest to those pinned; as the resolver found them where nearer ones do not do."""
        solved = self._solve(self._rest)
        if isinstance(solved, Unsolved):
            return solved
        found = _versions(solved)
        nearer = self._nearer(found)
        if nearer is not None:
            moves = self._moves(nearer)
            answer = self._solve(self._with(moves, found | nearer))
            if isinstance(answer, Solved):
                return moves, answer
        moves = self._moves(found)
        answer = self._solve(self._with(moves, found))
        return moves, answer if isinstance(answer, Solved) else solved

    def _nearer(self, found: Mapping[str, tuple[str, ...]]) -> dict[str, tuple[str, ...]] | None:
        """Ask for the lowest versions of what went up, all else as found."""
        raised = {demand.project: bounds for demand in self._relaxed if (bounds := _room_below(demand, found))}
        if not raised:
            return None
        fixed = [_diverged(project, versions) for project, versions in found.items() if project not in raised]
        wanted = [Demand(kind=Kind.ASKED, text=f"{project}{room}", source=_SOURCE) for project, room in raised.items()]
        lowest = replace(self._rest.adding(*fixed, *wanted), lowest_direct=True, preferences=())
        answer = self._solve(lowest)
        if isinstance(answer, Unsolved):
            return None
        # Of what platforms can have each, the higher one is more likely to be there for all.
        return {project: versions[-1:] for project, versions in _versions(answer).items()}

    def _moves(self, versions: Mapping[str, tuple[str, ...]]) -> tuple[tuple[Demand, Demand], ...]:
        return tuple((demand, _diverged(demand.project, versions[demand.project])) for demand in self._relaxed)

    def _with(self, moves: Sequence[tuple[Demand, Demand]], found: Mapping[str, tuple[str, ...]]) -> Problem:
        preferred = dict(self._rest.preferences) | {project: versions[0] for project, versions in found.items()}
        return self._rest.adding(*(move for _, move in moves)).preferring(preferred.items())

    def _solve(self, problem: Problem) -> Solved | Unsolved:
        self.solves += 1
        return self._solver.solve(problem)


_SOURCE = "proposal"


def _versions(solved: Solved) -> dict[str, tuple[str, ...]]:
    """Map project to its versions on the platforms, ascending."""
    found: dict[str, set[str]] = {}
    for resolution in solved.resolutions:
        for candidate in resolution.candidates:
            found.setdefault(candidate.project, set()).add(candidate.version)
    return {project: tuple(sorted(versions, key=Version)) for project, versions in sorted(found.items())}


def _diverged(project: str, versions: tuple[str, ...]) -> Demand:
    """Pin to a version; to a range where platforms differ."""
    specifier = f"=={versions[0]}" if len(versions) == 1 else f">={versions[0]},<={versions[-1]}"
    return Demand(kind=Kind.DIVERGED, text=f"{project}{specifier}", source=_SOURCE)


def _room_below(demand: Demand, found: Mapping[str, tuple[str, ...]]) -> str | None:
    """Say where a version nearer to the pinned one may be, as `>=1.2,<=3.4`; None where it did not go up."""
    pinned = pinned_version(demand)
    versions = found.get(demand.project, ())
    if pinned is None or not versions or not Version(versions[0]) >= Version(pinned) < Version(versions[-1]):
        return None
    return f">={pinned},<={versions[-1]}"
