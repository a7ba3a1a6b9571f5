"""The layer plan: which distribution goes into which layer, so that a night's changes move few bytes.

A node pulls a layer whole when anything in it changed, so a layer costs its size times the chance that one of its
distributions changes; plan_items.py says how likely that is. The rule, in full:

1. Every distribution starts in a layer of its own.
2. While there are more layers than the stack may have, or than are worth it, join the two whose union adds the least
   expected cost. A stack that others extend may have half of what its parents leave, another all but a few; of a root,
   layers beyond the half must be worth more.
3. Where the stack has a plan already, its groups are the start in place of 1, and adding to one costs its bytes once,
   spread over `HORIZON_NIGHTS`; two of them are joined only if the budget demands it. So new projects go where they
   cost least, and without changes the plan stays as it is.

A plan that is kept ages: plan_again.py tells when another one pays. Ties are broken by the names of the projects.

Invariants: a plan is a partition of its items; parents' layers come first, unchanged; names are unique.
Refuses to know: versions, wheels, clocks. docs/layers.md has the numbers.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from builder.errors import PlanError
from builder.image.plan_groups import Group, join, make_group
from builder.image.plan_items import PlanItem
from builder.lock.model import PlannedLayer

RESERVED = 5
"""Layers that are not planned: base debs, Python debs, contract, stack files, and one to spare."""
SHARE_DIVISOR = 2
"""A stack that others extend takes at most half of the layers left to it, so that at any depth they find some."""
LEFT_TO_CHILDREN = 3
"""Layers that a stack leaves even where no stack extends it yet; and what it takes itself, however few are left."""


def make_plan(
    items: Sequence[PlanItem],
    *,
    stack: str,
    budget: int,
    reserved: int = RESERVED,
    parent: tuple[PlannedLayer, ...] = (),
    previous: tuple[PlannedLayer, ...] = (),
    extended: bool = True,
) -> tuple[PlannedLayer, ...]:
    """Plan the layers of a stack: its parent's first, then its own, those that change seldom below the others.

    Args:
        items: every project of the stack's lock once, its parents' too, in any order.
        stack: names the layers that are made.
        budget: most layers that the image may have.
        reserved: how many of them are not for distributions.
        parent: the plan of the nearest parent's lock; empty too where the parent stands on another base.
        previous: the plan of this stack's existing lock.
        extended: whether other stacks extend it, and need layers too.

    Raises:
        PlanError: no layer is left for the stack's own projects, or the parent's plan names a project that is no item.
    """
    own = _own_items(items, parent)
    left = budget - reserved - len(parent)
    kept = sum(1 for layer in previous if layer.stack == stack)
    least = min(left, max(LEFT_TO_CHILDREN, kept))
    share = max(left // SHARE_DIVISOR, least)
    # What is new in a plan that is kept may go beyond the share: it would burden layers that nodes hold.
    slots = share if extended and not kept else max(left - LEFT_TO_CHILDREN, least)
    if own and slots < 1:
        raise PlanError(
            f"{len(own)} projects of stack {stack} have no layer left: {reserved} of {budget} are reserved, "
            f"{len(parent)} are the parent's",
            context="image.layers",
            hint=f"set image.layers to {reserved + len(parent) + 3} or more, or the parent's lower",
        )
    groups = join(_start(own, stack, parent, previous), slots, slots if parent else share)
    return parent + name_layers(groups, stack, parent, previous)


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


def _start(
    own: Sequence[PlanItem], stack: str, parent: tuple[PlannedLayer, ...], previous: tuple[PlannedLayer, ...]
) -> list[Group]:
    """Step 1 and 3: the groups of the previous plan that still hold something, and new projects alone."""
    left = {item.project: item for item in own}
    foreign = {layer.name for layer in parent}
    groups: list[Group] = []
    for layer in previous:
        kept = [left.pop(project) for project in layer.projects if project in left] if layer.stack == stack else []
        if kept:
            intact = len(kept) == len(layer.projects)
            groups.append(make_group(kept, name="" if layer.name in foreign else layer.name, intact=intact))
    return groups + [make_group([item]) for item in left.values()]


def name_layers(
    groups: Sequence[Group], stack: str, parent: tuple[PlannedLayer, ...], previous: tuple[PlannedLayer, ...]
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
