"""Ways to plan layers: ours, and those of others, each as its makers describe it.

Others plan each stack by itself; equal layers of two stacks are one layer to nodes and registries all the same.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping

import networkx as nx

from bench.layers.histories import History, Member
from builder.image.plan import RESERVED, make_plan
from builder.image.plan_again import StackToPlan, plan_again
from builder.image.plan_items import PlanItem
from builder.image.plan_search import Layers, held_of
from builder.lock.model import PlannedLayer
from tests.support.fleet_nights import PINNED, REPOSITORIES

Groups = tuple[frozenset[str], ...]
Plans = Mapping[str, Groups]
"""By stack, all layers of its image, its parents' among them."""
Scheme = Callable[[History, int], Plans]
"""Plans all stacks of a history on day 0, with so many layers for an image."""


def alone(history: History, _budget: int) -> Plans:
    """A layer for each distribution: no plan pulls less."""
    return {one.name: tuple(frozenset([project]) for project in one.projects) for one in history.members}


def one_layer(history: History, _budget: int) -> Plans:
    """All in one."""
    return {one.name: (frozenset(one.projects),) for one in history.members}


def biggest_alone(history: History, budget: int) -> Plans:
    """One per distribution up to the limit, the biggest first; the rest together."""
    return _first_alone(history, budget, lambda item: (-item.size, item.project))


def popularity(history: History, budget: int) -> Plans:
    """As Nix's `streamLayeredImage`: alone stands what most others need, directly or by others; the rest together."""
    graph: nx.DiGraph[str] = nx.DiGraph()
    graph.add_nodes_from(history.sizes)
    graph.add_edges_from((one, other) for one in history.sizes for other in history.requires.get(one, ()))
    needed = {project: len(nx.ancestors(graph, project)) for project in history.sizes}
    return _first_alone(history, budget, lambda item: (-needed[item.project], item.project))


def _first_alone(history: History, budget: int, key: Callable[[PlanItem], tuple[int, str]]) -> Plans:
    def plan(one: Member) -> Groups:
        order = [item.project for item in sorted(history.items(one.projects, 0), key=key)]
        slots = budget - RESERVED
        groups = [*(frozenset([project]) for project in order[: slots - 1]), frozenset(order[slots - 1 :])]
        return tuple(group for group in groups if group)

    return {one.name: plan(one) for one in history.members}


def origin(history: History, budget: int) -> Plans:
    """As apko's `origin`: what comes from one repository together, the biggest of these alone, the rest in the last layer."""

    def plan(one: Member) -> Groups:
        sizes: Counter[str] = Counter()
        groups: dict[str, set[str]] = {}
        for item in history.items(one.projects, 0):
            name = _repository(item.project)
            sizes[name] += item.size
            groups.setdefault(name, set()).add(item.project)
        order = sorted(groups, key=lambda name: (-sizes[name], name))
        slots = budget - RESERVED
        rest = frozenset(project for name in order[slots - 1 :] for project in groups[name])
        return (*(frozenset(groups[name]) for name in order[: slots - 1]), *([rest] if rest else []))

    return {one.name: plan(one) for one in history.members}


def _repository(project: str) -> str:
    prefix = next((prefix for prefix in REPOSITORIES if project.startswith(prefix)), "")
    return prefix or next((names[0] for names in PINNED if project in names), project)


def locked(history: History, budget: int) -> Plans:
    """Ours, as `lock` makes it of a stack that has no lock: by the ages of releases."""
    plans: dict[str, tuple[PlannedLayer, ...]] = {"": ()}
    for one in history.members:
        items = [
            PlanItem(project=row.project, size=row.size, age_days=row.age_days)
            for row in history.items(one.projects, 0)
        ]
        extended = any(other.parent == one.name for other in history.members)
        plans[one.name] = make_plan(items, stack=one.name, budget=budget, parent=plans[one.parent], extended=extended)
    return {one.name: tuple(frozenset(layer.projects) for layer in plans[one.name]) for one in history.members}


def planned_again(history: History, budget: int) -> Plans:
    """Ours, as `layers --apply --unpushed` makes it, when no node holds anything."""
    return replan(history, budget, locked(history, budget), 0, {})


def replan(history: History, budget: int, plans: Plans, day: int, held: Plans) -> Plans:
    """Plan again by what is known on a day.

    Args:
        history: of the stacks.
        budget: layers of an image.
        plans: those there are.
        day: that it is done on.
        held: by stack, the layers that nodes hold with the bytes of that day.
    """
    rows = [
        StackToPlan(
            stack=one.name,
            parent=one.parent,
            layers=_with_items(history, _own(plans, one), day),
            room=budget - RESERVED,
            held=held_of(_own(held, one)),
        )
        for one in history.members
    ]
    found = {
        row.stack: tuple(frozenset(item.project for item in layer) for layer in row.after) for row in plan_again(rows)
    }
    images: dict[str, Groups] = {"": ()}
    for one in history.members:
        images[one.name] = images[one.parent] + found[one.name]
    del images[""]
    return images


def _own(plans: Plans, one: Member) -> Groups:
    above = set(plans.get(one.parent, ()))
    return tuple(group for group in plans.get(one.name, ()) if group not in above)


def _with_items(history: History, groups: Groups, day: int) -> Layers:
    projects = [project for group in groups for project in group]
    items = {item.project: item for item in history.items(projects, day)}
    return tuple(tuple(items[project] for project in sorted(group)) for group in groups)
