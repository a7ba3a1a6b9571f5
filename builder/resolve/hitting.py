"""Smallest sets that take something out of every core. Pure."""

from __future__ import annotations

from collections.abc import Collection, Hashable, Sequence

_MOST_NODES = 20_000
"""Of the search tree: well below a second. Real conflicts need a few dozen."""


def smallest_hitting_set(cores: Sequence[Collection[Hashable]], order: Sequence[Hashable]) -> tuple[int, ...] | None:
    """Find a smallest set that shares a member with each core; exact, by branch and bound.

    Args:
        cores: none of them empty.
        order: all members, by which is taken rather where sets are of one size.

    Returns:
        Positions in `order`, sorted; None where the search would be too long.
    """
    rank = {member: position for position, member in enumerate(order)}
    sets = sorted(
        {tuple(sorted(rank[member] for member in core)) for core in cores}, key=lambda core: (len(core), core)
    )
    search = _Search(best=tuple(sorted(_greedy(sets))))
    search.go((), sets, frozenset())
    return None if search.nodes > _MOST_NODES else search.best


class _Search:
    """A depth-first search that keeps the best so far."""

    def __init__(self, best: tuple[int, ...]) -> None:
        self.best = best
        self.nodes = 0

    def go(self, chosen: tuple[int, ...], open_: list[tuple[int, ...]], excluded: frozenset[int]) -> None:
        """Extend what is chosen until nothing is open; members of `excluded` were tried in branches before."""
        self.nodes += 1
        if self.nodes > _MOST_NODES:
            return
        if not open_:
            found = tuple(sorted(chosen))
            if (len(found), found) < (len(self.best), self.best):
                self.best = found
            return
        if len(chosen) + _least(open_) > len(self.best):
            return
        for member in open_[0]:
            if member not in excluded:
                self.go((*chosen, member), [core for core in open_ if member not in core], excluded)
                excluded |= {member}


def _least(open_: list[tuple[int, ...]]) -> int:
    """Count cores that have no member in common: each needs one of its own."""
    used: set[int] = set()
    count = 0
    for core in open_:
        if used.isdisjoint(core):
            used.update(core)
            count += 1
    return count


def _greedy(sets: list[tuple[int, ...]]) -> set[int]:
    chosen: set[int] = set()
    for core in sets:
        if chosen.isdisjoint(core):
            chosen.add(core[0])
    return chosen
