"""Lock: turn what stacks ask for into what they get, every file by hash.

Steps:
1. Stacks asked for are joined by their parents whose lock is missing or stale; bases without a lock are locked.
2. Locks are made, parents first, all against one state of the indexes: a child's parent binds it by its pins, its very
   wheels and its layers. What the lock before had is kept where it can be.
3. When all of them are there, they are written, each by one rename. Nothing is half written.
4. The state of the indexes is kept as a snapshot, with the locks that were made against it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from builder.digest import Digest
from builder.errors import BuilderError, LockInvalidError
from builder.lock.base import parse_base_lock
from builder.lock.model import BaseLock, StackLock
from builder.lock.pylock import dump_stack_lock, parse_stack_lock
from builder.project import Project
from builder.snapshot.model import SnapshotEntry, snapshot_id
from builder.stack.graph import build_order, check_base, effective_stack, parent_chain
from builder.stack.model import EffectiveStack, Stack
from builder.usecase.lock_check import check_locks
from builder.usecase.lock_model import LockOptions, LockReport, LockTools, StackChange
from builder.usecase.lock_stack import lock_session
from builder.usecase.stack_session import Located, StackSession, open_session


@dataclass(frozen=True, slots=True, kw_only=True)
class Locked:
    """A lock and its bytes."""

    lock: StackLock
    data: bytes

    def located(self) -> Located:
        """The lock, and the digest of its bytes."""
        return Located(lock=self.lock, digest=Digest.of(self.data))


def lock_stacks(
    project: Project, tools: LockTools, names: Sequence[str] = (), options: LockOptions | None = None
) -> LockReport:
    """Lock stacks, and what they stand on where that has no fresh lock.

    Args:
        project: the folder of stacks and locks.
        tools: what touches the outside.
        names: the stacks wanted; empty for all, and for all bases without a lock.
        options: how; by default what the locks before had is kept.

    Raises:
        ResolutionError: what a stack asks for cannot be had together.
    """
    stacks = project.load_stacks()
    wanted = _with_parents(project, stacks, names or tuple(stacks))
    used = {stack.base for stack in wanted.values()}
    bases, new_bases = _load_bases(project, tools, sorted(used if names else used | set(project.base_names())))
    for stack in wanted.values():
        check_base(stack, bases[stack.base][0].base)
    done: dict[str, Locked] = {}
    changes: list[StackChange] = []
    for name, stack in wanted.items():
        tools.say(f"locking {name} for {' and '.join(platform.name for platform in stack.platforms)}")
        before = load_previous(project, name)
        parent = (done.get(stack.parents[0]) or _load(project, stack.parents[0])) if stack.parents else None
        session = open_session(
            project,
            tools,
            stacks,
            stack,
            base=bases[stack.base],
            parent=parent.located() if parent else None,
            previous=before.lock if before else None,
            options=options or LockOptions(),
        )
        lock, change = lock_session(session, tools)
        done[name] = _proved(lock, name)
        changed = before is None or before.data != done[name].data
        changes.append(replace(change, changed=changed))
    for base, data in new_bases.items():
        project.save_lock(project.base_lock_path(base), data)
    for name, locked in done.items():
        project.save_lock(project.stack_lock_path(name), locked.data)
    snapshot = _keep_snapshot(tools, done)
    moved = {change.stack for change in changes if change.changed}
    return LockReport(
        bases=tuple(new_bases),
        stacks=tuple(changes),
        stale=_stale_stacks(project, [name for name in stacks if moved & _above(stacks, name)]),
        snapshot=snapshot,
    )


def open_stack(
    project: Project,
    tools: LockTools,
    name: str,
    *,
    stacks: Mapping[str, Stack] | None = None,
    options: LockOptions | None = None,
) -> StackSession:
    """Open a session for one stack whose parents and base are locked, to ask without writing anything.

    Args:
        project: the folder of stacks and locks.
        tools: what touches the outside.
        name: the stack.
        stacks: in place of those on disk.
        options: how locks are to be made.

    Raises:
        FileNotFoundError: a base or parent has no lock.
    """
    stacks = stacks or project.load_stacks()
    stack = effective_stack(stacks, name)
    bases, _ = _load_bases(project, tools, [stack.base])
    check_base(stack, bases[stack.base][0].base)
    before = load_previous(project, name)
    return open_session(
        project,
        tools,
        stacks,
        stack,
        base=bases[stack.base],
        parent=_load(project, stack.parents[0]).located() if stack.parents else None,
        previous=before.lock if before else None,
        options=options or LockOptions(),
    )


def lock_bases(project: Project, tools: LockTools, names: Sequence[str]) -> LockReport:
    """Lock bases again; the locks of their stacks become stale where a base changed."""
    for name in names:
        project.load_base(name)
    for name in names:
        tools.say(f"locking base {name}")
        project.save_lock(project.base_lock_path(name), tools.lock_base(name))
    stacks = project.load_stacks()
    return LockReport(bases=tuple(names), stacks=(), stale=_stale_stacks(project, tuple(stacks)))


def load_previous(project: Project, name: str) -> Locked | None:
    """Read the lock there is; None where there is none, or none that this program reads."""
    try:
        return _load(project, name)
    except (BuilderError, FileNotFoundError):
        return None


def _with_parents(project: Project, stacks: Mapping[str, Stack], names: Iterable[str]) -> dict[str, EffectiveStack]:
    """Step 1: the stacks to lock, parents first."""
    asked = {name: effective_stack(stacks, name) for name in names}
    parents = {parent for stack in asked.values() for parent in stack.parents} - set(asked)
    states = check_locks(project, sorted(parents)) if parents else ()
    stale = {state.name for state in states if state.kind == "stack" and state.reasons}
    return {name: effective_stack(stacks, name) for name in build_order(stacks) if name in asked or name in stale}


def _load_bases(
    project: Project, tools: LockTools, names: Sequence[str]
) -> tuple[dict[str, tuple[BaseLock, Digest]], dict[str, bytes]]:
    """Read base locks, making those that are not there; returns the latter's bytes too."""
    bases: dict[str, tuple[BaseLock, Digest]] = {}
    new: dict[str, bytes] = {}
    for name in names:
        path = project.base_lock_path(name)
        if not path.is_file():
            project.load_base(name)
            tools.say(f"locking base {name}")
            new[name] = tools.lock_base(name)
        data = new.get(name) or path.read_bytes()
        bases[name] = (parse_base_lock(data, file=f"locks/{path.name}"), Digest.of(data))
    return bases, new


def _keep_snapshot(tools: LockTools, done: Mapping[str, Locked]) -> str:
    """Keep the state of the indexes; returns its id."""
    snapshot = tools.world.snapshot()
    name = snapshot_id(snapshot)
    locks = {stack: Digest.of(locked.data) for stack, locked in done.items()}
    tools.snapshots.save(SnapshotEntry(id=name, taken_at=tools.now, snapshot=snapshot, locks=locks))
    return name


def _proved(lock: StackLock, name: str) -> Locked:
    """Dump a lock, sure that it can be read: an index may have said things that no lock may hold."""
    data = dump_stack_lock(lock)
    return Locked(lock=parse_stack_lock(data, file=f"new lock of {name}"), data=data)


def _load(project: Project, name: str) -> Locked:
    path = project.stack_lock_path(name)
    data = path.read_bytes()
    lock = parse_stack_lock(data, file=f"locks/{path.name}")
    if lock.stack != name:
        raise LockInvalidError(f"is the lock of stack {lock.stack!r}", context=f"locks/{path.name}")
    return Locked(lock=lock, data=data)


def _above(stacks: Mapping[str, Stack], name: str) -> set[str]:
    return {parent.name for parent in parent_chain(stacks, name)}


def _stale_stacks(project: Project, names: Sequence[str]) -> tuple[str, ...]:
    """List those of some stacks whose locks are stale; reads no lock where none is asked about."""
    states = check_locks(project, names) if names else ()
    return tuple(state.name for state in states if state.kind == "stack" and state.reasons and state.name in names)
