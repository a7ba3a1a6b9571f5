"""Search for a better plan of one stack: distributions go from layer to layer while that saves more than it costs once.

1. From each start, a distribution goes where it saves most, or into a layer of its own, and what nodes hold as one layer is
   put together again, as long as anything saves.
2. What nodes do not hold costs its bytes once, spread over the horizon. No single step away from a layer that they hold
   may pay while several do; so the search is made too from where it leads when bytes once cost nothing, and little.
3. The cheapest that was found is taken; what there was, unless another saves more than a hundredth.

The same groups in any order give the same plan. Costs are of the planned items alone; see plan_groups.py.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

from builder.image.plan_groups import WORTH_OF_A_LAYER, join, make_group
from builder.image.plan_items import PlanItem, family

Layers = tuple[tuple[PlanItem, ...], ...]
"""A grouping; items of a layer by project, layers by their first."""
Held = Mapping[str, frozenset[str]]
"""By project, the group of projects that nodes hold as one layer with it, with these very bytes."""
LEAST_GAIN = 0.01
"""Of a night's bytes: a plan is not changed for less."""
_ROUNDS = 30
"""Most times that all distributions are looked at; few are needed."""
_LEAST_STEP = 100.0
"""Bytes a night that a step must save: less is not worth the search."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Charge:
    """What counts against a grouping."""

    held: Held
    nights: float
    """Over which bytes that are pulled once are spread."""

    def total(self, layers: Iterable[Sequence[PlanItem]]) -> float:
        """Add up what layers cost in a night, with their share of what is pulled once."""
        rows = list(layers)
        return night_bytes(rows) + once_bytes(rows, self.held) / self.nights


def night_bytes(layers: Iterable[Sequence[PlanItem]]) -> float:
    """Tell how many bytes are expected to be pulled in a night."""
    return sum(make_group(layer).cost for layer in layers)


def once_bytes(layers: Iterable[Sequence[PlanItem]], held: Held) -> int:
    """Tell how many bytes are pulled when this grouping comes: all layers that nodes do not hold."""
    return sum(
        sum(item.size for item in layer) for layer in layers if not _is_held({item.project for item in layer}, held)
    )


def held_of(groups: Iterable[Iterable[str]]) -> Held:
    """Index what nodes hold; each project is in one group at most."""
    return {project: group for group in map(frozenset, groups) for project in group}


def _is_held(projects: AbstractSet[str], held: Held) -> bool:
    return not projects or held.get(next(iter(projects))) == projects


def find_better(layers: Layers, limit: int, charge: Charge) -> Layers:
    """Find a grouping of the same items into at most so many layers; the one there was, where none is better.

    Args:
        layers: the grouping there is.
        limit: most layers; at least one, where there are items.
        charge: what counts.
    """
    now = sort_layers(layers)
    items = [item for layer in now for item in layer]
    if not items:
        return now
    start = now if len(now) <= limit else _joined(now, limit)
    starts = dict.fromkeys(_starts(start, items, limit, charge))
    found = [start, *(_searched(one, limit, charge) for one in starts)]
    least = min(found, key=charge.total)
    pays = charge.total(least) < charge.total(start) - LEAST_GAIN * night_bytes(start)
    return least if pays else start


def sort_layers(layers: Iterable[Iterable[PlanItem]]) -> Layers:
    """Put items and layers in order."""
    rows = (tuple(sorted(layer, key=lambda item: item.project)) for layer in layers)
    return tuple(sorted((row for row in rows if row), key=lambda row: row[0].project))


def _starts(now: Layers, items: Sequence[PlanItem], limit: int, charge: Charge) -> Iterator[Layers]:
    """Step 2: what there is; where it leads when bytes once are cheap; and a plan from nothing."""
    yield now
    for share in (4.0, 1e9):
        yield _searched(now, limit, Charge(held=charge.held, nights=charge.nights * share))
    yield _joined(tuple((item,) for item in items), limit)


def _joined(layers: Layers, limit: int) -> Layers:
    by_project = {item.project: item for layer in layers for item in layer}
    groups = join([make_group(layer) for layer in layers], limit)
    return sort_layers([by_project[project] for project in group.projects] for group in groups)


def _searched(layers: Layers, limit: int, charge: Charge) -> Layers:
    search = _Search(layers, limit, charge)
    for _ in range(_ROUNDS):
        if not (search.move_each() | search.restore_each()):
            break
    return sort_layers(search.layers())


class _Layer:
    """A layer that items come to and go from; what that would cost is told without doing it."""

    def __init__(self, items: Iterable[PlanItem], charge: Charge) -> None:
        self.items = {item.project: item for item in items}
        self._charge = charge
        self._families: dict[str, dict[str, float]] = {}
        self._quiet: dict[str, float] = {}
        self.size = 0
        self.still = 1.0
        """The chance that nothing in it changes in a night."""
        self.cost = 0.0
        self._settle()

    def _settle(self) -> None:
        self._families = {}
        for project in sorted(self.items):
            self._families.setdefault(family(project), {})[project] = 1.0 - self.items[project].chance
        self._quiet = {name: min(members.values()) for name, members in self._families.items()}
        self.size = sum(item.size for item in self.items.values())
        self.still = 1.0
        for quiet in self._quiet.values():
            self.still *= quiet
        held = _is_held(self.items.keys(), self._charge.held)
        self.cost = self._priced(self.size, self.still, held=held)

    def _priced(self, size: int, still: float, *, held: bool) -> float:
        return size * (1.0 - still) + (0 if held else size) / self._charge.nights

    def cost_with(self, item: PlanItem, name: str) -> float:
        """Tell what it would cost with an item more, whose family has this name."""
        before, quiet = self._quiet.get(name, 1.0), 1.0 - item.chance
        still = self.still if quiet >= before else self.still / before * quiet
        group = self._charge.held.get(item.project, frozenset())
        held = len(group) == len(self.items) + 1 and group > self.items.keys()
        return self._priced(self.size + item.size, still, held=held)

    def cost_without(self, item: PlanItem, name: str) -> float:
        """Tell what it would cost without one of its items."""
        left = [quiet for project, quiet in self._families[name].items() if project != item.project]
        still = self.still / self._quiet[name] * (min(left) if left else 1.0)
        other = next((project for project in self.items if project != item.project), "")
        group = self._charge.held.get(other, frozenset())
        held = not other or (
            len(group) == len(self.items) - 1 and group < self.items.keys() and item.project not in group
        )
        return self._priced(self.size - item.size, still, held=held)

    def put(self, items: Iterable[PlanItem]) -> None:
        """Hold these items from now on."""
        self.items = {item.project: item for item in items}
        self._settle()


class _Search:
    """A grouping that changes step by step."""

    def __init__(self, layers: Layers, limit: int, charge: Charge) -> None:
        self._layers = [_Layer(layer, charge) for layer in layers]
        self._limit, self._charge = limit, charge
        self._home = {project: layer for layer in self._layers for project in layer.items}
        self._items = sorted((item for layer in layers for item in layer), key=lambda item: (-item.size, item.project))
        self._by_project = {item.project: item for item in self._items}

    def layers(self) -> list[list[PlanItem]]:
        """List what there is."""
        return [list(layer.items.values()) for layer in self._layers]

    def move_each(self) -> bool:
        """Let each item go where it saves most, the biggest first; tells whether any went."""
        return sum(self._move(item) for item in self._items) > 0

    def _move(self, item: PlanItem) -> bool:
        home, name = self._home[item.project], family(item.project)
        leaving = home.cost_without(item, name) - home.cost
        best, where = -_LEAST_STEP, home
        for layer in self._layers:
            # It is pulled at least as often as what is there already: mostly that alone is too much.
            if leaving + item.size * (1.0 - layer.still) >= best or layer is home:
                continue
            change = leaving + layer.cost_with(item, name) - layer.cost
            if change < best:
                best, where = change, layer
        if len(self._layers) < self._limit and len(home.items) > 1:
            alone = _Layer([item], self._charge)
            if leaving + alone.cost + WORTH_OF_A_LAYER < best:
                self._layers.append(alone)
                where = alone
        if where is home:
            return False
        self._place([item], where)
        return True

    def restore_each(self) -> bool:
        """Put together again what nodes hold as one layer, where that saves; tells whether any was."""
        groups = sorted({group for group in self._charge.held.values() if group <= self._by_project.keys()}, key=sorted)
        return sum(self._restore(group) for group in groups) > 0

    def _restore(self, group: frozenset[str]) -> bool:
        touched = list({id(self._home[project]): self._home[project] for project in sorted(group)}.values())
        if len(touched) == 1 and touched[0].items.keys() == group:
            return False
        rests = [[item for item in layer.items.values() if item.project not in group] for layer in touched]
        new = _Layer([self._by_project[project] for project in sorted(group)], self._charge)
        count = len(self._layers) + 1 - sum(1 for rest in rests if not rest)
        after = new.cost + sum(_Layer(rest, self._charge).cost for rest in rests)
        if count > self._limit or after >= sum(layer.cost for layer in touched) - _LEAST_STEP:
            return False
        self._layers.append(new)
        self._place(list(new.items.values()), new)
        return True

    def _place(self, items: Sequence[PlanItem], where: _Layer) -> None:
        for item in items:
            home = self._home[item.project]
            if home is not where:
                home.put(one for one in list(home.items.values()) if one is not item)
                self._home[item.project] = where
        where.put([*(one for one in where.items.values() if one not in items), *items])
        self._layers = [layer for layer in self._layers if layer.items]
