"""A made-up universe of releases, and a Solver that tries everything in it: the truth that searches are measured by."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name
from packaging.version import Version

from builder.errors import ResolutionError
from builder.platform import AMD64, Platform
from builder.resolve.model import IndexAddress, Resolution, ResolvedCandidate
from builder.resolve.problem import Demand, Kind, Problem, Solved, Unsolved

Universe = Mapping[str, Mapping[str, Sequence[str]]]
"""Project to version to requirements."""
_INDEX = IndexAddress(url="http://index.invalid/made-up/simple", proxy="http://127.0.0.1:1")


def make_problem(
    *demands: Demand,
    asked: Sequence[str] = (),
    tested: Sequence[str] = (),
    pinned: Sequence[str] = (),
    airflow: str = "apache-airflow==3.3.2",
    label: str = "stacks/finance/stack.toml",
    platforms: tuple[Platform, ...] = (AMD64,),
) -> Problem:
    """Make a problem of stack finance: what it asks for, the tested set's lines, the pins of its parent core."""
    return Problem(
        label=label,
        demands=(
            Demand(kind=Kind.AIRFLOW, text=airflow, source="stack:core"),
            *(Demand(kind=Kind.ASKED, text=text, source="stack:finance") for text in asked),
            *(Demand(kind=Kind.PARENT, text=text, source="core") for text in pinned),
            *(Demand(kind=Kind.TESTED, text=text, source="constraints.txt") for text in tested),
            *demands,
        ),
        preferences=(),
        python_version="3.13.5",
        glibc="2.41",
        platforms=platforms,
        index=_INDEX,
    )


class SyntheticSolver:
    """A Solver by exhaustive search: prefers what is preferred, then what is newest, and tries all else.

    Args:
        universe: every release there is.
        python: by project and version, what a release requires of Python.
    """

    def __init__(self, universe: Universe, python: Mapping[tuple[str, str], str] | None = None) -> None:
        self.universe = universe
        self.python = python or {}
        self.asked: list[Problem] = []
        """Problems solved, each once."""
        self._answers: dict[Problem, Solved | Unsolved] = {}

    def solve(self, problem: Problem) -> Solved | Unsolved:
        """Solve on all platforms."""
        if problem not in self._answers:
            self.asked.append(problem)
            self._answers[problem] = self._solve(problem)
        return self._answers[problem]

    def _solve(self, problem: Problem) -> Solved | Unsolved:
        resolutions = []
        for platform in problem.platforms:
            named: set[str] = set()
            found = next(self._search(problem, platform, _Open.start(problem), named), None)
            if found is None:
                error = ResolutionError("nothing satisfies all of it", context=f"{problem.label} on {platform.name}")
                return Unsolved(platform=platform, error=error, named=frozenset(named))
            resolutions.append(_make_resolution(self.universe, problem, platform, found))
        return Solved(resolutions=tuple(resolutions))

    def _search(self, problem: Problem, platform: Platform, state: _Open, named: set[str]) -> Iterator[dict[str, str]]:
        project = state.next_open()
        if project is None:
            yield state.chosen
            return
        named.add(project)
        for version in self._versions(problem, project):
            if not state.allows(project, version):
                continue
            needs = _needs(self.universe[project][version], problem, platform, state.extras.get(project, frozenset()))
            later = state.choose(project, version, needs)
            if later is None:
                named.update(canonicalize_name(need.name) for need in needs)
            else:
                yield from self._search(problem, platform, later, named)

    def _versions(self, problem: Problem, project: str) -> list[str]:
        preferred = dict(problem.preferences).get(project)
        known = sorted(
            self.universe.get(project, {}), key=lambda text: (text == preferred, Version(text)), reverse=True
        )
        return [
            version
            for version in known
            if SpecifierSet(self.python.get((project, version), "")).contains(problem.python_version)
        ]


class _Open:
    """A search's state: what is chosen, what is wanted, what holds where it is wanted."""

    def __init__(
        self,
        chosen: dict[str, str],
        wanted: dict[str, SpecifierSet],
        extras: dict[str, frozenset[str]],
        bounds: Mapping[str, SpecifierSet],
    ) -> None:
        self.chosen, self.wanted, self.extras, self.bounds = chosen, wanted, extras, bounds

    @classmethod
    def start(cls, problem: Problem) -> _Open:
        bounds: dict[str, SpecifierSet] = {}
        for demand in problem.of_kind(Kind.PARENT, Kind.TESTED, Kind.DIVERGED):
            bounds[demand.project] = bounds.get(demand.project, SpecifierSet()) & Requirement(demand.text).specifier
        state = cls({}, {}, {}, bounds)
        for demand in problem.of_kind(Kind.AIRFLOW, Kind.ASKED):
            state._want(Requirement(demand.text))
        return state

    def next_open(self) -> str | None:
        """Name what is wanted and not yet chosen, or is chosen without all of its extras."""
        return next((project for project in self.wanted if project not in self.chosen), None)

    def allows(self, project: str, version: str) -> bool:
        specifiers = self.wanted[project] & self.bounds.get(project, SpecifierSet())
        return specifiers.contains(version, prereleases=True)

    def choose(self, project: str, version: str, needs: Sequence[Requirement]) -> _Open | None:
        """Take a version; None where what it needs cannot go with what is chosen."""
        state = _Open({**self.chosen, project: version}, dict(self.wanted), dict(self.extras), self.bounds)
        for need in needs:
            state._want(need)
        return state if all(state.allows(name, chosen) for name, chosen in state.chosen.items()) else None

    def _want(self, need: Requirement) -> None:
        project = canonicalize_name(need.name)
        self.wanted[project] = self.wanted.get(project, SpecifierSet()) & need.specifier
        if not need.extras <= self.extras.get(project, frozenset()):
            self.extras[project] = self.extras.get(project, frozenset()) | need.extras
            self.chosen.pop(project, None)


def _needs(requires: Sequence[str], problem: Problem, platform: Platform, extras: frozenset[str]) -> list[Requirement]:
    """List what a release requires with these extras."""
    version = Version(problem.python_version)
    environment = {
        "python_version": f"{version.major}.{version.minor}",
        "python_full_version": problem.python_version,
        "platform_machine": platform.machine,
        "sys_platform": "linux",
    }
    found = [Requirement(text) for text in requires]
    return [
        need
        for need in found
        if need.marker is None or any(need.marker.evaluate({**environment, "extra": name}) for name in ("", *extras))
    ]


def _make_resolution(universe: Universe, problem: Problem, platform: Platform, chosen: Mapping[str, str]) -> Resolution:
    candidates = []
    for project, version in sorted(chosen.items()):
        needs = {
            canonicalize_name(need.name) for need in _needs(universe[project][version], problem, platform, frozenset())
        }
        dependencies = tuple(sorted(needs & chosen.keys()))
        candidates.append(ResolvedCandidate(project=project, version=version, dependencies=dependencies))
    return Resolution(platform=platform, candidates=tuple(candidates))


def asking(problem: Problem, *texts: str) -> Problem:
    """Put requirements of stack finance on top."""
    return problem.adding(*(Demand(kind=Kind.ASKED, text=text, source="stack:finance") for text in texts))


def airflow(problem: Problem, version: str) -> Problem:
    """Take another Airflow."""
    demands = tuple(
        replace(demand, text=f"apache-airflow=={version}") if demand.kind is Kind.AIRFLOW else demand
        for demand in problem.demands
    )
    return replace(problem, demands=demands)
