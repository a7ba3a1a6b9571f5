"""Plan stacks again that are locked already: all that extend one another at once, and only where it pays.

1. How many layers each stack may have is tried in two ways: as it is now, with what is left over for the stacks that
   nobody extends; and shared anew, so that the bytes of a night are least, by what each stack's projects cost when
   joined to so few layers. Nodes are taken to run one stack each: what a root costs counts once for every stack on it.
2. For each stack the cheapest grouping within that is looked for: plan_search.py.
3. As it is now, each stack's plan is changed where that pays for itself; shared anew, all of them or none.

What pays: the bytes that nodes pull once, because layers came that they do not hold, are no more than what is saved in
so many nights as the horizon has. The same stacks in any order give the same plans.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache

from builder.errors import PlanError
from builder.image.plan_groups import WORTH_OF_A_LAYER, cost_by_count, make_group
from builder.image.plan_search import Charge, Held, Layers, find_better, night_bytes, once_bytes, sort_layers

PAY_NIGHTS = 15
"""Nights in which a change must pay for itself, unless somebody says otherwise: chances are guesses, and those that seem
to promise most are too good. `bench/layers` pulls more with 30, planned again each week, than with plans left alone."""

LEFT_TO_A_CHILD = 1
"""Layers that a stack which nobody extends leaves, so that one that comes to extend it can be locked, and planned with it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StackToPlan:
    """A stack with a plan."""

    stack: str
    parent: str
    """The stack that it extends, among those that are planned; empty for a root."""
    layers: Layers
    """Its own, without its parents'."""
    room: int
    """Layers that its image may have for distributions, its parents' too."""
    held: Held
    """What nodes hold of its own layers."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Replanned:
    """What planning a stack again gave: of its own layers, not its parents'."""

    stack: str
    before: Layers
    after: Layers
    """As before, where no other plan pays."""
    night_before: float
    """Bytes that a node is expected to pull in a night."""
    night_after: float
    once: int
    """Bytes that a node pulls once, more than it would without the change; none or less where those layers change anyway."""

    @property
    def changed(self) -> bool:
        """Tell whether another plan pays."""
        return self.after != self.before

    @property
    def nights_to_pay(self) -> float:
        """Tell after how many nights less was pulled than without the change."""
        gain = self.night_before - self.night_after
        return max(self.once, 0) / gain if gain > 0 else math.inf


def plan_again(stacks: Sequence[StackToPlan], horizon: float = PAY_NIGHTS) -> tuple[Replanned, ...]:
    """Plan stacks again, parents first.

    Args:
        stacks: some, with all that they extend.
        horizon: nights in which a change must pay for itself.

    Raises:
        PlanError: a stack is named twice, or extends one that is not there.
    """
    return tuple(row for tree in _trees(stacks) for row in _plan_tree(tree, horizon))


def _trees(stacks: Sequence[StackToPlan]) -> list[list[StackToPlan]]:
    """Put together what extends one another, parents first."""
    by_name = {one.stack: one for one in stacks}
    below = _children(stacks)
    if len(by_name) < len(stacks) or any(one.parent and one.parent not in by_name for one in stacks):
        raise PlanError("stacks are named twice, or extend one that is not planned with them")

    def line(name: str) -> list[StackToPlan]:
        return [by_name[name], *(one for child in below[name] for one in line(child))]

    return [line(name) for name in sorted(by_name) if not by_name[name].parent]


def _children(stacks: Sequence[StackToPlan]) -> Mapping[str, list[str]]:
    return {one.stack: sorted(other.stack for other in stacks if other.parent == one.stack) for one in stacks}


def _plan_tree(tree: Sequence[StackToPlan], horizon: float) -> list[Replanned]:
    weights = _weights(tree)
    kept = [_replanned(one, limit, horizon) for one, limit in zip(tree, _limits_now(tree), strict=True)]
    shared = _limits_anew(tree, weights) if len(tree) > 1 else None
    if shared is None:
        return kept
    anew = [_replanned(one, limit, horizon) for one, limit in zip(tree, shared, strict=True)]

    def gain(rows: Sequence[Replanned]) -> float:
        return sum(
            weight * (row.night_before - row.night_after - row.once / horizon)
            for row, weight in zip(rows, weights, strict=True)
        )

    return anew if gain(anew) > max(gain(kept), 0.0) + WORTH_OF_A_LAYER else kept


def _weights(tree: Sequence[StackToPlan]) -> list[int]:
    """Count the stacks whose images hold each stack's layers."""
    parents = {one.stack: one.parent for one in tree}
    counts = dict.fromkeys(parents, 0)
    for one in tree:
        name = one.stack
        while name:
            counts[name] += 1
            name = parents[name]
    return [counts[one.stack] for one in tree]


def _replanned(one: StackToPlan, limit: int, horizon: float) -> Replanned:
    before = sort_layers(one.layers)
    after = find_better(before, limit, Charge(held=one.held, nights=horizon))
    return Replanned(
        stack=one.stack,
        before=before,
        after=after,
        night_before=night_bytes(before),
        night_after=night_bytes(after),
        once=once_bytes(after, one.held) - once_bytes(before, one.held),
    )


def _limits_now(tree: Sequence[StackToPlan]) -> list[int]:
    """Way 1 of step 1: no stack that others extend has more layers than now."""
    below, by_name = _children(tree), {one.stack: one for one in tree}
    limits = []
    for one in tree:
        above, name = 0, one.parent
        while name:
            above += len(by_name[name].layers)
            name = by_name[name].parent
        spare = 0 if below[one.stack] else one.room - above - len(one.layers) - LEFT_TO_A_CHILD
        limits.append(len(one.layers) + max(spare, 0))
    return limits


def _limits_anew(tree: Sequence[StackToPlan], weights: Sequence[int]) -> list[int] | None:
    """Way 2: the shares with which all of them cost least in a night; None where some stack would get no layer."""
    by_name, below = {one.stack: one for one in tree}, _children(tree)
    weight = {one.stack: count for one, count in zip(tree, weights, strict=True)}
    costs = {one.stack: _costs(one) for one in tree}

    @cache
    def best(name: str, used: int) -> tuple[float, int]:
        """Tell the least cost of a stack and those on it, over so many layers of its parents, and with how many of its own."""
        left, own = by_name[name].room - used, costs[name]
        room = left if below[name] else max(left - LEFT_TO_A_CHILD, min(left, 1))
        counts = range(min(len(own) - 1, 1), min(room, len(own) - 1) + 1)
        return min(
            (
                (weight[name] * own[count] + sum(best(child, used + count)[0] for child in below[name]), count)
                for count in counts
            ),
            default=(math.inf, 0),
        )

    limits: dict[str, int] = {}
    used: dict[str, int] = {"": 0}
    for one in tree:
        cost, limits[one.stack] = best(one.stack, used[one.parent])
        used[one.stack] = used[one.parent] + limits[one.stack]
        if math.isinf(cost):
            return None
    return [limits[one.stack] for one in tree]


def _costs(one: StackToPlan) -> tuple[float, ...]:
    """Tell what a stack's own projects cost in so many layers, with what the layers must be worth."""
    costs = cost_by_count([make_group([item]) for layer in sort_layers(one.layers) for item in layer])
    return tuple(cost + count * WORTH_OF_A_LAYER for count, cost in enumerate(costs))
