"""Whether locks answer to their inputs: read from disk alone, no network."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from pathlib import Path

from builder.digest import Digest
from builder.errors import BuilderError, IssuesError, LockInvalidError, LockStaleError
from builder.lock.airflow import check_parent
from builder.lock.base import check_base_lock, parse_base_lock
from builder.lock.model import BaseLock, StackLock
from builder.lock.pylock import parse_stack_lock
from builder.lock.staleness import stale_reasons
from builder.project import Project
from builder.stack.divergences import expired
from builder.stack.graph import build_order, effective_stack
from builder.stack.model import EffectiveStack, Stack
from builder.usecase.lock_model import LockState

_NO_LOCK = "it has no lock"


def check_locks(project: Project, names: Sequence[str] = (), *, today: dt.date | None = None) -> tuple[LockState, ...]:
    """Tell for bases, then stacks, whether each lock is fresh.

    Args:
        project: the folder of stacks and locks.
        names: the stacks to look at, with their parents and bases; empty for all, and for all bases.
        today: divergences that expired before are reasons too; None leaves them alone.
    """
    stacks = project.load_stacks()
    asked = [effective_stack(stacks, name) for name in (names or sorted(stacks))]
    wanted = {stack.name for stack in asked} | {parent for stack in asked for parent in stack.parents}
    bases = sorted({stack.base for stack in asked} | set(() if names else project.base_names()))
    states = {("base", name): LockState(kind="base", name=name, reasons=_base_reasons(project, name)) for name in bases}
    for name in (name for name in build_order(stacks) if name in wanted):
        stack = effective_stack(stacks, name)
        reasons = _stack_reasons(project, stack)
        above = [("base", stack.base), *(("stack", parent) for parent in stack.parents[:1])]
        follow = tuple(f"{kind} {other} is stale" for kind, other in above if states[kind, other].reasons)
        states["stack", name] = LockState(
            kind="stack", name=name, reasons=(*reasons, *follow, *_expired(stacks[name], today))
        )
    return tuple(states.values())


def load_fresh_lock(project: Project, name: str) -> tuple[StackLock, BaseLock]:
    """Read the lock of a stack and of its base, sure that both answer to their inputs.

    Raises:
        LockStaleError: a lock is missing or stale, its own, its base's or a parent's.
    """
    stale = [state for state in check_locks(project, [name]) if state.reasons]
    if stale:
        states = "; ".join(f"{state.kind} {state.name}: {', '.join(state.reasons)}" for state in stale)
        raise LockStaleError(f"the lock is stale: {states}", context=name, hint=f"airflow-kubler lock {name}")
    path = project.stack_lock_path(name)
    lock = parse_stack_lock(path.read_bytes(), file=f"locks/{path.name}")
    base = project.base_lock_path(lock.base)
    return lock, parse_base_lock(base.read_bytes(), file=f"locks/{base.name}")


def _expired(stack: Stack, today: dt.date | None) -> tuple[str, ...]:
    rows = expired(stack.divergences, today) if today else ()
    return tuple(
        f"the divergence of {row.project} expired on {row.expires.isoformat()}: {row.owner} decides" for row in rows
    )


def _base_reasons(project: Project, name: str) -> tuple[str, ...]:
    path = project.base_lock_path(name)
    if not path.is_file():
        return (_NO_LOCK,)
    try:
        lock = parse_base_lock(path.read_bytes(), file=f"locks/{path.name}")
    except BuilderError as error:
        return (_unreadable(error),)
    if not check_base_lock(project.load_base(name), lock):
        return (f"stacks/bases/{name}.toml changed",)
    return ()


def _stack_reasons(project: Project, stack: EffectiveStack) -> tuple[str, ...]:
    path = project.stack_lock_path(stack.name)
    if not path.is_file():
        return (_NO_LOCK,)
    try:
        lock = parse_stack_lock(path.read_bytes(), file=f"locks/{path.name}")
    except BuilderError as error:
        return (_unreadable(error),)
    kept = project.constraints_path(stack)
    if kept is not None and not kept.is_file():
        return (f"locks/{kept.name} is not there",)
    constraints = project.load_constraints(stack)
    parent = project.stack_lock_path(stack.parents[0]) if stack.parents else None
    if parent and (problem := _parent_problem(lock, parent)):
        return (problem,)
    return stale_reasons(
        lock,
        stack,
        base_lock=_digest_of(project.base_lock_path(stack.base)),
        parent_lock=_digest_of(parent) if parent else None,
        constraints=Digest.of(constraints) if constraints is not None else None,
        files={path: Digest.of(data) for path, data in project.stack_files(stack.name)},
        index_rules=project.load_index_rules(),
    )


def _parent_problem(lock: StackLock, parent: Path) -> str:
    """Say whether Airflow moved between a lock and its parent's; a parent's lock that cannot be read is told elsewhere."""
    try:
        above = parse_stack_lock(parent.read_bytes(), file=f"locks/{parent.name}")
    except (BuilderError, FileNotFoundError):
        return ""
    try:
        check_parent(lock, above, file=lock.stack)
    except LockInvalidError as error:
        return f"its lock cannot stand: {error.message}"
    return ""


def _unreadable(error: BuilderError) -> str:
    """Say the first thing that is wrong with a lock, and how much more there is."""
    issues = error.issues if isinstance(error, IssuesError) else (error,)
    more = f", and {len(issues) - 1} more" if len(issues) > 1 else ""
    return f"its lock cannot be read: {issues[0].message}{more}"


def _digest_of(path: Path) -> Digest:
    """Digest a lock file; of nothing where there is none, which no lock was made from."""
    return Digest.of(path.read_bytes() if path.is_file() else b"")
