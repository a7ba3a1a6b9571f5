"""What a night would do, and why: nothing is written, nothing is resolved.

A stack is settled where all that its lock was made from is as it was: its own files, base, parent, and what indexes say of each
project that was looked at. Of any other one the plan says what is not; what it would lock is known once it is resolved.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from builder.stack.graph import build_order, effective_stack
from builder.usecase.lock_check import check_locks
from builder.usecase.night_facts import base_facts, find_base_before
from builder.usecase.settled_locks import SettledLocks

if TYPE_CHECKING:
    from builder.project import Project
    from builder.stack.model import EffectiveStack, Stack
    from builder.usecase.lock_heads import LockHeads
    from builder.usecase.lock_model import LockOptions, LockTools

_MOST_NAMES = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedBase:
    """A base, and what of it moved on the mirrors."""

    name: str
    changed: bool
    moves: Sequence[Mapping[str, Any]]
    """`name`, `before`, `after` of Debian packages."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedStack:
    """A stack, and why it would be locked again."""

    name: str
    owners: tuple[str, ...]
    reasons: tuple[str, ...]
    """Empty where its lock is settled."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NightPlan:
    """What a night would do."""

    bases: tuple[PlannedBase, ...]
    stacks: tuple[PlannedStack, ...]
    """Parents before children."""

    @property
    def is_empty(self) -> bool:
        """Whether a night would find nothing new."""
        return not any(base.changed for base in self.bases) and not any(stack.reasons for stack in self.stacks)


def plan_night(
    project: Project,
    tools: LockTools,
    options: LockOptions,
    *,
    bases: Sequence[str],
    names: Sequence[str] = (),
    heads: LockHeads | None = None,
    stacks: Mapping[str, Stack] | None = None,
) -> NightPlan:
    """Look at bases on their mirrors and at stacks on their indexes: each page is asked for once, all side by side.

    Args:
        project: the folder of stacks and locks.
        tools: what touches the outside.
        options: how the night locks.
        bases: those that it locks again.
        names: the stacks; empty for all.
        heads: what is known of locks.
        stacks: all of the project, where they were read already.
    """
    stacks = project.load_stacks() if stacks is None else stacks
    planned = {name: _plan_base(project, tools, name) for name in bases}
    states = {
        state.name: state for state in check_locks(project, names, heads=heads, stacks=stacks) if state.kind == "stack"
    }
    own: dict[str, tuple[EffectiveStack, list[str]]] = {}
    for name in build_order(stacks):
        if names and name not in names:
            continue
        stack, reasons = effective_stack(stacks, name), list(states[name].reasons)
        base = planned.get(stack.base)
        if base is not None and base.changed:
            moved = _names([move["name"] for move in base.moves])
            reasons.append(f"base {base.name} moves{f': {moved}' if moved else ''}")
        own[name] = stack, reasons
    settled = SettledLocks(project, tools, options)
    settled.look_at([stack for stack, reasons in own.values() if not reasons])
    found: dict[str, PlannedStack] = {}
    for name, (stack, reasons) in own.items():
        if any(parent in found and found[parent].reasons for parent in stack.parents[:1]):
            reasons.append(f"its parent {stack.parents[0]} would be locked again")
        found[name] = PlannedStack(name=name, owners=stack.owners, reasons=tuple(reasons) or _unsettled(settled, name))
    return NightPlan(bases=tuple(planned.values()), stacks=tuple(found.values()))


def _plan_base(project: Project, tools: LockTools, name: str) -> PlannedBase:
    from builder.lock.base import parse_base_lock

    path = project.base_lock_path(name)
    old, data = path.read_bytes() if path.is_file() else b"", tools.lock_base(name)
    if old == data:
        return PlannedBase(name=name, changed=False, moves=())
    file = f"locks/{path.name}"
    facts = base_facts(find_base_before(project, [name])[name], parse_base_lock(data, file=file))
    return PlannedBase(name=name, changed=True, moves=facts["moves"])


def _unsettled(settled: SettledLocks, name: str) -> tuple[str, ...]:
    """Say why a lock whose own inputs are as they were is not settled."""
    projects = settled.moved(name)
    if projects is None:
        return ("it has not been locked by these rules since it last changed",)
    return (f"indexes say something new of {_names(projects)}",) if projects else ()


def _names(names: Sequence[str]) -> str:
    shown = ", ".join(names[:_MOST_NAMES])
    return f"{shown} and {len(names) - _MOST_NAMES} more" if len(names) > _MOST_NAMES else shown
