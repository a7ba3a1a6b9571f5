"""Which packages a base needs: the closure of its roots over Pre-Depends and Depends.

The rules, in their order, for each clause of each selected package:

1. an alternative that a selected package satisfies settles the clause;
2. else an alternative that the base cuts, by name or by what it provides, settles it, and the cut is noted as used;
3. else the first alternative that can be satisfied is selected: by a package of that name, or by the first provider.

Roots are all selected before the first clause is looked at. Recommends are nobody's needs.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from builder.debian.packages import Candidate, Clause, Relation, Universe
from builder.errors import ResolutionError


@dataclass(frozen=True, slots=True, kw_only=True)
class Closure:
    """What a base gets on one architecture."""

    candidates: tuple[Candidate, ...]
    """By package."""
    used_cuts: frozenset[str]


def make_closure(universe: Universe, *, roots: Sequence[str], cuts: Iterable[str]) -> Closure:
    """Close roots over their needs.

    Raises:
        ResolutionError: a root or a need cannot be satisfied, or two selected packages exclude each other; says who
            wants what, for all of them at once.
    """
    search = _Search(universe, frozenset(cuts))
    for root in roots:
        search.select_root(root)
    search.run()
    search.check_conflicts()
    if search.problems:
        raise ResolutionError(
            "\n".join(search.problems),
            context=f"Debian packages for {universe.architecture}",
            hint="change debian.roots or cuts of the base, or look whether its suites are complete",
        )
    candidates = tuple(search.selected[package] for package in sorted(search.selected))
    return Closure(candidates=candidates, used_cuts=frozenset(search.used_cuts))


class _Search:
    """The state of one closure."""

    def __init__(self, universe: Universe, cuts: frozenset[str]) -> None:
        self._universe = universe
        self._cuts = cuts
        self._queue: deque[Candidate] = deque()
        self._wanted_by: dict[str, str] = {}
        self.selected: dict[str, Candidate] = {}
        self.used_cuts: set[str] = set()
        self.problems: list[str] = []

    def select_root(self, root: str) -> None:
        candidate = self._universe.candidate(root)
        if candidate is None:
            self.problems.append(f"no suite has the root {root}")
        else:
            self._select(candidate, wanted_by="")

    def run(self) -> None:
        while self._queue:
            candidate = self._queue.popleft()
            for clause in candidate.depends:
                self._settle(clause, candidate)

    def check_conflicts(self) -> None:
        for package in sorted(self.selected):
            for relation in self.selected[package].conflicts:
                for other in self._selected_satisfying(relation):
                    if other.package != package:
                        self.problems.append(f"{package} excludes {relation}, but {self._chain(other.package)}")

    def _settle(self, clause: Clause, wanting: Candidate) -> None:
        if any(self._selected_satisfying(relation) for relation in clause):
            return
        cuts = {relation.package for relation in clause} & self._cuts
        cuts |= {
            one.package
            for relation in clause
            for one in self._universe.providers(relation.package)
            if one.package in self._cuts
        }
        if cuts:
            self.used_cuts |= cuts
            return
        for relation in clause:
            if found := self._offered_satisfying(relation):
                self._select(found, wanted_by=wanting.package)
                return
        wanted = " | ".join(map(str, clause))
        self.problems.append(f"nothing satisfies {wanted}: {self._chain(wanting.package)}, which wants it")

    def _select(self, candidate: Candidate, *, wanted_by: str) -> None:
        if candidate.package not in self.selected:
            self.selected[candidate.package] = candidate
            self._wanted_by[candidate.package] = wanted_by
            self._queue.append(candidate)

    def _selected_satisfying(self, relation: Relation) -> list[Candidate]:
        named = self.selected.get(relation.package)
        if named and self._satisfies(named, relation):
            return [named]
        return [one for one in self.selected.values() if _provides(one, relation)]

    def _offered_satisfying(self, relation: Relation) -> Candidate | None:
        named = self._universe.candidate(relation.package)
        if named and self._satisfies(named, relation):
            return named
        return next((one for one in self._universe.providers(relation.package) if _provides(one, relation)), None)

    def _satisfies(self, candidate: Candidate, relation: Relation) -> bool:
        """Compare name, version and qualifier; `:any` needs a package that allows it.

        Source: Debian's multiarch specification, "Dependencies".
        """
        qualifier = relation.qualifier
        fits = qualifier in {"", "native", self._universe.architecture} or (
            qualifier == "any" and candidate.multi_arch == "allowed"
        )
        return fits and relation.admits(candidate.version)

    def _chain(self, package: str) -> str:
        """Say how a package came in, as `libc6 (wanted by bash, a root)`."""
        links = []
        while package:
            links.append(package)
            package = self._wanted_by[package]
        ways = [f"wanted by {link}" for link in links[1:]]
        return f"{links[0]} is {', '.join([*ways, 'a root'])}"


def _provides(candidate: Candidate, relation: Relation) -> bool:
    """Tell whether a package provides a name; a version is met by a versioned Provides only (Debian Policy 7.5)."""
    if relation.qualifier not in {"", "any", "native"}:
        return False
    return any(
        provided.package == relation.package
        and (not relation.operator or (bool(provided.version) and relation.admits(provided.version)))
        for provided in candidate.provides
    )
