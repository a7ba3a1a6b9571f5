"""Groups of distributions, and how they are joined: the two whose union adds the least expected bytes a night, again and again.

A node pulls a layer whole when anything in it changed, so a layer costs its size times the chance that one of its
distributions changes. Ties are broken by the names of the projects.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from builder.image.plan_items import PlanItem, family

HORIZON_NIGHTS = 30.0
"""Nights over which moving bytes once must pay for itself."""
WORTH_OF_A_LAYER = 4_000.0
"""Bytes a night that a layer must save: a layer costs a request."""
WORTH_BEYOND_SHARE = 64_000.0
"""The same for layers beyond a stack's share: stacks may come to extend it, and need layers too."""

Quiet = tuple[tuple[str, float], ...]
"""By family, the chance that none of its members changes in a night."""
_Offer = tuple[float, tuple[str, ...], tuple[str, ...], int, int]
"""Price of joining two groups, the names of their projects, and the groups' numbers."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """A layer in the making."""

    projects: tuple[str, ...]
    """Sorted."""
    size: int
    quiet: Quiet
    chance: float
    """The chance that the layer changes in a night."""
    settled: int = 0
    """Bytes that nodes hold as this very layer, and would pull again if it changed."""
    name: str = ""
    """Of the layer in the previous plan that this group is; empty for new ones."""

    @property
    def cost(self) -> float:
        """Bytes that are expected to be pulled for it in a night."""
        return self.size * self.chance


def make_group(items: Iterable[PlanItem], *, name: str = "", intact: bool = False) -> Group:
    """Put items together; where nodes hold them as one layer already, its bytes are settled."""
    rows = sorted(items, key=lambda item: item.project)
    chances: dict[str, float] = {}
    for item in rows:
        key = family(item.project)
        chances[key] = max(chances.get(key, 0.0), item.chance)
    size = sum(item.size for item in rows)
    quiet = tuple((key, 1.0 - chance) for key, chance in chances.items())
    return Group(
        projects=tuple(item.project for item in rows),
        size=size,
        quiet=quiet,
        chance=_chance(quiet),
        settled=size if intact else 0,
        name=name,
    )


def join(start: Sequence[Group], slots: int, share: int | None = None) -> list[Group]:
    """Join the cheapest pair until the groups fit and each is worth its layer; O(n² log n).

    Args:
        start: groups to join.
        slots: most groups that may be left.
        share: how many are worth no more than a layer; those beyond must be worth more. By default all.
    """
    work = _Joining(start)
    while (price := work.cheapest()) is not None:
        short = work.count > slots
        beyond = share is not None and work.count > share
        if not short and price >= (WORTH_BEYOND_SHARE if beyond else WORTH_OF_A_LAYER):
            break
        # Two that the nodes have already are joined for want of room alone.
        work.take(_any_pair if short else _not_both_held)
    return work.groups()


def cost_by_count(start: Sequence[Group]) -> tuple[float, ...]:
    """Tell what groups cost a night when joined to so few layers: the first figure is for none, the last for all of them."""
    work = _Joining(start)
    costs = [0.0] * (work.count + 1)
    costs[-1] = sum(group.cost for group in start)
    while (price := work.cheapest()) is not None:
        if work.take(_any_pair):
            costs[work.count] = costs[work.count + 1] + price
    if start:
        costs[0] = math.inf
    return tuple(costs)


_JoinRule = Callable[[Group, Group], bool]
"""Tells whether two groups may be joined."""


def _any_pair(_one: Group, _two: Group) -> bool:
    return True


def _not_both_held(one: Group, two: Group) -> bool:
    return not (one.name and two.name)


class _Joining:
    """The offers of all pairs of some groups.

    NOTE: each pair lies in the heap of its later group, which goes with it; the first of each heap lies in `firsts`.
    """

    def __init__(self, start: Sequence[Group]) -> None:
        self._groups: dict[int, Group] = {}
        self._heaps: dict[int, list[_Offer]] = {}
        for number, group in enumerate(start):
            self._heaps[number] = _offers(self._groups, number, group)
            self._groups[number] = group
        self._firsts = [heap[0] for heap in self._heaps.values() if heap]
        self._next = len(start)
        heapq.heapify(self._firsts)

    @property
    def count(self) -> int:
        """How many groups there are."""
        return len(self._groups)

    def groups(self) -> list[Group]:
        """List what there is."""
        return list(self._groups.values())

    def cheapest(self) -> float | None:
        """Tell the least price; None where no pair is left."""
        while self._firsts and self._firsts[0][4] not in self._groups:
            heapq.heappop(self._firsts)
        return self._firsts[0][0] if self._firsts else None

    def take(self, may: _JoinRule) -> bool:
        """Take the cheapest offer off, and join the pair where it is still there and may be joined; tells whether it was."""
        *_, one, two = heapq.heappop(self._firsts)
        heapq.heappop(self._heaps[two])
        joins = one in self._groups and may(self._groups[one], self._groups[two])
        if joins:
            joined = _merge(self._groups.pop(one), self._groups.pop(two))
            self._heaps[self._next] = _offers(self._groups, self._next, joined)
            self._groups[self._next] = joined
            two, self._next = self._next, self._next + 1
        if self._heaps[two]:
            heapq.heappush(self._firsts, self._heaps[two][0])
        return joins


def _chance(quiet: Iterable[tuple[str, float]]) -> float:
    return 1.0 - math.prod(chance for _, chance in quiet)


def _offers(groups: Mapping[int, Group], number: int, group: Group) -> list[_Offer]:
    """Price the union of a group with each that was there before, as a heap."""
    heap = [_offer(other, group, place, number) for place, other in groups.items()]
    heapq.heapify(heap)
    return heap


def _offer(first: Group, second: Group, one: int, two: int) -> _Offer:
    price = price_of_union(first, second)
    if first.projects < second.projects:
        return price, first.projects, second.projects, one, two
    return price, second.projects, first.projects, one, two


def price_of_union(first: Group, second: Group) -> float:
    """Price a union: what it adds to the expected bytes of a night, and a share of what nodes would pull again."""
    if len(first.quiet) == len(second.quiet) == 1 and first.quiet[0][0] != second.quiet[0][0]:
        chance = 1.0 - first.quiet[0][1] * second.quiet[0][1]  # Most pairs: the same product, sooner.
    else:
        chance = _chance(_union(first.quiet, second.quiet))
    added = first.size * (chance - first.chance) + second.size * (chance - second.chance)
    return added + (first.settled + second.settled) / HORIZON_NIGHTS


def _merge(first: Group, second: Group) -> Group:
    """Join two groups; a group that had a number keeps it, the name of a project alone does not outlive its solitude."""
    quiet = _union(first.quiet, second.quiet)
    numbered = sorted(group.name for group in (first, second) if group.name and len(group.projects) > 1)
    return Group(
        projects=tuple(sorted(first.projects + second.projects)),
        size=first.size + second.size,
        quiet=quiet,
        chance=_chance(quiet),
        name=numbered[0] if numbered else "",
    )


def _union(first: Quiet, second: Quiet) -> Quiet:
    """Join by family, in the order of names; of one that is in both the member counts that changes more likely."""
    rows = sorted(first + second)
    return tuple(row for place, row in enumerate(rows) if not place or rows[place - 1][0] != row[0])
