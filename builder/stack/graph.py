"""Stacks and their parents: what a child inherits, what it may change, and the order to work in.

A child's image begins with its parent's layers, byte for byte, and its lock keeps its parent's pins. So a child may add,
and it may build for fewer platforms; it may not move Airflow's version, the base, or the compression.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, TypeVar

from builder.errors import IssuesError, StackError
from builder.platform import PLATFORMS
from builder.stack.model import DEFAULT_LAYER_BUDGET, Base, Divergence, EffectiveStack, Stack
from builder.stack.names import nearest
from builder.stack.reader import is_address
from builder.stack.requirements import check_airflow_requirement
from builder.stack.rules import apply_rules

if TYPE_CHECKING:
    import networkx as nx

DEFAULT_COMPRESSION = "zstd"
DEFAULT_CONSTRAINTS = "none"
_T = TypeVar("_T")
_KEYWORDS = frozenset({"official", "none"})


def parent_chain(stacks: Mapping[str, Stack], name: str) -> tuple[Stack, ...]:
    """List a stack's parents, nearest first.

    Raises:
        StackError: the stack or a parent does not exist, or parents extend each other in a cycle.
    """
    if name not in stacks:
        raise StackError(f"no stack {name!r}", context="stacks", hint=nearest(name, stacks, "stack"))
    names = [name]
    while (parent := stacks[names[-1]].extends) is not None:
        if parent not in stacks:
            raise _missing_parent(stacks, names[-1], parent)
        if parent in names:
            raise _cycle(names[names.index(parent) :])
        names.append(parent)
    return tuple(stacks[parent] for parent in names[1:])


def effective_stack(stacks: Mapping[str, Stack], name: str) -> EffectiveStack:
    """Apply a stack's parents, so that nothing is left to inherit.

    Raises:
        StackError: parents are missing or form a cycle.
        IssuesError: a stack of the chain changes what a child may not change.
    """
    line = (*reversed(parent_chain(stacks, name)), stacks[name])
    issues = [issue for position in range(1, len(line)) for issue in _iter_issues(line[:position], line[position])]
    issues += [issue for stack in line for issue in _iter_airflow_issues(stack, line[0].airflow_version or "")]
    if issues:
        raise IssuesError(issues)
    return _apply(line)


def check_stacks(stacks: Mapping[str, Stack]) -> None:
    """Check all stacks together; raises IssuesError with what is wrong in any, each thing once."""
    issues: dict[str, StackError] = {}
    for name in sorted(stacks):
        try:
            effective_stack(stacks, name)
        except IssuesError as error:
            issues |= {str(issue): issue for issue in error.issues if isinstance(issue, StackError)}
        except StackError as error:
            issues[str(error)] = error
    if issues:
        raise IssuesError(tuple(issues.values()))


def check_base(stack: EffectiveStack, base: Base) -> None:
    """Check that a base carries a stack; raises StackError where the stack wants platforms the base lacks."""
    lacking = [platform.name for platform in stack.platforms if platform not in base.platforms]
    if lacking:
        raise StackError(
            f"base {base.name!r} has no {', '.join(lacking)}",
            context=f"stacks/{stack.name}/stack.toml: image.platforms",
            hint=f"it has {', '.join(platform.name for platform in base.platforms)}",
        )


def stack_graph(stacks: Mapping[str, Stack]) -> nx.DiGraph[str]:
    """Make the graph of stacks: an edge leads from each parent to its child, nodes and edges sorted.

    Raises:
        IssuesError: with every missing parent and every cycle.
    """
    import networkx as nx

    graph: nx.DiGraph[str] = nx.DiGraph()
    graph.add_nodes_from(sorted(stacks))
    edges = sorted((stack.extends, stack.name) for stack in stacks.values() if stack.extends is not None)
    issues = [_missing_parent(stacks, child, parent) for parent, child in edges if parent not in stacks]
    graph.add_edges_from((parent, child) for parent, child in edges if parent in stacks)
    # Edges lead to children; a cycle reads as people write it, child first, so it is turned round.
    cycles = sorted(tuple(_from_least(cycle[::-1])) for cycle in nx.simple_cycles(graph))
    issues += [_cycle(cycle) for cycle in cycles]
    if issues:
        raise IssuesError(issues)
    return graph


def build_order(stacks: Mapping[str, Stack]) -> tuple[str, ...]:
    """Order stacks so that each follows its parent; ties by name.

    Raises:
        IssuesError: a parent is missing, or stacks extend each other in a circle.
    """
    # By hand: `lock` should not wait for networkx to be imported, which takes longer than all else that this module does.
    children: dict[str | None, list[str]] = {}
    for stack in stacks.values():
        children.setdefault(stack.extends, []).append(stack.name)
    order: list[str] = []
    ready = sorted(children.get(None, ()))
    while ready:
        name = heapq.heappop(ready)
        order.append(name)
        for child in children.get(name, ()):
            heapq.heappush(ready, child)
    if len(order) < len(stacks):
        stack_graph(stacks)  # It names what is wrong.
    return tuple(order)


def _apply(line: tuple[Stack, ...]) -> EffectiveStack:
    stack = line[-1]
    platforms = _nearest(stack.image.platforms for stack in line)
    return EffectiveStack(
        name=stack.name,
        description=stack.description,
        owners=stack.owners,
        parents=tuple(parent.name for parent in reversed(line[:-1])),
        airflow_version=_nearest(stack.airflow_version for stack in line) or "",
        constraints=_nearest(_constraints(stack) for stack in line) or DEFAULT_CONSTRAINTS,
        base=_nearest(stack.base for stack in line) or "",
        requirements=tuple(dict.fromkeys(text for stack in line for text in stack.requirements)),
        divergences=_divergences(line),
        platforms=platforms or tuple(sorted(PLATFORMS.values())),
        layers=_nearest(stack.image.layers for stack in line) or DEFAULT_LAYER_BUDGET,
        compression=_nearest(stack.image.compression for stack in line) or DEFAULT_COMPRESSION,
        resolution=apply_rules(stack.resolution for stack in line),
        constraints_from=_nearest(stack.name if stack.constraints else None for stack in line) or "",
    )


def _nearest(values: Iterable[_T | None]) -> _T | None:
    """Take the last value that is stated: lines begin with the farthest parent."""
    stated = [value for value in values if value is not None]
    return stated[-1] if stated else None


def _constraints(stack: Stack) -> str | None:
    if stack.constraints is None or stack.constraints in _KEYWORDS or is_address(stack.constraints):
        return stack.constraints
    return f"{stack.name}/{stack.constraints}"


def _divergences(line: tuple[Stack, ...]) -> tuple[Divergence, ...]:
    return tuple(divergence for stack in line for divergence in stack.divergences)


def _iter_issues(parents: tuple[Stack, ...], child: Stack) -> Iterable[StackError]:
    held = _apply(parents)
    parent = parents[-1].name
    where = f"stacks/{child.name}/stack.toml"
    leave_out = "leave the key out, or extend no stack"
    if child.airflow_version not in {None, held.airflow_version}:
        message = f"moves Airflow to {child.airflow_version}, while its parent {parent!r} has {held.airflow_version}"
        yield StackError(message, context=f"{where}: airflow.version", hint=leave_out)
    if child.base not in {None, held.base}:
        message = (
            f"stands on base {child.base!r}, while its parent {parent!r} stands on {held.base!r}: layers are shared"
        )
        yield StackError(message, context=f"{where}: base.name", hint=leave_out)
    if child.image.compression not in {None, held.compression}:
        message = (
            f"is {child.image.compression!r}, while its parent {parent!r} has {held.compression!r}: layers are shared"
        )
        yield StackError(message, context=f"{where}: image.compression", hint=leave_out)
    for platform in child.image.platforms or ():
        if platform not in held.platforms:
            message = f"names {platform.name}, which its parent {parent!r} is not built for"
            yield StackError(
                message, context=f"{where}: image.platforms", hint=f"add it to {parent!r}, or leave it out"
            )
    known = {divergence.project for divergence in held.divergences}
    for position, divergence in enumerate(child.divergences):
        if divergence.project in known:
            message = f"{divergence.project!r} diverges in a parent already"
            yield StackError(message, context=f"{where}: divergences[{position}].project", hint="leave it out here")


def _iter_airflow_issues(stack: Stack, version: str) -> Iterable[StackError]:
    for text in stack.requirements:
        problem, way_out = check_airflow_requirement(text, version)
        if problem:
            yield StackError(problem, context=f"stacks/{stack.name}: requirements", hint=way_out)


def _missing_parent(stacks: Mapping[str, Stack], child: str, parent: str) -> StackError:
    others = [name for name in stacks if name != child]
    return StackError(
        f"no stack {parent!r}", context=f"stacks/{child}/stack.toml: extends", hint=nearest(parent, others, "stack")
    )


def _from_least(cycle: list[str]) -> list[str]:
    start = cycle.index(min(cycle))
    return cycle[start:] + cycle[:start]


def _cycle(cycle: Iterable[str]) -> StackError:
    names = _from_least(list(cycle))
    way = " -> ".join((*names, names[0]))
    message = f"extends itself: {way}" if len(names) == 1 else f"stacks extend each other in a cycle: {way}"
    return StackError(message, context=f"stacks/{names[0]}/stack.toml: extends", hint="take one of these `extends` out")
