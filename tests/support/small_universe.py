"""A handful of projects, and a solver that tries everything: what it calls impossible is."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from packaging.requirements import Requirement
from packaging.version import Version

from builder.errors import ResolutionError
from builder.platform import AMD64, Platform
from builder.resolve.model import IndexAddress, Resolution, ResolutionRequest, ResolvedCandidate
from builder.resolve.problem import AIRFLOW, Demand, Kind, Problem, Solved, Unsolved, make_request

Universe = Mapping[str, Mapping[str, Sequence[str]]]
"""Project to version to requirements; a requirement may end in `; PLATFORM`."""


def name_all(universe: Universe, _request: ResolutionRequest) -> frozenset[str]:
    """Name every project, as the longest derivation would."""
    return frozenset(universe)


@dataclass(slots=True)
class ExhaustiveSolver:
    """A Solver by depth-first search: preferences first, then the newest, or the lowest where that is asked for."""

    universe: Universe
    name: Callable[[Universe, ResolutionRequest], frozenset[str]] = name_all
    """Which projects the derivation of a failure names."""
    asked: list[Problem] = field(default_factory=list)

    def solve(self, problem: Problem) -> Solved | Unsolved:
        """Solve on all platforms."""
        self.asked.append(problem)
        resolutions = []
        for platform in problem.platforms:
            request = make_request(problem, platform)
            try:
                resolutions.append(resolve(self.universe, request))
            except ResolutionError as error:
                return Unsolved(platform=platform, error=error, named=self.name(self.universe, request))
        return Solved(resolutions=tuple(resolutions))


def resolve(universe: Universe, request: ResolutionRequest) -> Resolution:
    """Resolve for one platform by trying everything; raises ResolutionError, which names all projects."""
    chosen = _search(universe, request, request.platform, {}, list(request.requirements))
    if chosen is None:
        raise ResolutionError(f"no solution among {' '.join(universe)}")
    return Resolution(platform=request.platform, candidates=_candidates(universe, chosen, request.platform))


@dataclass(frozen=True, slots=True)
class ExhaustiveResolver:
    """A Resolver that tries everything."""

    universe: Universe
    name: str = "exhaustive 1"

    def resolve(self, request: ResolutionRequest) -> Resolution:
        """Resolve for one platform."""
        return resolve(self.universe, request)


def make_problem(
    *asked: str,
    tested: Mapping[str, str] | None = None,
    pinned: Mapping[str, str] | None = None,
    airflow: str = "",
    platforms: tuple[Platform, ...] = (AMD64,),
    preferences: Mapping[str, str] | None = None,
) -> Problem:
    """Make a problem of stack finance: what it asks for, tested versions by project, pins of its parent core, its Airflow."""
    demands = [Demand(kind=Kind.AIRFLOW, text=f"{AIRFLOW}=={airflow}", source="stack:core")] if airflow else []
    demands += [Demand(kind=Kind.ASKED, text=text, source="stack:finance") for text in asked]
    demands += [
        Demand(kind=Kind.PARENT, text=f"{project}=={version}", source="stack:core")
        for project, version in (pinned or {}).items()
    ]
    demands += [
        Demand(kind=Kind.TESTED, text=f"{project}=={version}", source="constraints.txt")
        for project, version in (tested or {}).items()
    ]
    return Problem(
        label="stacks/finance/stack.toml",
        demands=tuple(demands),
        preferences=tuple((preferences or {}).items()),
        python_version="3.13.5",
        glibc="2.41",
        platforms=platforms,
        index=IndexAddress(url="http://index.invalid/finance/simple", proxy="http://127.0.0.1:1"),
    )


def _applies(text: str, platform: Platform) -> bool:
    marker = text.partition(";")[2].strip()
    return not marker or marker == platform.name


def _search(
    universe: Universe, request: ResolutionRequest, platform: Platform, chosen: dict[str, str], todo: list[str]
) -> dict[str, str] | None:
    todo = [text for text in todo if _applies(text, platform)]
    if not todo:
        return chosen
    wanted = Requirement(todo[0].partition(";")[0])
    if wanted.name in chosen:
        fits = wanted.specifier.contains(chosen[wanted.name], prereleases=True)
        return _search(universe, request, platform, chosen, todo[1:]) if fits else None
    for version in _versions(universe, request, wanted.name):
        if wanted.specifier.contains(version, prereleases=True):
            more = universe[wanted.name][version]
            found = _search(universe, request, platform, chosen | {wanted.name: version}, [*todo[1:], *more])
            if found is not None:
                return found
    return None


def _versions(universe: Universe, request: ResolutionRequest, project: str) -> Iterator[str]:
    """Give the versions that constraints allow, the one to be tried first first."""
    bounds = [Requirement(text) for text in request.constraints]
    bounds += [Requirement(f"{name}=={version}") for name, version in request.pins]
    direct = {Requirement(text).name for text in request.requirements}
    preferred = dict(request.preferences).get(project)
    newest_first = not (request.lowest_direct and project in direct)
    versions = sorted(universe.get(project, ()), key=Version, reverse=newest_first)
    for version in sorted(versions, key=lambda version: version != preferred):
        if all(bound.specifier.contains(version) for bound in bounds if bound.name == project):
            yield version


def _candidates(universe: Universe, chosen: Mapping[str, str], platform: Platform) -> tuple[ResolvedCandidate, ...]:
    return tuple(
        ResolvedCandidate(
            project=project,
            version=version,
            dependencies=tuple(
                sorted(
                    Requirement(text.partition(";")[0]).name
                    for text in universe[project][version]
                    if _applies(text, platform)
                )
            ),
        )
        for project, version in sorted(chosen.items())
    )
