"""The layer plan: which distribution goes into which layer, so that a night's changes move few bytes.

A node pulls a layer whole when anything in it changed, so a layer costs its size times the chance that one of its
distributions changes. The chance of one is estimated from the age of its release: what came out yesterday will come
out again soon. The rule, in full:

1. Every distribution starts in a layer of its own.
2. While there are more layers than the budget allows, or than are worth it, join the two whose union adds the least
   expected cost.
3. Where the stack has a plan already, its groups are the start in place of 1, and adding to one costs its bytes once,
   spread over `HORIZON_NIGHTS`; two of them are joined only if the budget demands it. So new projects go where they
   cost least, and without changes the plan stays as it is.

Ties are broken by the names of the projects. Only additions, multiplications and divisions are used: their results are
the same on every machine, which logarithms do not promise.

Invariants: a plan is a partition of its items; parents' layers come first, unchanged; names are unique.
Refuses to know: versions, wheels, clocks. docs/layers.md has the numbers.
"""

from __future__ import annotations

import heapq
import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from builder.errors import PlanError
from builder.lock.model import PlannedLayer

RESERVED = 5
"""Layers that are not planned: base debs, Python debs, contract, stack files, and one to spare."""
MEMORY_DAYS = 4.0
"""Added to a release's age before it is turned into a chance: a release of today does not change each night."""
UNKNOWN_AGE_DAYS = 90.0
"""Taken for releases whose upload time the index does not say."""
HORIZON_NIGHTS = 30.0
"""Nights over which moving bytes once must pay for itself."""
WORTH_OF_A_ROOT = 128_000.0
"""Bytes a night that a layer of a stack without parent must save: one that saves less is better left to its children."""
WORTH_OF_A_CHILD = 16_000.0
"""The same for a stack that extends another: few extend it in turn, and a layer costs a request."""
OWN_SHARE = (5, 6)
"""The most that a stack takes of the layers left to it, so that at any depth a stack that extends it finds some."""
FAMILIES = ("apache-airflow-providers-", "google-cloud-", "opentelemetry-")
"""Name prefixes of projects that are released together."""
FAMILY_OF = {
    "aiobotocore": "aws",
    "boto3": "aws",
    "botocore": "aws",
    "grpcio": "grpc",
    "grpcio-status": "grpc",
    "psycopg": "psycopg",
    "psycopg-binary": "psycopg",
    "pydantic": "pydantic",
    "pydantic-core": "pydantic",
}
"""Pairs and triples that pin each other's version."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanItem:
    """What planning needs to know of one distribution."""

    project: str
    """PEP 503 normalised."""
    size: int
    """Bytes of its largest wheel over the platforms."""
    age_days: float | None = None
    """The lock's `created` minus the wheel's upload time; None where the index does not say."""


def make_plan(
    items: Sequence[PlanItem],
    *,
    stack: str,
    budget: int,
    reserved: int = RESERVED,
    parent: tuple[PlannedLayer, ...] = (),
    previous: tuple[PlannedLayer, ...] = (),
) -> tuple[PlannedLayer, ...]:
    """Plan the layers of a stack: its parent's first, then its own, those that change seldom below the others.

    Args:
        items: every project of the stack's lock once, its parents' too, in any order.
        stack: names the layers that are made.
        budget: most layers that the image may have.
        reserved: how many of them are not for distributions.
        parent: the plan of the nearest parent's lock; empty too where the parent stands on another base.
        previous: the plan of this stack's existing lock.

    Raises:
        PlanError: no layer is left for the stack's own projects, or the parent's plan names a project that is no item.
    """
    own = _own_items(items, parent)
    slots = _slots(budget - reserved - len(parent))
    if own and slots < 1:
        raise PlanError(
            f"{len(own)} projects of stack {stack} have no layer left: {reserved} of {budget} are reserved, "
            f"{len(parent)} are the parent's",
            context="image.layers",
            hint=f"set image.layers to {reserved + len(parent) + 3} or more, or the parent's lower",
        )
    worth = WORTH_OF_A_CHILD if parent else WORTH_OF_A_ROOT
    groups = _join(_start(own, stack, parent, previous), slots, worth)
    return parent + _name(groups, stack, parent, previous)


def change_probability(age_days: float | None) -> float:
    """Estimate the chance that a project has a new release tomorrow, from the age of its newest one.

    >>> change_probability(0)
    0.25
    """
    age = UNKNOWN_AGE_DAYS if age_days is None else max(age_days, 0.0)
    return 1.0 / (age + MEMORY_DAYS)


def family(project: str) -> str:
    """Name the projects that are released together with one; a project alone is its own family."""
    for prefix in FAMILIES:
        if project.startswith(prefix):
            return prefix
    return FAMILY_OF.get(project, project)


_Quiet = tuple[tuple[str, float], ...]
"""By family, the chance that none of its members changes in a night."""
_Offer = tuple[float, tuple[str, ...], tuple[str, ...], int, int]
"""Price of joining two groups, the names of their projects, and the groups' numbers."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Group:
    """A layer in the making."""

    projects: tuple[str, ...]
    """Sorted."""
    size: int
    quiet: _Quiet
    chance: float
    """The chance that the layer changes in a night."""
    settled: int = 0
    """Bytes that nodes hold as this very layer, and would pull again if it changed."""
    name: str = ""
    """Of the layer in the previous plan that this group is; empty for new ones."""


def _chance(quiet: Iterable[tuple[str, float]]) -> float:
    return 1.0 - math.prod(chance for _, chance in quiet)


def _own_items(items: Sequence[PlanItem], parent: tuple[PlannedLayer, ...]) -> list[PlanItem]:
    """List what the parent does not hold, by project."""
    projects = Counter(item.project for item in items)
    doubles = sorted(project for project, count in projects.items() if count > 1)
    if doubles:
        raise PlanError(f"planned more than once: {', '.join(doubles)}")
    held = {project for layer in parent for project in layer.projects}
    missing = sorted(held - projects.keys())
    if missing:
        raise PlanError(
            f"the parent's plan holds what this stack does not install: {', '.join(missing)}",
            hint="lock the parent again, then this stack",
        )
    return sorted((item for item in items if item.project not in held), key=lambda item: item.project)


def _slots(left: int) -> int:
    """Take a stack's share of the layers left to it; all, where that is a few."""
    numerator, denominator = OWN_SHARE
    return max(left * numerator // denominator, min(left, 3))


def _start(
    own: Sequence[PlanItem], stack: str, parent: tuple[PlannedLayer, ...], previous: tuple[PlannedLayer, ...]
) -> list[_Group]:
    """Step 1 and 3: the groups of the previous plan that still hold something, and new projects alone."""
    left = {item.project: item for item in own}
    foreign = {layer.name for layer in parent}
    groups: list[_Group] = []
    for layer in previous:
        kept = [left.pop(project) for project in layer.projects if project in left] if layer.stack == stack else []
        if kept:
            intact = len(kept) == len(layer.projects)
            groups.append(_group(kept, name="" if layer.name in foreign else layer.name, intact=intact))
    return groups + [_group([item]) for item in left.values()]


def _group(items: Sequence[PlanItem], *, name: str = "", intact: bool = False) -> _Group:
    chances: dict[str, float] = {}
    for item in sorted(items, key=lambda item: item.project):
        key = family(item.project)
        chances[key] = max(chances.get(key, 0.0), change_probability(item.age_days))
    size = sum(item.size for item in items)
    projects = tuple(sorted(item.project for item in items))
    quiet = tuple((key, 1.0 - chance) for key, chance in chances.items())
    settled = size if intact else 0
    return _Group(projects=projects, size=size, quiet=quiet, chance=_chance(quiet), settled=settled, name=name)


def _join(start: Sequence[_Group], slots: int, worth: float) -> list[_Group]:
    """Step 2: join the cheapest pair until the groups fit and each is worth its layer; O(n² log n).

    NOTE: each pair lies in the heap of its later group, which goes with it; the first of each heap lies in `firsts`.
    """
    groups: dict[int, _Group] = {}
    heaps: dict[int, list[_Offer]] = {}
    for number, group in enumerate(start):
        heaps[number] = _offers(groups, number, group)
        groups[number] = group
    firsts = [heap[0] for heap in heaps.values() if heap]
    heapq.heapify(firsts)
    number = len(groups)
    while firsts:
        price, *_, one, two = heapq.heappop(firsts)
        if len(groups) <= slots and price >= worth:
            break
        if two not in groups:
            continue
        heapq.heappop(heaps[two])
        # Two that the nodes have already are joined for want of room alone.
        if one in groups and (len(groups) > slots or not (groups[one].name and groups[two].name)):
            joined = _merge(groups.pop(one), groups.pop(two))
            heaps[number] = _offers(groups, number, joined)
            groups[number] = joined
            two, number = number, number + 1
        if heaps[two]:
            heapq.heappush(firsts, heaps[two][0])
    return list(groups.values())


def _offers(groups: Mapping[int, _Group], number: int, group: _Group) -> list[_Offer]:
    """Price the union of a group with each that was there before, as a heap."""
    heap = [_offer(other, group, place, number) for place, other in groups.items()]
    heapq.heapify(heap)
    return heap


def _offer(first: _Group, second: _Group, one: int, two: int) -> _Offer:
    """Price a union: what it adds to the expected bytes of a night; the names of its projects break ties."""
    if len(first.quiet) == len(second.quiet) == 1 and first.quiet[0][0] != second.quiet[0][0]:
        chance = 1.0 - first.quiet[0][1] * second.quiet[0][1]  # Most pairs: the same product, sooner.
    else:
        chance = _chance(_union(first.quiet, second.quiet))
    added = first.size * (chance - first.chance) + second.size * (chance - second.chance)
    price = added + (first.settled + second.settled) / HORIZON_NIGHTS
    if first.projects < second.projects:
        return price, first.projects, second.projects, one, two
    return price, second.projects, first.projects, one, two


def _merge(first: _Group, second: _Group) -> _Group:
    """Join two groups; a group that had a number keeps it, the name of a project alone does not outlive its solitude."""
    quiet = _union(first.quiet, second.quiet)
    numbered = sorted(group.name for group in (first, second) if group.name and len(group.projects) > 1)
    return _Group(
        projects=tuple(sorted(first.projects + second.projects)),
        size=first.size + second.size,
        quiet=quiet,
        chance=_chance(quiet),
        name=numbered[0] if numbered else "",
    )


def _union(first: _Quiet, second: _Quiet) -> _Quiet:
    """Join by family, in the order of names; of one that is in both the member counts that changes more likely."""
    rows = sorted(first + second)
    return tuple(row for place, row in enumerate(rows) if not place or rows[place - 1][0] != row[0])


def _name(
    groups: Sequence[_Group], stack: str, parent: tuple[PlannedLayer, ...], previous: tuple[PlannedLayer, ...]
) -> tuple[PlannedLayer, ...]:
    """Order layers and name them: kept groups keep place and name, a project alone gives its own.

    Among new ones, those that change seldom lie below, since a runtime unpacks again what lies above a changed layer.
    """
    places = {layer.name: place for place, layer in enumerate(previous)}
    taken = {layer.name for layer in parent} | {group.name for group in groups}
    layers = []
    for group in sorted(groups, key=lambda group: (places.get(group.name, len(places)), group.chance, group.projects)):
        name = group.name or f"{stack}-{group.projects[0]}"
        if not group.name and (len(group.projects) > 1 or name in taken):
            name = _free_name(stack, taken)
        taken.add(name)
        layers.append(PlannedLayer(name=name, stack=stack, projects=group.projects))
    return tuple(layers)


def _free_name(stack: str, taken: set[str]) -> str:
    return next(name for number in range(1, 1000) if (name := f"{stack}-group-{number:02}") not in taken)
