"""Lock: turn what stacks ask for into what they get, every file by hash.

Steps:
1. Stacks asked for are joined by their parents whose lock is missing or stale; bases without a lock are locked.
2. What is settled is left alone: see settled.py.
3. Other locks are made, parents first, all against one state of the indexes: a child's parent binds it by its pins, its very
   wheels and its layers. What the lock before had is kept where it can be.
4. When all of them are there, they are written, each by one rename. Nothing is half written.
5. The state of the indexes is kept as a snapshot, with the locks that were made against it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

from builder.digest import Digest
from builder.errors import BuilderError, LockInvalidError, LockStaleError
from builder.project import Project
from builder.snapshot.model import SnapshotEntry, snapshot_id
from builder.stack.graph import build_order, check_base, effective_stack, parent_chain
from builder.stack.model import EffectiveStack, Stack
from builder.usecase.lock_heads import LockHeads
from builder.usecase.lock_model import LockOptions, LockReport, LockState, LockTools, StackChange
from builder.usecase.settled import recall, remember, settled_key
from builder.usecase.stack_inputs import StackInputs, load_inputs

if TYPE_CHECKING:
    from builder.lock.model import BaseLock, StackLock
    from builder.usecase.stack_session import StackSession


@dataclass(frozen=True, kw_only=True)
class WrittenLock:
    """A stack's lock as bytes, parsed when first needed."""

    data: bytes
    stack: str
    file: str

    @cached_property
    def digest(self) -> Digest:
        """Of the bytes."""
        return Digest.of(self.data)

    @cached_property
    def lock(self) -> StackLock:
        """What the bytes say."""
        from builder.lock.pylock import parse_stack_lock

        lock = parse_stack_lock(self.data, file=self.file)
        if lock.stack != self.stack:
            raise LockInvalidError(f"is the lock of stack {lock.stack!r}", context=self.file)
        return lock

    def lock_or_none(self) -> StackLock | None:
        """What the bytes say; None where this program cannot read them."""
        try:
            return self.lock
        except BuilderError:
            return None


@dataclass(frozen=True, kw_only=True)
class WrittenBase:
    """A base's lock as bytes, parsed when first needed."""

    data: bytes
    file: str

    @cached_property
    def digest(self) -> Digest:
        """Of the bytes."""
        return Digest.of(self.data)

    @cached_property
    def lock(self) -> BaseLock:
        """What the bytes say."""
        from builder.lock.base import parse_base_lock

        return parse_base_lock(self.data, file=self.file)


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadBefore:
    """What is read once by who locks stack after stack: with a thousand of them, each would read the files of all."""

    stacks: Mapping[str, Stack]
    """All of the project."""
    heads: LockHeads
    """Of the locks that were read."""


def lock_stacks(
    project: Project,
    tools: LockTools,
    names: Sequence[str] = (),
    options: LockOptions | None = None,
    *,
    known: ReadBefore | None = None,
) -> LockReport:
    """Lock stacks, and what they stand on where that has no fresh lock.

    Args:
        project: the folder of stacks and locks.
        tools: what touches the outside.
        names: the stacks wanted; empty for all, and for all bases without a lock.
        options: how; by default what the locks before had is kept.
        known: what was read of the project before; by default all is read.

    Raises:
        ResolutionError: what a stack asks for cannot be had together.
    """
    known = known or ReadBefore(stacks=project.load_stacks(), heads=LockHeads())
    stacks = known.stacks
    wanted = _with_parents(project, known, names or tuple(stacks))
    used = {stack.base for stack in wanted.values()}
    bases, new_bases = _load_bases(project, tools, sorted(used if names else used | set(project.base_names())))
    done: dict[str, WrittenLock] = {}
    changes: list[StackChange] = []
    for name, stack in wanted.items():
        tools.say(f"locking {name} for {' and '.join(platform.name for platform in stack.platforms)}")
        parent = (done.get(stack.parents[0]) or read_lock(project, stack.parents[0])) if stack.parents else None
        work = _Work(
            stacks=stacks, stack=stack, base=bases[stack.base], parent=parent, options=options or LockOptions()
        )
        done[name], change = _lock_one(project, tools, work)
        changes.append(change)
    for base, data in new_bases.items():
        project.save_lock(project.base_lock_path(base), data)
    for name, locked in done.items():
        project.save_lock(project.stack_lock_path(name), locked.data)
    snapshot = _keep_snapshot(tools, done)
    moved = {change.stack for change in changes if change.changed}
    return LockReport(
        bases=tuple(new_bases),
        stacks=tuple(changes),
        stale=_stale_stacks(project, known, [name for name in stacks if moved & _above(stacks, name)]),
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
        LockStaleError: a parent has no lock.
    """
    stacks = stacks or project.load_stacks()
    stack = effective_stack(stacks, name)
    bases, _ = _load_bases(project, tools, [stack.base])
    parent = read_lock(project, stack.parents[0]) if stack.parents else None
    work = _Work(stacks=stacks, stack=stack, base=bases[stack.base], parent=parent, options=options or LockOptions())
    before = find_lock(project, name)
    return _open(tools, work, work.inputs(project, tools), before.lock_or_none() if before else None)


def lock_bases(project: Project, tools: LockTools, names: Sequence[str]) -> LockReport:
    """Lock bases again; the locks of their stacks become stale where a base changed."""
    for name in names:
        project.load_base(name)
    for name in names:
        tools.say(f"locking base {name}")
        project.save_lock(project.base_lock_path(name), tools.lock_base(name))
    known = ReadBefore(stacks=project.load_stacks(), heads=LockHeads())
    return LockReport(bases=tuple(names), stacks=(), stale=_stale_stacks(project, known, tuple(known.stacks)))


def read_lock(project: Project, name: str) -> WrittenLock:
    """Read the lock of a stack.

    Raises:
        LockStaleError: there is none.
    """
    path = project.stack_lock_path(name)
    if not path.is_file():
        raise LockStaleError("there is no lock", context=f"locks/{path.name}", hint=f"airflow-kubler lock {name}")
    return WrittenLock(data=path.read_bytes(), stack=name, file=f"locks/{path.name}")


def find_lock(project: Project, name: str) -> WrittenLock | None:
    """Read the lock of a stack; None where there is none."""
    return read_lock(project, name) if project.stack_lock_path(name).is_file() else None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Work:
    """One stack to lock, and what it stands on."""

    stacks: Mapping[str, Stack]
    stack: EffectiveStack
    base: WrittenBase
    parent: WrittenLock | None
    options: LockOptions

    def inputs(self, project: Project, tools: LockTools) -> StackInputs:
        """Read what bears on the stack."""
        parent = self.parent.digest if self.parent else None
        return load_inputs(project, tools, self.stack, self.options, base_lock=self.base.digest, parent_lock=parent)


def _lock_one(project: Project, tools: LockTools, work: _Work) -> tuple[WrittenLock, StackChange]:
    """Lock one stack, or find that its lock is settled."""
    name = work.stack.name
    inputs, before = work.inputs(project, tools), find_lock(project, name)
    key = settled_key(tools, work.stack, inputs, before.digest, work.options) if before and tools.program else ""
    if before and key and (known := recall(tools.snapshots, key, tools.world)):
        return before, known
    from builder.lock.pylock import dump_stack_lock
    from builder.usecase.lock_stack import lock_session

    session = _open(tools, work, inputs, before.lock_or_none() if before else None)
    lock, change = lock_session(session, tools)
    data = dump_stack_lock(lock)
    written = before if before and before.data == data else _proved(data, name)
    change = replace(change, changed=written is not before)
    if key and not change.changed and not any(candidate.built for candidate in lock.candidates):
        remember(tools.snapshots, key, session.view.seen(), change)
    return written, change


def _open(tools: LockTools, work: _Work, inputs: StackInputs, previous: StackLock | None) -> StackSession:
    from builder.usecase.stack_session import open_session

    check_base(work.stack, work.base.lock.base)
    return open_session(
        tools,
        work.stacks,
        work.stack,
        inputs,
        base=work.base.lock,
        parent=work.parent.lock if work.parent else None,
        previous=previous,
        options=work.options,
    )


def _with_parents(project: Project, known: ReadBefore, names: Iterable[str]) -> dict[str, EffectiveStack]:
    """Step 1: the stacks to lock, parents first."""
    stacks = known.stacks
    asked = {name: effective_stack(stacks, name) for name in names}
    parents = {parent for stack in asked.values() for parent in stack.parents} - set(asked)
    states = _check(project, known, sorted(parents))
    stale = {state.name for state in states if state.kind == "stack" and state.reasons}
    return {name: effective_stack(stacks, name) for name in build_order(stacks) if name in asked or name in stale}


def _load_bases(
    project: Project, tools: LockTools, names: Sequence[str]
) -> tuple[dict[str, WrittenBase], dict[str, bytes]]:
    """Read base locks, making those that are not there; returns the latter's bytes too."""
    bases: dict[str, WrittenBase] = {}
    new: dict[str, bytes] = {}
    for name in names:
        path = project.base_lock_path(name)
        if not path.is_file():
            project.load_base(name)
            tools.say(f"locking base {name}")
            new[name] = tools.lock_base(name)
        bases[name] = WrittenBase(data=new.get(name) or path.read_bytes(), file=f"locks/{path.name}")
    return bases, new


def _keep_snapshot(tools: LockTools, done: Mapping[str, WrittenLock]) -> str:
    """Keep the state of the indexes; returns its id."""
    snapshot = tools.world.snapshot()
    name = snapshot_id(snapshot)
    locks = {stack: locked.digest for stack, locked in done.items()}
    tools.snapshots.save(SnapshotEntry(id=name, taken_at=tools.now, snapshot=snapshot, locks=locks))
    return name


def _proved(data: bytes, name: str) -> WrittenLock:
    """Take a new lock, sure that it can be read: an index may have said things that no lock may hold."""
    written = WrittenLock(data=data, stack=name, file=f"new lock of {name}")
    _ = written.lock
    return written


def _above(stacks: Mapping[str, Stack], name: str) -> set[str]:
    return {parent.name for parent in parent_chain(stacks, name)}


def _check(project: Project, known: ReadBefore, names: Sequence[str]) -> tuple[LockState, ...]:
    """Look at the locks of some stacks; reads none where none is asked about."""
    from builder.usecase.lock_check import check_locks

    return check_locks(project, names, heads=known.heads, stacks=known.stacks) if names else ()


def _stale_stacks(project: Project, known: ReadBefore, names: Sequence[str]) -> tuple[str, ...]:
    """List those of some stacks whose locks are stale."""
    states = _check(project, known, names)
    return tuple(state.name for state in states if state.kind == "stack" and state.reasons and state.name in names)
