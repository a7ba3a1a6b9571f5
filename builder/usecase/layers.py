"""Layers: why a stack's are as they are, and whether others would pay.

1. What is known of each project: size and age by the lock; where there is a ledger, moves in the last nights, and what nodes hold.
2. All stacks that extend one another are planned again together: builder/image/plan_again.py.
3. Where that pays, locks are made that differ in nothing but the plan, and in what they say of their parent's lock.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from builder.digest import Digest
from builder.errors import LockStaleError
from builder.image.plan import name_layers
from builder.image.plan_again import Replanned, StackToPlan, plan_again
from builder.image.plan_groups import make_group
from builder.image.plan_items import PlanItem
from builder.image.plan_reasons import LayerReason, explain_layers
from builder.image.plan_search import Held, Layers, held_of, sort_layers
from builder.ledger.model import LedgerReader
from builder.lock.base import parse_base_lock
from builder.lock.model import PlannedLayer, StackLock
from builder.lock.pylock import dump_stack_lock, parse_stack_lock
from builder.project import Project
from builder.stack.graph import build_order, effective_stack
from builder.stack.inputs import inputs_digest
from builder.stack.model import Stack
from builder.usecase.layer_history import NOTHING, Watched, held_layers, layers_of, watch
from builder.usecase.lock_check import check_locks
from builder.usecase.lock_stack import plan_items, reserved_layers


@dataclass(frozen=True, slots=True, kw_only=True)
class ExplainedLayer:
    """A layer of a stack's own, and what tells for it."""

    layer: PlannedLayer
    reason: LayerReason
    nearest: str
    """Name of the layer that it would cost least to be joined with; empty where there is no other."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ExplainedPlan:
    """The plan of a stack."""

    stack: str
    parents_layers: int
    room: int
    """Layers that the image may have for distributions, its parents' too."""
    watched: Watched
    layers: tuple[ExplainedLayer, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplannedLock:
    """What planning a stack again gave, and the lock that would say so."""

    plan: Replanned
    lock: bytes | None
    """As it is to be written; None where nothing changes."""


def explain_plan(project: Project, name: str, ledger: LedgerReader | None, nights: int) -> ExplainedPlan:
    """Tell why a stack's layers are as they are.

    Args:
        project: the folder of stacks and locks.
        name: of the stack.
        ledger: with its earlier locks, where there is one.
        nights: how far to look back there.

    Raises:
        LockStaleError: its lock is missing or stale.
    """
    _check_fresh(project, [name])
    known = _Known(project, ledger, nights)
    own = known.own_layers(name)
    reasons = explain_layers(known.layers(name))
    return ExplainedPlan(
        stack=name,
        parents_layers=len(known.lock(name).plan) - len(own),
        room=known.room(name),
        watched=known.watched(name),
        layers=tuple(
            ExplainedLayer(
                layer=layer, reason=reason, nearest="" if reason.nearest is None else own[reason.nearest].name
            )
            for layer, reason in zip(own, reasons, strict=True)
        ),
    )


def replan(
    project: Project,
    names: Sequence[str],
    ledger: LedgerReader | None,
    *,
    nights: int,
    horizon: int,
    unpushed: bool = False,
) -> tuple[ReplannedLock, ...]:
    """Plan stacks again, with all that they extend and all that extends them; nothing is written.

    Args:
        project: the folder of stacks and locks.
        names: of stacks; all where empty.
        ledger: with their earlier locks and builds, where there is one.
        nights: how far to look back there.
        horizon: nights in which a change must pay for itself.
        unpushed: no node holds anything of them yet, so that nothing is pulled twice.

    Returns:
        All stacks that were looked at, parents first.

    Raises:
        LockStaleError: one of their locks is missing or stale.
    """
    stacks = project.load_stacks()
    order = _related(stacks, names)
    _check_fresh(project, order)
    known = _Known(project, ledger, nights)
    found = {
        row.stack: row for row in plan_again([known.to_plan(name, unpushed=unpushed) for name in order], float(horizon))
    }
    made: dict[str, tuple[StackLock, bytes]] = {}
    rows = []
    for name in order:
        lock = _rewritten(project, stacks, known, found[name], made)
        if lock is not None:
            made[name] = (lock, dump_stack_lock(lock))
        rows.append(ReplannedLock(plan=found[name], lock=made[name][1] if name in made else None))
    return tuple(rows)


def _check_fresh(project: Project, names: Sequence[str]) -> None:
    stale = [state for state in check_locks(project, names) if state.reasons]
    if stale:
        states = "; ".join(f"{state.kind} {state.name}: {', '.join(state.reasons)}" for state in stale)
        again = " ".join(state.name for state in stale if state.kind == "stack") or " ".join(names)
        raise LockStaleError(f"locks are stale: {states}", hint=f"airflow-kubler lock {again}")


class _Known:
    """What is known of stacks, each read once."""

    def __init__(self, project: Project, ledger: LedgerReader | None, nights: int) -> None:
        self._project, self._ledger, self._nights = project, ledger, nights
        self._stacks = project.load_stacks()
        self._locks: dict[str, StackLock] = {}
        self._reserved: dict[str, int] = {}

    def lock(self, name: str) -> StackLock:
        """Read a stack's lock."""
        if name not in self._locks:
            path = self._project.stack_lock_path(name)
            self._locks[name] = parse_stack_lock(path.read_bytes(), file=f"locks/{path.name}")
        return self._locks[name]

    def room(self, name: str) -> int:
        """Count the layers that a stack's image may have for distributions."""
        stack = effective_stack(self._stacks, name)
        if stack.base not in self._reserved:
            path = self._project.base_lock_path(stack.base)
            self._reserved[stack.base] = reserved_layers(parse_base_lock(path.read_bytes(), file=f"locks/{path.name}"))
        return stack.layers - self._reserved[stack.base]

    def watched(self, name: str) -> Watched:
        """Look at a stack's earlier locks."""
        return watch(self._ledger, name, self._nights) if self._ledger is not None else NOTHING

    def own_layers(self, name: str) -> list[PlannedLayer]:
        """List the layers that are not its parents'."""
        return [layer for layer in self.lock(name).plan if layer.stack == name]

    def layers(self, name: str) -> list[list[PlanItem]]:
        """List these with what is known of their projects."""
        lock, watched = self.lock(name), self.watched(name)
        items = {
            item.project: replace(item, moves=watched.moves.get(item.project, 0), watched_days=watched.days)
            for item in plan_items(lock.candidates, max(lock.created, watched.until))
        }
        return [[items[project] for project in layer.projects] for layer in self.own_layers(name)]

    def to_plan(self, name: str, *, unpushed: bool) -> StackToPlan:
        """Say what planning it again begins with."""
        lock = self.lock(name)
        held = self._held(lock) if not unpushed else {}
        own = {project for layer in self.own_layers(name) for project in layer.projects}
        return StackToPlan(
            stack=name,
            parent=lock.parents[0] if lock.parents else "",
            layers=sort_layers(self.layers(name)),
            room=self.room(name),
            held=held_of({group for group in held.values() if group <= own}),
        )

    def _held(self, lock: StackLock) -> Held:
        return layers_of(lock) if self._ledger is None else held_layers(self._ledger, lock)


def _related(stacks: Mapping[str, Stack], names: Sequence[str]) -> list[str]:
    """List stacks with all that they extend and all that extends these, parents first."""
    lines = {name: {name, *effective_stack(stacks, name).parents} for name in build_order(stacks)}
    asked = {one for name in names or tuple(stacks) for one in effective_stack(stacks, name).parents[-1:] or (name,)}
    return [name for name, line in lines.items() if line & asked]


def _rewritten(
    project: Project,
    stacks: Mapping[str, Stack],
    known: _Known,
    found: Replanned,
    made: Mapping[str, tuple[StackLock, bytes]],
) -> StackLock | None:
    """Make the lock that says the new plan, on the parent's lock as it will be; None where it is the one that is there."""
    stack, lock = effective_stack(stacks, found.stack), known.lock(found.stack)
    parent = made.get(stack.parents[0]) if stack.parents else None
    if not found.changed and parent is None:
        return None
    above = parent[0].plan if parent else tuple(layer for layer in lock.plan if layer.stack != lock.stack)
    own = _named(found.after, lock, above) if found.changed else tuple(known.own_layers(lock.stack))
    constraints = project.load_constraints(stack)
    parent_lock = Digest.of(parent[1]) if parent else lock.parent_lock
    return replace(
        lock,
        plan=above + own,
        parent_lock=parent_lock,
        inputs=inputs_digest(
            stack,
            base_lock=lock.base_lock,
            parent_lock=parent_lock,
            constraints=Digest.of(constraints) if constraints is not None else None,
            files={path: Digest.of(data) for path, data in project.stack_files(stack.name)},
            index_rules=project.load_index_rules(),
        ),
    )


def _named(layers: Layers, lock: StackLock, above: tuple[PlannedLayer, ...]) -> tuple[PlannedLayer, ...]:
    """Name layers: those that are as they were keep name and place."""
    names = {layer.projects: layer.name for layer in lock.plan if layer.stack == lock.stack}
    taken = {layer.name for layer in above}
    groups = [make_group(layer, name=names.get(tuple(item.project for item in layer), "")) for layer in layers]
    free = [replace(group, name="" if group.name in taken else group.name) for group in groups]
    return name_layers(free, lock.stack, above, lock.plan)
