"""The build graph of a project, from its locks; what is found in a lock is kept by the lock's hash."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final

from builder.digest import Digest
from builder.errors import LockStaleError
from builder.image.sealed import seal, unseal
from builder.nightly.graph import BaseFacts, BuildGraph, StackFacts, make_graph
from builder.project import Project
from builder.stack.graph import build_order
from builder.store.model import ArtefactStore

if TYPE_CHECKING:
    from builder.lock.memory import LockMemory
    from builder.lock.model import BaseLock, StackLock

_KIND: Final = "facts"
_FORMAT: Final = 1


def load_graph(project: Project, artefacts: ArtefactStore) -> BuildGraph:
    """Make the graph of all stacks and bases that have a lock.

    Args:
        project: the folder of stacks and locks.
        artefacts: where facts of locks are kept, so that a lock is parsed once.

    Raises:
        LockStaleError: no stack has a lock.
        LockInvalidError: a lock is damaged.
    """
    from builder.image.formats import format_names

    stacks, known = project.load_stacks(), _KnownFacts(artefacts)
    bases = []
    for name in project.base_names():
        path = project.base_lock_path(name)
        if path.is_file():
            data = path.read_bytes()
            facts = known.of_base(data, file=f"locks/{path.name}")
            bases.append(BaseFacts(name=name, lock=Digest.of(data), debs=facts["debs"]))
    locked = []
    for name in build_order(stacks):
        path = project.stack_lock_path(name)
        if not path.is_file():
            continue
        data = path.read_bytes()
        facts = known.of_stack(data, file=f"locks/{path.name}")
        locked.append(
            StackFacts(
                name=name,
                lock=Digest.of(data),
                base=facts["base"],
                base_lock=Digest.parse(facts["base_lock"]),
                parent=facts["parent"],
                owners=stacks[name].owners,
                versions=_interned(facts["versions"]),
                wheels=_interned(facts["wheels"]),
            )
        )
    if not locked:
        raise LockStaleError("no stack has a lock", context="locks", hint="airflow-kubler lock")
    return make_graph(bases, locked, formats=format_names())


class _KnownFacts:
    """Facts of locks, kept by the lock's hash."""

    def __init__(self, artefacts: ArtefactStore) -> None:
        self._artefacts = artefacts

    def of_base(self, data: bytes, *, file: str) -> Mapping[str, Any]:
        """Find or read the facts of a base's lock."""
        return self._find(data, lambda: _base_facts(self._locks.base(data, file=file)))

    def of_stack(self, data: bytes, *, file: str) -> Mapping[str, Any]:
        """Find or read the facts of a stack's lock."""
        return self._find(data, lambda: _stack_facts(self._locks.stack(data, file=file)))

    @cached_property
    def _locks(self) -> LockMemory:
        from builder.lock.memory import LockMemory

        return LockMemory()

    def _find(self, data: bytes, read: Callable[[], dict[str, Any]]) -> Mapping[str, Any]:
        key = Digest.of(b"%d %s" % (_FORMAT, Digest.of(data).hex.encode())).hex
        path = self._artefacts.get(_KIND, key)
        known = unseal(path.read_bytes()) if path is not None else None
        if isinstance(known, dict):
            return known
        found = read()
        if path is not None:
            path.unlink(missing_ok=True)  # It is damaged; nothing is put over what is there.
        self._artefacts.put(_KIND, key, [seal(found)])
        return found


def _interned(rows: Mapping[str, str]) -> dict[str, str]:
    """Hold each text once: stacks of a fleet have most of theirs in common."""
    return {sys.intern(name): sys.intern(text) for name, text in rows.items()}


def _base_facts(lock: BaseLock) -> dict[str, Any]:
    rows = [(deb.package, deb.version) for deb in lock.debs]
    rows += [
        (name, version) for image in lock.images for name, _, version in (row.partition("=") for row in image.packages)
    ]
    return {"debs": _joined(rows)}


def _stack_facts(lock: StackLock) -> dict[str, Any]:
    return {
        "base": lock.base,
        "base_lock": str(lock.base_lock),
        "parent": lock.parents[0] if lock.parents else "",
        "versions": _joined([(one.project, one.version) for one in lock.candidates]),
        "wheels": {file.name: one.project for one in lock.candidates for file in one.wheels.values()},
    }


def _joined(rows: list[tuple[str, str]]) -> dict[str, str]:
    """Map names to versions; several, where platforms differ, side by side."""
    found: dict[str, set[str]] = {}
    for name, version in rows:
        found.setdefault(name, set()).add(version)
    return {name: ", ".join(sorted(found[name])) for name in sorted(found)}
