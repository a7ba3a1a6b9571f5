"""What `lock` needs from outside, what it is told, and what it answers."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from builder.digest import Digest
    from builder.lock.model import BaseLock, BuiltWheel, LockedCandidate, StackLock
    from builder.project import Project
    from builder.resolve.model import IndexAddress, Resolver, WheelProbe
    from builder.snapshot.model import SnapshotStore, WheelBuilder
    from builder.snapshot.rules import ViewRules
    from builder.snapshot.view import IndexView
    from builder.snapshot.world import World
    from builder.stack.model import EffectiveStack
    from builder.store.model import FileStore
    from builder.usecase.constraints import Constraints


@dataclass(frozen=True, slots=True, kw_only=True)
class LockOptions:
    """How a lock is to be made."""

    upgrade: bool = False
    """Take the newest of everything, whatever the lock before had."""
    upgrade_packages: frozenset[str] = frozenset()
    """Projects to take the newest of; all else stays where it can."""
    resolver: str | None = None
    """In place of the stack's own."""
    refresh_constraints: bool = False
    """Fetch Airflow's constraints again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LockTools:
    """What touches the outside while a lock is made."""

    world: World
    serve: Callable[[IndexView], IndexAddress]
    """Puts a view on the loopback index."""
    resolver: Callable[[str], Resolver]
    """Finds a resolver by name."""
    wheel_builder: Callable[[BaseLock, Resolver, ViewRules, Sequence[BuiltWheel]], WheelBuilder | None]
    """Makes what builds sdists on a base, whose requirements are resolved under rules, or are those of wheels built
    before; None where nothing builds."""
    constraints: Callable[[Project, EffectiveStack, LockOptions], Constraints | None]
    """Gets a stack's constraints, from beside the lock or from where they are published."""
    probe: WheelProbe
    remember: Callable[[Mapping[Digest, Sequence[str]]], None]
    """Keeps where files were seen, as a hint for fetching."""
    files: FileStore
    snapshots: SnapshotStore
    lock_base: Callable[[str], bytes]
    """Makes a base's lock: name of the base to the lock's bytes, which nobody has written yet."""
    say: Callable[[str], None]
    """Told what is being done."""
    now: int
    """Seconds since the epoch, when the run began."""
    program: str = ""
    """Names this very program, so that what it found out is not taken for another's; empty to remember nothing."""


class Hold(StrEnum):
    """What kind of thing holds a project back."""

    PARENT = "parent"
    TESTED = "tested"
    DIVERGED = "diverged"
    RELEASE = "release"
    """The newest release itself: the base cannot use it."""
    CANDIDATE = "candidate"
    """A requirement of another candidate, or a knot of several."""
    ORDER = "order"
    """Nothing: the resolver took something else first, or the lock before was kept."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Behind:
    """A project that did not come out as its newest release."""

    project: str
    chosen: str
    newest: str
    steps: str
    """How far, as `15 minors`."""
    blocker: str | None
    """What holds it back, as a part of a sentence; None where that was not looked for."""
    hold: Hold | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Move:
    """A candidate that a new lock has in another version; None where there is none before or after."""

    project: str
    before: str | None
    after: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class StackChange:
    """What locking a stack brought."""

    stack: str
    changed: bool
    """The lock's bytes are others than before."""
    candidates: int
    layers: int
    moves: tuple[Move, ...]
    """By project."""
    behind: tuple[Behind, ...] = ()
    """What was asked for without an upper bound and is not the newest."""
    status: str = ""
    """How many candidates are as tested, diverged and outside the tested set; empty without constraints."""
    droppable: tuple[str, ...] = ()
    """Projects whose divergence is not needed any more."""

    def count(self, kind: str) -> int:
        """Count moves: `added`, `removed` or `moved`."""
        return sum(1 for move in self.moves if _kind(move) == kind)


@dataclass(frozen=True, slots=True, kw_only=True)
class LockReport:
    """What a run of `lock` did."""

    bases: tuple[str, ...]
    """Bases locked in this run."""
    stacks: tuple[StackChange, ...]
    """In the order they were locked: parents first."""
    stale: tuple[str, ...] = ()
    """Stacks whose locks this run made stale and did not make again."""
    snapshot: str = ""
    """Id of the state of the indexes that the locks were made against."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LockState:
    """Whether a lock answers to its inputs."""

    kind: str
    """`base` or `stack`."""
    name: str
    reasons: tuple[str, ...]
    """Why it is stale; empty where it is fresh."""


def compare_locks(before: StackLock | None, after: StackLock, *, changed: bool) -> StackChange:
    """Compare a stack's new lock with the one before."""
    old, new = _versions(before), _versions(after)
    moves = tuple(
        Move(project=project, before=old.get(project), after=new.get(project))
        for project in sorted(old.keys() | new.keys())
        if old.get(project) != new.get(project)
    )
    return StackChange(stack=after.stack, changed=changed, candidates=len(new), layers=len(after.plan), moves=moves)


def _versions(lock: StackLock | None) -> dict[str, str]:
    """Map project to version; several, where platforms differ, side by side."""
    found: dict[str, list[str]] = {}
    candidates: tuple[LockedCandidate, ...] = lock.candidates if lock else ()
    for candidate in candidates:
        found.setdefault(candidate.project, []).append(candidate.version)
    return {project: ", ".join(sorted(versions)) for project, versions in found.items()}


def _kind(move: Move) -> str:
    if move.before is None:
        return "added"
    return "removed" if move.after is None else "moved"
