"""Finds which demands stand against each other: a smallest knot of them that cannot hold beside the rest. Pure over a Solver.

Words: `soft` demands may be given up, all others of the problem are hard; those that are `kept` hold in a trial, the other
soft ones are left out. A `core` is a set of soft demands that cannot hold beside the hard ones, and is minimal: without any
one of it the others can.

Steps of `Trials.core_of`:
1. Suspects are what the resolver's derivation names. Where they alone can hold, what that solution breaks is suspected too.
2. A failure of fewer demands names fewer: suspects shrink as long as they do.
3. What is left is shrunk one by one, or by halves (QuickXplain) where it is large.

Source: Junker, QuickXplain (AAAI 2004).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

from builder.resolve.problem import AIRFLOW, Demand, Kind, Problem, Solved, Solver, Unsolved

Kept = frozenset[Demand]
_SIDE_BY_SIDE = 2
"""Trials run at the same time: a resolver uses more than one core by itself."""
_FEW = 8
"""Up to so many are tried one by one; of more, halves are."""


def _never() -> bool:
    return False


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """How long a search may go on; whose time it is, who calls says."""

    solves: int
    """Most questions to the solver."""
    expired: Callable[[], bool] = _never


class BudgetSpentError(Exception):
    """A search came to the end of its budget. Never leaves this layer."""


@dataclass(frozen=True, slots=True)
class _Check:
    """A soft demand, read once."""

    project: str
    specifier: SpecifierSet
    platform: str | None
    must_be_there: bool
    """A requirement, not a constraint: broken where its project is not chosen."""
    unclear: bool
    """A solution does not tell whether extras and markers are heeded: always taken for broken."""


class Trials:
    """Trials of one problem with more or fewer of its soft demands kept; what follows from earlier ones is not asked again.

    Args:
        problem: holds the soft demands and all others, which are hard.
        soft: may be given up; their order decides between equals.
        solver: answers.
        budget: of questions to the solver; a trial beyond it raises BudgetSpentError.
        unsolved: what is known to fail, as from trials on fewer platforms.
    """

    def __init__(
        self,
        problem: Problem,
        soft: Sequence[Demand],
        solver: Solver,
        budget: Budget,
        unsolved: Mapping[Kept, Unsolved] | None = None,
    ) -> None:
        self.soft = tuple(dict.fromkeys(soft))
        self._problem = preferring_pins(problem, self.soft)
        self.solves = 0
        self.suspects: Kept = frozenset(self.soft)
        """What a search for a core was down to when its budget ended."""
        self._solver = solver
        self.uncounted = False
        """Set for what must be asked whatever it takes."""
        self._budget = budget
        self._checks = {demand: _read(demand) for demand in self.soft}
        self._solved: dict[Kept, Solved] = {}
        """By what it breaks."""
        self.unsolved: dict[Kept, Unsolved] = dict(unsolved or {})
        """By what was kept."""

    def all_but(self, relaxed: Kept) -> Kept:
        """Give the soft demands that are kept where these are not."""
        return frozenset(self.soft) - relaxed

    def ask(self, kept: Iterable[Demand]) -> Solved | Unsolved:
        """Try with these soft demands; the tested versions of all are preferred."""
        return self.ask_each([frozenset(kept)])[0]

    def ask_each(self, trials: Sequence[Kept]) -> list[Solved | Unsolved]:
        """Try each, side by side."""
        known = {kept: answer for kept in trials if (answer := self._known(kept)) is not None}
        open_ = [kept for kept in dict.fromkeys(trials) if kept not in known]
        if open_ and not self.uncounted and self._is_spent(len(open_)):
            raise BudgetSpentError
        self.solves += len(open_)
        if len(open_) == 1:
            answers = [self._solve(open_[0])]
        elif open_:
            with ThreadPoolExecutor(_SIDE_BY_SIDE) as pool:
                answers = list(pool.map(self._solve, open_))
        else:
            answers = []
        for kept, answer in zip(open_, answers, strict=True):
            if isinstance(answer, Solved):
                # NOTE: what was kept holds, even where the solution alone does not tell.
                self._solved[self.broken(answer) - kept] = answer
            else:
                self.unsolved[kept] = answer
            known[kept] = answer
        return [known[kept] for kept in trials]

    def broken(self, solved: Solved) -> Kept:
        """List the soft demands that a solution does not heed, on any platform."""
        found: set[Demand] = set()
        for part in solved.resolutions:
            versions = {candidate.project: candidate.version for candidate in part.candidates}
            here = (
                (demand, check)
                for demand, check in self._checks.items()
                if check.platform in {None, part.platform.name}
            )
            found.update(demand for demand, check in here if _breaks(versions, check))
        return frozenset(found)

    def in_order(self, demands: Iterable[Demand]) -> tuple[Demand, ...]:
        """Sort soft demands as they were given."""
        wanted = frozenset(demands)
        return tuple(demand for demand in self.soft if demand in wanted)

    def core_of(self, kept: Kept) -> tuple[Demand, ...]:
        """Find a core among demands that cannot be kept together; empty where the hard ones alone cannot hold."""
        self.suspects = kept
        failure = self._suspect(kept)
        failure = self._narrow(failure)
        core = self._minimal(self.in_order(self.suspects))
        self.unsolved.setdefault(frozenset(core), failure)
        return core

    def _known(self, kept: Kept) -> Solved | Unsolved | None:
        for core, unsolved in self.unsolved.items():
            if core <= kept:
                return unsolved
        for broken, solved in self._solved.items():
            if not broken & kept:
                return solved
        return None

    def _is_spent(self, more: int) -> bool:
        return self.solves + more > self._budget.solves or self._budget.expired()

    def _solve(self, kept: Kept) -> Solved | Unsolved:
        return self._solver.solve(self._problem.without(self.all_but(kept)))

    def _suspect(self, kept: Kept) -> Unsolved:
        """Step 1."""
        answer = self.ask(kept)
        if isinstance(answer, Solved):
            raise ValueError("these demands can hold together")  # noqa: TRY004 - its value is wrong, not its type
        suspects = self._named(answer) & kept
        while isinstance(answer := self.ask(suspects), Solved):
            suspects = suspects | broken if (broken := (self.broken(answer) & kept) - suspects) else kept
        self.suspects = suspects
        return answer

    def _narrow(self, failure: Unsolved) -> Unsolved:
        """Step 2."""
        while (named := self._named(failure) & self.suspects) != self.suspects:
            answer = self.ask(named)
            if isinstance(answer, Solved):
                break
            self.suspects, failure = named, answer
        return failure

    def _named(self, unsolved: Unsolved) -> Kept:
        return frozenset(demand for demand, check in self._checks.items() if check.project in unsolved.named)

    def _minimal(self, suspects: tuple[Demand, ...]) -> tuple[Demand, ...]:
        """Step 3."""
        if isinstance(self.ask(()), Unsolved):
            return ()
        if len(suspects) > _FEW:
            return self.in_order(self._xplain((), (), suspects))
        return self.in_order(self.shrunk(frozenset(suspects), lambda fewer: fewer, Unsolved))

    def shrunk(self, start: Kept, trial: Callable[[Kept], Kept], good: type[Solved | Unsolved]) -> Kept:
        """Take demands out of a set one by one, as long as the trial of what is left answers as it should.

        Args:
            start: a set whose trial is good.
            trial: says what is kept where this set is left.
            good: which answer lets a demand go. Where it is given for a set it is given for all between that and `start`,
                so what had to stay once has to stay.
        """
        left, staying = start, set[Demand]()
        while todo := [demand for demand in self.in_order(left) if demand not in staying][:_SIDE_BY_SIDE]:
            answers = self.ask_each([trial(left - {demand}) for demand in todo])
            staying |= {demand for demand, answer in zip(todo, answers, strict=True) if not isinstance(answer, good)}
            for demand, answer in zip(todo, answers, strict=True):
                if isinstance(answer, good):
                    left = left - {demand}
                    left = left if isinstance(answer, Unsolved) else left & self.broken(answer)
                    break
        return left

    def _xplain(
        self, kept: tuple[Demand, ...], news: tuple[Demand, ...], suspects: tuple[Demand, ...]
    ) -> tuple[Demand, ...]:
        if news and isinstance(self.ask(kept), Unsolved):
            return ()
        if len(suspects) == 1:
            return suspects
        left, right = suspects[: len(suspects) // 2], suspects[len(suspects) // 2 :]
        in_right = self._xplain((*kept, *left), left, right)
        in_left = self._xplain((*kept, *in_right), in_right, left)
        return (*in_left, *in_right)


def find_core(problem: Problem, soft: Sequence[Demand], solver: Solver, budget: Budget) -> tuple[Demand, ...]:
    """Find soft demands that cannot hold together with the rest of the problem, though without any one of them they can.

    Args:
        problem: what cannot be had.
        soft: of its demands those that may be in the answer; all others hold throughout.
        solver: answers.
        budget: where it is spent, what is suspected until then is returned: it may be more than is needed.

    Returns:
        In the order of `soft`; empty where the rest alone cannot hold.

    Raises:
        ValueError: the problem can be solved.
        PackageIndexError: the index answered wrongly or not at all.
    """
    trials = Trials(problem, soft, solver, budget)
    try:
        return trials.core_of(frozenset(trials.soft))
    except BudgetSpentError:
        return trials.in_order(trials.suspects)


def preferring_pins(problem: Problem, soft: Sequence[Demand]) -> Problem:
    """Make preferences of the versions that demands pin, above those that the problem has."""
    pins = {demand.project: version for demand in soft if (version := pinned_version(demand))}
    return problem.preferring((dict(problem.preferences) | pins).items())


def pinned_version(demand: Demand) -> str | None:
    """Read the version that a demand pins, as `1.2` of `alpha==1.2`; None where it leaves a choice."""
    specifiers = list(Requirement(demand.text).specifier)
    if len(specifiers) == 1 and specifiers[0].operator == "==" and not specifiers[0].version.endswith(".*"):
        return specifiers[0].version
    return None


def _read(demand: Demand) -> _Check:
    requirement = Requirement(demand.text)
    project = canonicalize_name(requirement.name)
    required = demand.kind is Kind.ASKED or (demand.kind is Kind.AIRFLOW and project == AIRFLOW)
    return _Check(
        project=project,
        specifier=requirement.specifier,
        platform=demand.platform,
        must_be_there=required,
        unclear=bool(requirement.marker) or (required and bool(requirement.extras)),
    )


def _breaks(versions: Mapping[str, str], check: _Check) -> bool:
    version = versions.get(check.project)
    if version is None:
        return check.must_be_there
    return check.unclear or not check.specifier.contains(version, prereleases=True)
