"""What stands against what in a resolution: every demand with who makes it, so that answers can name them. Pure.

A problem is a set of demands. Relaxing, explaining and trying ways out are all the same: solve it with other demands.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Protocol

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from builder.errors import ResolutionError
from builder.platform import Platform
from builder.resolve.model import IndexAddress, Resolution, ResolutionRequest

AIRFLOW = "apache-airflow"


class Kind(StrEnum):
    """What a demand is."""

    AIRFLOW = "airflow"
    """Airflow itself, and pins of its parts that must never move without it: `project==version`. Never relaxed."""
    ASKED = "asked"
    """A requirement that a stack or one of its parents states."""
    PARENT = "parent"
    """A pin of the parent's lock: `project==version`, holds where the project is chosen. Never relaxed."""
    TESTED = "tested"
    """A line of Airflow's tested constraints, as `project==version`; holds where the project is chosen."""
    DIVERGED = "diverged"
    """A divergence's specifier, in place of the tested line; holds where the project is chosen."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Demand:
    """One thing that must hold."""

    kind: Kind
    text: str
    """PEP 508."""
    source: str
    """Who makes it: `stack:finance`; for PARENT the stack whose lock pins it; for TESTED the name of the file."""
    platform: str | None = None
    """The only platform where it holds; None for all."""

    @property
    def project(self) -> str:
        """The project it is about, PEP 503 normalised."""
        return canonicalize_name(Requirement(self.text).name)


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """What a stack wants, all demands named, on all its platforms."""

    label: str
    """As `stacks/core/stack.toml`."""
    demands: tuple[Demand, ...]
    preferences: tuple[tuple[str, str], ...]
    """Project and version kept where they can be: pins of the lock before."""
    python_version: str
    glibc: str
    platforms: tuple[Platform, ...]
    index: IndexAddress
    lowest_direct: bool = False

    def of_kind(self, *kinds: Kind) -> tuple[Demand, ...]:
        """List demands of these kinds, in order."""
        return tuple(demand for demand in self.demands if demand.kind in kinds)

    def without(self, dropped: Iterable[Demand]) -> Problem:
        """Leave demands out."""
        gone = frozenset(dropped)
        return replace(self, demands=tuple(demand for demand in self.demands if demand not in gone))

    def adding(self, *demands: Demand) -> Problem:
        """Put demands on top."""
        return replace(self, demands=(*self.demands, *demands))

    def preferring(self, preferences: Iterable[tuple[str, str]]) -> Problem:
        """Take other preferences."""
        return replace(self, preferences=tuple(preferences))

    def on(self, *platforms: Platform) -> Problem:
        """Take other platforms."""
        return replace(self, platforms=platforms)


@dataclass(frozen=True, slots=True, kw_only=True)
class Solved:
    """It can be had."""

    resolutions: tuple[Resolution, ...]
    """One for each platform, in the problem's order."""

    def versions(self) -> dict[str, str]:
        """Map project to version; the first platform's where platforms differ."""
        found: dict[str, str] = {}
        for resolution in self.resolutions:
            for candidate in resolution.candidates:
                found.setdefault(candidate.project, candidate.version)
        return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Unsolved:
    """It cannot be had on a platform."""

    platform: Platform
    error: ResolutionError
    """The resolver's own words are its message; its whole derivation its cause."""
    named: frozenset[str]
    """Projects that the resolver's derivation names: those that stand in its proof are among them, mostly."""


class Solver(Protocol):
    """Solves problems; answers are remembered, so asking the same twice costs nothing. Safe in several threads."""

    def solve(self, problem: Problem) -> Solved | Unsolved:
        """Solve on all platforms; the first platform that fails is the answer.

        Raises:
            PackageIndexError: the index answered wrongly or not at all.
        """


def make_request(problem: Problem, platform: Platform) -> ResolutionRequest:
    """Make what a resolver is asked for one platform."""
    demands = [demand for demand in problem.demands if demand.platform in {None, platform.name}]
    parts = [demand for demand in demands if demand.kind is Kind.AIRFLOW]
    asked = [demand for demand in parts if demand.project == AIRFLOW]
    asked += [demand for demand in demands if demand.kind is Kind.ASKED]
    pins = [demand for demand in parts if demand.project != AIRFLOW]
    pins += [demand for demand in demands if demand.kind is Kind.PARENT]
    constraints = [demand for demand in demands if demand.kind in {Kind.TESTED, Kind.DIVERGED}]
    return ResolutionRequest(
        label=problem.label,
        requirements=tuple(demand.text for demand in asked),
        python_version=problem.python_version,
        glibc=problem.glibc,
        platform=platform,
        index=problem.index,
        pins=tuple((demand.project, demand.text.partition("==")[2].strip()) for demand in pins),
        constraints=tuple(demand.text for demand in constraints),
        preferences=problem.preferences,
        lowest_direct=problem.lowest_direct,
    )
