"""Whether locks answer to their inputs: read from disk alone, no network."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TypedDict

from builder.digest import Digest
from builder.errors import BuilderError, IssuesError, LockStaleError
from builder.lock.airflow import parent_problem
from builder.lock.base import check_base_lock, parse_base_lock
from builder.lock.model import BaseLock, StackLock
from builder.lock.pylock import parse_stack_lock
from builder.lock.staleness import stale_reasons
from builder.project import Project
from builder.stack.divergences import expired
from builder.stack.graph import build_order, effective_stack
from builder.stack.inputs import inputs_digest
from builder.stack.model import EffectiveStack, IndexRule, Stack
from builder.usecase.lock_heads import LockHead, LockHeads
from builder.usecase.lock_model import LockState

_NO_LOCK = "it has no lock"


class _MadeFrom(TypedDict):
    base_lock: Digest
    parent_lock: Digest | None
    constraints: Digest | None
    files: Mapping[str, Digest]
    index_rules: Sequence[IndexRule]


def check_locks(
    project: Project,
    names: Sequence[str] = (),
    *,
    today: dt.date | None = None,
    heads: LockHeads | None = None,
    stacks: Mapping[str, Stack] | None = None,
) -> tuple[LockState, ...]:
    """Tell for bases, then stacks, whether each lock is fresh.

    Args:
        project: the folder of stacks and locks.
        names: the stacks to look at, with their parents and bases; empty for all, and for all bases.
        today: divergences that expired before are reasons too; None leaves them alone.
        heads: what is known of locks; by default each is read in full.
        stacks: those of the project, where they were read already.
    """
    stacks = project.load_stacks() if stacks is None else stacks
    asked = {name: effective_stack(stacks, name) for name in (names or sorted(stacks))}
    wanted = set(asked) | {parent for stack in asked.values() for parent in stack.parents}
    used = {stack.base for stack in asked.values()}
    bases = sorted(used | set(() if names else project.base_names()))
    shared = _Shared(project, heads or LockHeads())
    states = {("base", name): LockState(kind="base", name=name, reasons=_base_reasons(shared, name)) for name in bases}
    for name in (name for name in build_order(stacks) if name in wanted):
        stack = asked.get(name) or effective_stack(stacks, name)
        reasons = _stack_reasons(shared, stack)
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


def _base_reasons(shared: _Shared, name: str) -> tuple[str, ...]:
    path = shared.project.base_lock_path(name)
    if not path.is_file():
        return (_NO_LOCK,)
    try:
        lock = shared.heads.locks.base(path.read_bytes(), file=f"locks/{path.name}")
    except BuilderError as error:
        return (_unreadable(error),)
    if not check_base_lock(shared.project.load_base(name), lock):
        return (f"stacks/bases/{name}.toml changed",)
    return ()


class _Shared:
    """What many stacks are held against, read once."""

    def __init__(self, project: Project, heads: LockHeads) -> None:
        self.project = project
        self.index_rules = project.load_index_rules()
        self.heads = heads
        self._heads: dict[Path, LockHead] = {}
        self._digests: dict[Path, Digest] = {}
        self._constraints: dict[tuple[str, ...], tuple[str, Digest | None]] = {}

    def digest_of(self, path: Path) -> Digest:
        """Digest a lock file; of nothing where there is none, which no lock was made from."""
        if path not in self._digests:
            self._digests[path] = Digest.of(path.read_bytes() if path.is_file() else b"")
        return self._digests[path]

    def head_of(self, path: Path) -> LockHead:
        """Read the head of a stack's lock; raises BuilderError where it cannot be read."""
        if path not in self._heads:
            data = path.read_bytes()
            digest = self._digests[path] = Digest.of(data)
            self._heads[path] = self.heads.read(data, digest, file=f"locks/{path.name}")
        return self._heads[path]

    def constraints_of(self, stack: EffectiveStack) -> tuple[str, Digest | None]:
        """Digest the constraints that a stack holds to; or say what is not there."""
        key = stack.constraints, stack.constraints_from or stack.name, stack.airflow_version, stack.base
        if key not in self._constraints:
            kept = self.project.constraints_path(stack)
            if kept is not None and not kept.is_file():
                self._constraints[key] = f"locks/{kept.name} is not there", None
            else:
                data = self.project.load_constraints(stack)
                self._constraints[key] = "", Digest.of(data) if data is not None else None
        return self._constraints[key]


def _stack_reasons(shared: _Shared, stack: EffectiveStack) -> tuple[str, ...]:
    project = shared.project
    path = project.stack_lock_path(stack.name)
    if not path.is_file():
        return (_NO_LOCK,)
    try:
        head = shared.head_of(path)
    except BuilderError as error:
        return (_unreadable(error),)
    missing, constraints = shared.constraints_of(stack)
    if missing:
        return (missing,)
    parent = project.stack_lock_path(stack.parents[0]) if stack.parents else None
    if parent and (problem := _parent_problem(shared, head, parent)):
        return (problem,)
    made_from: _MadeFrom = {
        "base_lock": shared.digest_of(project.base_lock_path(stack.base)),
        "parent_lock": shared.digest_of(parent) if parent else None,
        "constraints": constraints,
        "files": {path: Digest.of(data) for path, data in project.stack_files(stack.name)},
        "index_rules": shared.index_rules,
    }
    if inputs_digest(stack, **made_from) == head.inputs:
        return ()
    lock = shared.heads.locks.stack(path.read_bytes(), file=f"locks/{path.name}")
    return stale_reasons(lock, stack, **made_from)


def _parent_problem(shared: _Shared, head: LockHead, parent: Path) -> str:
    """Say whether Airflow moved between a lock and its parent's; a parent's lock that cannot be read is told elsewhere."""
    try:
        above = shared.head_of(parent)
    except (BuilderError, FileNotFoundError):
        return ""
    problem = parent_problem(head.airflow, above.airflow, parent=above.stack)
    return f"its lock cannot stand: {problem}" if problem else ""


def _unreadable(error: BuilderError) -> str:
    """Say the first thing that is wrong with a lock, and how much more there is."""
    issues = error.issues if isinstance(error, IssuesError) else (error,)
    more = f", and {len(issues) - 1} more" if len(issues) > 1 else ""
    return f"its lock cannot be read: {issues[0].message}{more}"
