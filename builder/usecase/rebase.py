"""Rebase: a stack's lock put on its base as it is locked now, without resolving anything.

1. Nothing but the base (and with it a parent's base) may have moved since the lock was made.
2. The base must be one that the pins are for: the same Python, the same platforms.
3. It must give every library, symbol version and symbol that the stack's native code asks.
4. The lock is written as `lock` would write it with the same pins; distributions keep their layers by digest, since
   nothing that decides about them has moved. Where the interpreter has, bytecode is compiled anew, and the report says so.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from builder.abi.check import Missing, count_native, find_missing, provide
from builder.abi.facts import deb_facts, image_facts, wheel_facts
from builder.digest import Digest
from builder.errors import LockInvalidError, LockStaleError
from builder.image.parts import python_minor
from builder.lock.airflow import check_parent
from builder.lock.base import parse_base_lock
from builder.lock.model import BaseLock, LockedDeb, StackLock
from builder.lock.pylock import dump_stack_lock, parse_stack_lock
from builder.lock.staleness import stale_reasons
from builder.oci.layout import LayoutImage, PlatformImage
from builder.platform import Platform
from builder.project import Project
from builder.stack.graph import build_order, effective_stack
from builder.stack.inputs import inputs_digest
from builder.stack.model import EffectiveStack, Stack
from builder.store.model import ArtefactStore, FileStore
from builder.usecase.lock_check import check_locks
from builder.usecase.lock_stack import date_lock

RECORD_FORMAT: Final = 1
_PYTHON: Final = re.compile(r"python3\.[0-9]+-minimal=(\S+)")
Need = Callable[[Sequence[LockedDeb]], None]
"""Has debs brought into the store that it does not hold."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RebaseTools:
    """What a rebase reads with."""

    files: FileStore
    artefacts: ArtefactStore
    need: Need


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """Whether a base does for a stack: what the ledger records."""

    stack: str
    base: str
    base_lock: Digest
    before: Digest
    """Of the base's lock that the stack was on."""
    native_files: int
    """Looked at, of all platforms."""
    missing: tuple[Missing, ...]

    @property
    def is_compatible(self) -> bool:
        """Tell whether nothing is missing."""
        return not self.missing

    def as_json(self) -> dict[str, Any]:
        """Make the JSON form."""
        return {
            "format": RECORD_FORMAT,
            "stack": self.stack,
            "base": self.base,
            "base_lock": {"before": str(self.before), "after": str(self.base_lock)},
            "compatible": self.is_compatible,
            "native_files": self.native_files,
            "missing": [
                {
                    "platform": one.platform,
                    "distribution": one.distribution,
                    "path": one.path,
                    "library": one.library,
                    "version": one.version or None,
                    "symbol": one.symbol or None,
                }
                for one in self.missing
            ],
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Rebased:
    """A stack's lock on its base as it is now."""

    verdict: Verdict
    lock: bytes
    """As it is to be written."""
    moved: bool
    """False where it stood on that base already."""
    base: BaseLock


def stacks_to_rebase(project: Project, names: Sequence[str]) -> tuple[str, ...]:
    """List the stacks whose base moved, parents first: of those named and their parents, or of all.

    Raises:
        LockStaleError: more than a base has moved.
    """
    states = {state.name: state for state in check_locks(project, names) if state.kind == "stack"}
    order = build_order(project.load_stacks())
    return tuple(name for name in order if name in states and (states[name].reasons or name in names))


def rebase(
    project: Project, stacks: Mapping[str, Stack], name: str, done: Mapping[str, Rebased], tools: RebaseTools
) -> Rebased:
    """Put a stack's lock on its base as it is locked now; nothing is written.

    Args:
        project: the folder of stacks and locks.
        stacks: all.
        name: of the stack.
        done: parents that were rebased before, not yet written.
        tools: to read debs and wheels with.

    Raises:
        LockStaleError: something beside the base has moved.
        LockInvalidError: the base is none that the pins are for.
    """
    stack = effective_stack(stacks, name)
    lock = _read(project, name)
    raw = project.base_lock_path(lock.base).read_bytes()
    base = parse_base_lock(raw, file=f"locks/base.{lock.base}.toml")
    parent_data = _parent_data(project, stack, done)
    _check_rest(project, stack, lock)
    _check_base(lock, base)
    made = _put_on(project, stack, lock, base, base_lock=Digest.of(raw), parent_data=parent_data)
    missing, count = _check_abi(made, base, tools)
    verdict = Verdict(
        stack=name,
        base=base.name,
        base_lock=made.base_lock,
        before=lock.base_lock,
        native_files=count,
        missing=missing,
    )
    return Rebased(verdict=verdict, lock=dump_stack_lock(made), moved=made != lock, base=base)


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerChange:
    """What became of the layers with distributions, on one platform."""

    platform: Platform
    same: int
    new: tuple[str, ...]
    """Names of layers with another digest."""
    reason: str
    """Why there are new ones; empty where there are none."""


def compare_layers(before: LayoutImage, after: LayoutImage) -> tuple[LayerChange, ...]:
    """Compare the layers with distributions of two images of a stack, by digest."""
    old = {image.platform: image for image in before.platforms}
    return tuple(_compare(old[image.platform], image) for image in after.platforms if image.platform in old)


def _compare(before: PlatformImage, after: PlatformImage) -> LayerChange:
    known = {digest for _, digest, _ in _named_layers(before)}
    layers = [(name, digest) for name, digest, contents in _named_layers(after) if "==" in contents]
    new = tuple(name for name, digest in layers if digest not in known)
    pythons = [_PYTHON.search(" ".join(line.created_by for line in image.config.history)) for image in (before, after)]
    revisions = [found.group(1) if found else "an unknown one" for found in pythons]
    moved = revisions[0] != revisions[1]
    reason = f"the interpreter moved from {revisions[0]} to {revisions[1]}" if moved else "files of the base moved"
    return LayerChange(platform=after.platform, same=len(layers) - len(new), new=new, reason=reason if new else "")


def _named_layers(image: PlatformImage) -> list[tuple[str, Digest, str]]:
    pairs = zip(image.config.history, image.manifest.layers, strict=True)
    split = [(line.created_by.removeprefix("airflow-kubler ").partition(":"), layer.digest) for line, layer in pairs]
    return [(name, digest, contents) for (name, _, contents), digest in split]


def _read(project: Project, name: str) -> StackLock:
    path = project.stack_lock_path(name)
    if not path.is_file():
        raise LockStaleError("it has no lock", context=name, hint=f"airflow-kubler lock {name}")
    return parse_stack_lock(path.read_bytes(), file=f"locks/{path.name}")


def _parent_data(project: Project, stack: EffectiveStack, done: Mapping[str, Rebased]) -> bytes | None:
    if not stack.parents:
        return None
    parent = stack.parents[0]
    return done[parent].lock if parent in done else project.stack_lock_path(parent).read_bytes()


def _check_rest(project: Project, stack: EffectiveStack, lock: StackLock) -> None:
    """Refuse where anything but the base, or the parent's lock, has moved since the lock was made."""
    constraints = project.load_constraints(stack)
    reasons = stale_reasons(
        lock,
        stack,
        base_lock=lock.base_lock,
        parent_lock=lock.parent_lock,
        constraints=Digest.of(constraints) if constraints is not None else None,
        files={path: Digest.of(data) for path, data in project.stack_files(stack.name)},
        index_rules=project.load_index_rules(),
    )
    if reasons:
        raise LockStaleError(
            f"more than the base has moved: {', '.join(reasons)}",
            context=stack.name,
            hint=f"airflow-kubler lock {stack.name}, which resolves",
        )


def _check_base(lock: StackLock, base: BaseLock) -> None:
    where = f"locks/base.{base.name}.toml"
    if python_minor(base.python_version) != python_minor(lock.python_version):
        raise LockInvalidError(
            f"has Python {base.python_version}, and the pins are for {lock.python_version}",
            context=where,
            hint=f"airflow-kubler lock {lock.stack}, which resolves for it",
        )
    absent = [platform.name for platform in lock.platforms if platform not in base.base.platforms]
    if absent:
        raise LockInvalidError(
            f"is not for {', '.join(absent)}", context=where, hint=f"airflow-kubler lock {lock.stack}"
        )


def _put_on(
    project: Project,
    stack: EffectiveStack,
    lock: StackLock,
    base: BaseLock,
    *,
    base_lock: Digest,
    parent_data: bytes | None,
) -> StackLock:
    """Make the lock that `lock` would write on this base with the same pins."""
    parent = parse_stack_lock(parent_data, file=f"locks/pylock.{stack.parents[0]}.toml") if parent_data else None
    if parent is not None:
        _check_same_pins(lock, parent)
    constraints = project.load_constraints(stack)
    parent_lock = Digest.of(parent_data) if parent_data is not None else None
    made = replace(
        lock,
        inputs=inputs_digest(
            stack,
            base_lock=base_lock,
            parent_lock=parent_lock,
            constraints=Digest.of(constraints) if constraints is not None else None,
            files={path: Digest.of(data) for path, data in project.stack_files(stack.name)},
            index_rules=project.load_index_rules(),
        ),
        python_version=base.python_version,
        base_lock=base_lock,
        parent_lock=parent_lock,
        created=date_lock(base, parent, lock.candidates),
    )
    if parent is not None:
        check_parent(made, parent, file=f"locks/pylock.{stack.name}.toml")
    return made


def _check_same_pins(lock: StackLock, parent: StackLock) -> None:
    """Refuse where the parent's own pins or layers have moved: that is more than a base."""
    wheels = {
        (candidate.project, platform): file
        for candidate in lock.candidates
        for platform, file in candidate.wheels.items()
    }
    moved = sorted(
        {
            candidate.project
            for candidate in parent.candidates
            for platform, file in candidate.wheels.items()
            if platform in {one.name for one in lock.platforms} and wheels.get((candidate.project, platform)) != file
        }
    )
    if moved or lock.plan[: len(parent.plan)] != parent.plan:
        what = (
            f"pins of its parent have moved: {', '.join(moved[:5])}" if moved else "the layers of its parent have moved"
        )
        raise LockStaleError(what, context=lock.stack, hint=f"airflow-kubler lock {lock.stack}, which resolves")


def _check_abi(lock: StackLock, base: BaseLock, tools: RebaseTools) -> tuple[tuple[Missing, ...], int]:
    debs = [deb for deb in base.debs if not set(deb.platforms).isdisjoint(lock.platforms)]
    tools.need(debs)
    missing: list[Missing] = []
    count = 0
    for platform in lock.platforms:
        found, native = _check_platform(lock, base, platform, tools)
        missing += found
        count += native
    return tuple(missing), count


def _check_platform(
    lock: StackLock, base: BaseLock, platform: Platform, tools: RebaseTools
) -> tuple[tuple[Missing, ...], int]:
    wheels = {
        f"{candidate.project}=={candidate.version}": wheel_facts(
            candidate.wheels[platform.name], tools.files, tools.artefacts
        )
        for candidate in lock.candidates_for(platform)
    }
    image = base.image_for(platform)
    if image is not None:
        given = [image_facts(image, base, tools.files, tools.artefacts)]
    else:
        debs = [deb for deb in base.debs if platform in deb.platforms]
        given = [deb_facts(deb, base.base, tools.files, tools.artefacts) for deb in debs]
    return find_missing(wheels, provide(given, platform), platform), count_native(wheels)
