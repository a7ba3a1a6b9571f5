"""Finds where demands meet and clash: the chain of requirements from who asks to what stands against it. Pure over offers.

It walks as a resolver does, newest first, from what is asked for along the wheels' own metadata. Where two bounds of one
project leave no version, the newer of the two decisions that led there is taken back, and the walk begins again; what the
first failure of a project was is what is told of it. A story of the proof, not the proof: that is the resolver's.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace

from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

from builder.resolve.problem import Demand, Kind
from builder.resolve.releases import Catalogue, Fault, allowed

_MOST_WALKS = 80
_MOST_READ = 600
"""Metadata of so many releases is read at most: they may have to be fetched."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """A release and one of its requirements, as its metadata says it."""

    project: str
    version: str
    needs: Requirement


@dataclass(frozen=True, slots=True, kw_only=True)
class Chain:
    """How a bound came to be: a demand, then requirements, each of the release that the one before led to."""

    demand: Demand
    steps: tuple[Step, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Clash:
    """Bounds of one project that leave no version of it."""

    project: str
    chain: Chain
    against: Chain | Fault
    """What stands against the end of the chain; a Fault where it fails by itself."""
    others: int = 0
    """So many other versions of what the chain's demand asks for were tried and fail too."""


@dataclass(frozen=True, slots=True)
class _Bound:
    specifier: SpecifierSet
    chain: Chain


@dataclass(slots=True)
class _Walk:
    """One walk from the demands, newest first."""

    bounds: dict[str, list[_Bound]] = field(default_factory=dict)
    chosen: dict[str, str] = field(default_factory=dict)
    extras: dict[str, frozenset[str]] = field(default_factory=dict)


def find_clash(demands: Sequence[Demand], catalogue: Catalogue, within: Collection[str] = ()) -> Clash | None:
    """Find where demands clash.

    Args:
        demands: a core and Airflow; the fewer, the truer the story.
        catalogue: of the platform that cannot be had.
        within: only these projects are looked at, where any are named.

    Returns:
        None where the walk comes to an end, or is given up.
    """
    return _Search(
        demands, catalogue, frozenset(within) | {demand.project for demand in demands} if within else None
    ).run()


class _Search:
    def __init__(self, demands: Sequence[Demand], catalogue: Catalogue, within: frozenset[str] | None) -> None:
        self._roots = [demand for demand in demands if demand.kind in {Kind.AIRFLOW, Kind.ASKED}]
        self._pins = [demand for demand in demands if demand.kind not in {Kind.AIRFLOW, Kind.ASKED}]
        self._catalogue = catalogue
        self._within = within
        self._excluded: dict[str, set[str]] = {}
        self._first: dict[str, Clash] = {}
        self._read: set[tuple[str, str]] = set()

    def run(self) -> Clash | None:
        for _ in range(_MOST_WALKS):
            found = self._walk()
            if found is None or len(self._read) > _MOST_READ:
                return None
            blamed = self._blame(found)
            if blamed is None:
                asked = found.chain.demand.project
                others = max(len(self._excluded.get(asked, ())) - 1, 0)
                return replace(self._first.get(asked, found), others=others)
            project, version = blamed
            self._first.setdefault(project, found)
            self._excluded.setdefault(project, set()).add(version)
        return None

    def _walk(self) -> Clash | None:
        walk = _Walk()
        for demand in self._pins:
            bound = _Bound(Requirement(demand.text).specifier, Chain(demand=demand))
            walk.bounds.setdefault(demand.project, []).append(bound)
        queue = deque((Requirement(demand.text), Chain(demand=demand)) for demand in self._roots)
        while queue:
            requirement, chain = queue.popleft()
            if chain.steps or self._catalogue.heeds(requirement):
                clash = self._take(walk, requirement, chain, queue)
                if clash is not None:
                    return clash
        return None

    def _take(
        self, walk: _Walk, requirement: Requirement, chain: Chain, queue: deque[tuple[Requirement, Chain]]
    ) -> Clash | None:
        """Add a bound; choose the newest version that is left, and go on with what it requires."""
        project = canonicalize_name(requirement.name)
        if self._within is not None and project not in self._within:
            return None
        fault = self._catalogue.fault_of(requirement)
        if fault is not None:
            return Clash(project=project, chain=chain, against=fault)
        earlier = walk.bounds.setdefault(project, [])
        bound = _Bound(requirement.specifier, chain)
        left = self._left(project, [*earlier, bound])
        if not left:
            return self._clash(project, earlier, bound)
        earlier.append(bound)
        fresh = [version for version in left if version not in self._excluded.get(project, ())]
        if not fresh:
            # All were tried: the story of the first one stands, told from who leads here now.
            return _joined(self._first[project], project, chain)
        extras = walk.extras.get(project, frozenset()) | requirement.extras
        if walk.chosen.get(project) == fresh[0] and extras == walk.extras.get(project):
            return None
        walk.chosen[project], walk.extras[project] = fresh[0], extras
        self._read.add((project, fresh[0]))
        for need in self._catalogue.requires(project, fresh[0], sorted(extras)):
            step = Step(project=project, version=fresh[0], needs=need)
            queue.append((need, Chain(demand=chain.demand, steps=(*chain.steps, step))))
        return None

    def _left(self, project: str, bounds: Sequence[_Bound]) -> tuple[str, ...]:
        specifier = SpecifierSet()
        for bound in bounds:
            specifier &= bound.specifier
        return allowed(specifier, self._catalogue.usable(project))

    def _clash(self, project: str, earlier: Sequence[_Bound], bound: _Bound) -> Clash:
        """Name the earlier bound that a new one clashes with: a single one where there is one, pins before others."""
        ranked = sorted(earlier, key=lambda other: len(other.chain.steps))
        alone = next((other for other in ranked if not self._left(project, [other, bound])), ranked[0])
        return Clash(project=project, chain=bound.chain, against=alone.chain)

    def _blame(self, clash: Clash) -> tuple[str, str] | None:
        """Name the release to do without: the one that made the chain's last bound, else the other side's last."""
        chains = [clash.chain, *([clash.against] if isinstance(clash.against, Chain) else [])]
        for chain in chains:
            for step in reversed(chain.steps):
                if step.version not in self._excluded.get(step.project, ()):
                    return step.project, step.version
        return None


def _joined(first: Clash, project: str, chain: Chain) -> Clash:
    """Tell a project's first failure from another chain that leads to the project."""
    for side, other in ((first.chain, first.against), (first.against, first.chain)):
        if not isinstance(side, Chain):
            continue
        for position, step in enumerate(side.steps):
            if step.project == project:
                joined = Chain(demand=chain.demand, steps=(*chain.steps, *side.steps[position:]))
                return Clash(project=first.project, chain=joined, against=other)
    return first
