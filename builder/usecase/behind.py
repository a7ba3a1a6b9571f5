"""Tells what was asked for without a bound and did not come out as its newest release, and what holds it back.

Nothing of this is free where something is behind, and all of it where nothing is: it runs in every `lock`.

Steps for each project, until one tells the blocker:
1. A pin of the parent, of the tested set or of a divergence; the release itself, where the base cannot use it.
2. A requirement of another candidate of the solution.
3. Only what is far behind (another major, or three minors): one resolution that asks for the newest. Where it succeeds,
   nothing but the resolver's own order held it back; where it fails, the knot tells.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name
from packaging.version import Version

from builder.resolve.clash import Clash, find_clash
from builder.resolve.core import Budget, find_core
from builder.resolve.explain import render_chain, render_demand
from builder.resolve.problem import Demand, Kind, Problem, Solved, Solver, Unsolved
from builder.resolve.releases import Catalogue, Fault, Offers, allowed
from builder.usecase.lock_model import Behind, Hold

FAR_MINORS = 3
_BOUNDING = frozenset({"<", "<=", "==", "===", "~="})
_PINS = (Kind.PARENT, Kind.TESTED, Kind.DIVERGED)


def find_behind(problem: Problem, solved: Solved, offers: Offers, solver: Solver, budget: Budget) -> tuple[Behind, ...]:
    """Find what was asked for without an upper bound and is behind its newest release that the rules allow.

    Args:
        problem: what was solved.
        solved: on its first platform, others are not looked at.
        offers: what there is, under the stack's rules.
        solver: asked for what is far behind alone.
        budget: of resolutions for all projects together.
    """
    versions = solved.versions()
    asked = tuple(dict.fromkeys(demand.project for demand in problem.of_kind(Kind.ASKED) if is_unbounded(demand)))
    late = [(project, newest) for project in asked if (newest := newest_after(project, versions, offers))]
    if not late:
        return ()
    blockers = Blockers(problem, solved, offers, solver, budget)
    return tuple(blockers.look_at(project, newest) for project, newest in late)


def is_unbounded(demand: Demand) -> bool:
    """Tell whether a requirement leaves every later release open."""
    specifier = Requirement(demand.text).specifier
    return not any(part.operator in _BOUNDING for part in specifier)


def newest_after(project: str, versions: Mapping[str, str], offers: Offers) -> str | None:
    """Name the newest final release after the one chosen; None where there is none, or the project was not chosen."""
    chosen = versions.get(project)
    newest = next(iter(allowed(SpecifierSet(), offers.versions(project))), None)
    return newest if chosen is not None and newest is not None and Version(newest) > Version(chosen) else None


def count_steps(chosen: str, newest: str, versions: Sequence[str]) -> str:
    """Count the releases between, as `2 majors`, `15 minors` or `1 patch`."""
    low, high = Version(chosen), Version(newest)
    between = [version for text in versions if low < (version := Version(text)) <= high and not version.is_prerelease]
    if (low.epoch, low.major) != (high.epoch, high.major):
        count, noun = len({(version.epoch, version.major) for version in between} - {(low.epoch, low.major)}), "major"
    elif low.minor != high.minor:
        count, noun = len({version.minor for version in between} - {low.minor}), "minor"
    else:
        count, noun = len(between), "patch"
    plural = {"patch": "patches"}.get(noun, f"{noun}s")
    return f"{count} {noun if count == 1 else plural}"


def is_far(steps: str) -> bool:
    """Tell whether it is worth a resolution to know why."""
    count, noun = steps.split()
    return noun.startswith("major") or (noun.startswith("minor") and int(count) >= FAR_MINORS)


class Blockers:
    """Finds what holds projects of one solution back.

    Args:
        problem: what was solved.
        solved: how.
        offers: what there is.
        solver: asked where the solution alone does not tell.
        budget: of resolutions, for all projects together.
    """

    def __init__(self, problem: Problem, solved: Solved, offers: Offers, solver: Solver, budget: Budget) -> None:
        self._problem = problem.on(problem.platforms[0])
        self._resolution = solved.resolutions[0]
        self._versions = {candidate.project: candidate.version for candidate in self._resolution.candidates}
        self._offers = offers
        self._solver = solver
        self._left = budget.solves
        self._expired = budget.expired
        self._catalogue = Catalogue(
            offers, python_version=problem.python_version, glibc=problem.glibc, platform=problem.platforms[0]
        )
        self._requirers: dict[str, list[str]] = {}
        for candidate in self._resolution.candidates:
            for name in candidate.dependencies:
                self._requirers.setdefault(name, []).append(candidate.project)

    def look_at(self, project: str, newest: str, *, always: bool = False) -> Behind:
        """Tell how far a project is behind and why.

        Args:
            project: chosen in the solution, and not as its newest.
            newest: its newest release.
            always: ask the solver even where it is not far.
        """
        chosen = self._versions.get(project) or "none"
        steps = count_steps(chosen, newest, self._offers.versions(project))
        hold, blocker = self._plain_blocker(project, newest) or (None, None)
        if blocker is None and (always or is_far(steps)):
            hold, blocker = self._searched_blocker(project, newest) or (None, None)
        return Behind(project=project, chosen=chosen, newest=newest, steps=steps, blocker=blocker, hold=hold)

    def reaches(self, project: str, version: str) -> Solved | Unsolved | None:
        """Ask for a version beside all else; None where the budget is spent."""
        if self._left <= 0 or self._expired():
            return None
        self._left -= 1
        return self._solver.solve(self._asking(project, version))

    def _plain_blocker(self, project: str, newest: str) -> tuple[Hold, str] | None:
        """Steps 1 and 2."""
        for demand in self._problem.of_kind(*_PINS, Kind.AIRFLOW, Kind.ASKED):
            if demand.project == project and not Requirement(demand.text).specifier.contains(newest, prereleases=True):
                return _HOLDS[demand.kind], render_demand(demand)
        fault = self._catalogue.fault_of(Requirement(f"{project}=={newest}"))
        if fault is not None:
            return Hold.RELEASE, fault.text
        for holder, needs in self._iter_requirements(project):
            if not needs.specifier.contains(newest, prereleases=True):
                return Hold.CANDIDATE, f"{holder} {self._versions[holder]} requires {_bare(needs)}"
        return None

    def _searched_blocker(self, project: str, newest: str) -> tuple[Hold, str] | None:
        """Step 3."""
        answer = self.reaches(project, newest)
        if answer is None:
            return None
        if isinstance(answer, Solved):
            return Hold.ORDER, self._what_gives_way(project, answer)
        asking = self._asking(project, newest)
        wish = asking.demands[-1]
        soft = [demand for demand in asking.demands[:-1] if demand.kind is not Kind.AIRFLOW]
        core = find_core(asking, soft, self._solver, Budget(solves=max(self._left, 1), expired=self._expired))
        self._left -= len(core)
        knot = [*self._problem.of_kind(Kind.AIRFLOW), *core, wish]
        clash = find_clash(knot, self._catalogue, answer.named) or find_clash(knot, self._catalogue)
        return Hold.CANDIDATE, _tell(core, clash, wish)

    def _asking(self, project: str, version: str) -> Problem:
        demand = Demand(kind=Kind.ASKED, text=f"{project}=={version}", source="newest")
        return self._problem.adding(demand)

    def _what_gives_way(self, project: str, answer: Solved) -> str:
        """Tell what would go down if a project went up."""
        others = answer.versions()
        lower = [
            f"{name} {self._versions[name]} -> {version}"
            for name, version in sorted(others.items())
            if name in self._versions and name != project and Version(version) < Version(self._versions[name])
        ]
        if dict(self._problem.preferences).get(project) == self._versions.get(project):
            return "nothing but the lock before: --upgrade-package moves it" + (f" ({_some(lower)})" if lower else "")
        return f"nothing but {_some(lower)}" if lower else "nothing but the resolver's own order: ask for it"

    def _iter_requirements(self, project: str) -> Iterator[tuple[str, Requirement]]:
        """Go through what other candidates of the solution require of a project."""
        for holder in self._requirers.get(project, ()):
            for needs in self._catalogue.all_requirements(holder, self._versions[holder]):
                if canonicalize_name(needs.name) == project and self._catalogue.heeds(needs):
                    yield holder, needs


_HOLDS = {
    Kind.PARENT: Hold.PARENT,
    Kind.TESTED: Hold.TESTED,
    Kind.DIVERGED: Hold.DIVERGED,
    Kind.AIRFLOW: Hold.CANDIDATE,
    Kind.ASKED: Hold.CANDIDATE,
}


def _tell(core: Sequence[Demand], clash: Clash | None, wish: Demand) -> str:
    """Tell a knot as a part of a sentence."""
    others = [render_demand(demand) for demand in core]
    if clash is None:
        return "; ".join(others[:2]) or f"{wish.text} cannot go with this Airflow"
    parts = [render_chain(clash.chain.steps)] if clash.chain.steps else []
    if isinstance(clash.against, Fault):
        parts.append(clash.against.text)
    elif clash.against.steps:
        parts.append(render_chain(clash.against.steps))
    elif clash.against.demand != wish:
        parts.append(render_demand(clash.against.demand))
    return "; ".join(parts) or "; ".join(others[:2])


def _some(texts: Sequence[str]) -> str:
    return ", ".join(texts[:2]) + (f" and {len(texts) - 2} more" if len(texts) > 2 else "")


def _bare(requirement: Requirement) -> str:
    bare = Requirement(str(requirement))
    bare.marker = None
    return str(bare)
