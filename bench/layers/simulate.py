"""What nights cost with a plan: bytes that a node pulls, and bytes that a registry stores."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from bench.layers.histories import History
from bench.layers.schemes import Groups, Plans

Again = Callable[[Plans, int, frozenset[str]], Plans]
"""Given the plans there are, the day and what changed in its night: those to go on with."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """What the nights cost."""

    pulled: tuple[float, ...]
    """By night: bytes that a node with one of the stacks pulls, on average over the stacks."""
    stored: int
    """Bytes that a registry has for all stacks after all nights, each layer once."""
    layers: int
    """Of the stack that has most, on the last night."""

    @property
    def median(self) -> float:
        """Of the nights."""
        return statistics.median(self.pulled)

    @property
    def mean(self) -> float:
        """Of the nights."""
        return statistics.mean(self.pulled)


def simulate(history: History, plans: Plans, names: Sequence[str], again: Again | None = None) -> Cost:
    """Go through the nights.

    Args:
        history: with the nights.
        plans: of day 0, by stack.
        names: the stacks that count; nodes run one each, a registry holds them all.
        again: plans again, after each night.
    """
    sizes = dict(history.sizes)
    before = {name: plans[name] for name in names}
    stored = _bytes({group for groups in before.values() for group in groups}, sizes)
    pulled = []
    for night in history.nights:
        if night.day <= 0:
            continue
        sizes |= {name: size for name, size in night.released.items() if name in sizes}
        moved = frozenset(night.released)
        if again is not None:
            plans = again(plans, night.day, moved)
        after = {name: plans[name] for name in names} if again is not None else before
        new = {name: _new(before[name], after[name], moved) for name in names}
        stored += _bytes(set().union(*new.values()), sizes)
        if night.charged:
            pulled.append(statistics.mean(_bytes(groups, sizes) for groups in new.values()))
        before = after
    return Cost(pulled=tuple(pulled), stored=stored, layers=max(len(groups) for groups in before.values()))


def _new(before: Groups, after: Groups, moved: frozenset[str]) -> set[frozenset[str]]:
    held = set(before)
    return {group for group in after if group not in held or group & moved}


def _bytes(groups: set[frozenset[str]], sizes: dict[str, int]) -> int:
    return sum(sizes[project] for group in groups for project in group)
