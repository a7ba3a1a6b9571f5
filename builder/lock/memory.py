"""Locks that one process reads one after another: what several of them say alike, to the byte, is read once.

Stacks of a fleet share most of their candidates, and whole bases. What is kept was read strictly, and is found by the very
bytes that it was read from; a lock in which anything is not as this program writes it is read in full, and refused there.
"""

from __future__ import annotations

import tomllib
from functools import lru_cache
from typing import Any, Final, Protocol

from builder.lock.airflow import iter_contradictions
from builder.lock.base import parse_base_lock
from builder.lock.fields import Fields
from builder.lock.model import BaseLock, LockedCandidate, StackLock
from builder.lock.pylock import MAX_BYTES, parse_stack_lock
from builder.lock.pylock_reader import StackLockReader
from builder.lock.pylock_writer import (
    FORMAT,
    LOCK_VERSION,
    TOOL,
    dump_frame,
    dump_package,
    known_platforms,
    split_stack_lock,
)
from builder.recent import Recent

_MOST_CANDIDATES: Final = 2048
_LONGEST_TEXT: Final = 1 << 16
_MOST_BASES: Final = 8


class CandidateParser(Protocol):
    """Reads the text of one package for some platforms; None where it is not exactly what would be written."""

    def __call__(self, text: str, platforms: tuple[str, ...], /) -> LockedCandidate | None:
        """Read it."""


class BaseParser(Protocol):
    """Reads the lock of a base, strictly."""

    def __call__(self, data: bytes, *, file: str) -> BaseLock:
        """Read it."""


class LockMemory:
    """Reads locks, and keeps the candidates and bases that were seen lately: a few megabytes; used by many threads.

    Args:
        candidate: reads one package of a lock.
        base: reads the lock of a base.
    """

    def __init__(self, *, candidate: CandidateParser | None = None, base: BaseParser = parse_base_lock) -> None:
        self._parse = candidate or parse_candidate
        self._candidates: Recent[tuple[str, tuple[str, ...]], LockedCandidate] = Recent(_MOST_CANDIDATES)
        self._base = lru_cache(maxsize=_MOST_BASES)(base)

    def stack(self, data: bytes, *, file: str) -> StackLock:
        """Read a stack's lock: what `parse_stack_lock` gives and raises."""
        lock = self._known(data)
        return parse_stack_lock(data, file=file) if lock is None else lock

    def base(self, data: bytes, *, file: str) -> BaseLock:
        """Read a base's lock: what `parse_base_lock` gives and raises."""
        return self._base(data, file=file)

    def _candidate(self, text: str, platforms: tuple[str, ...]) -> LockedCandidate | None:
        """Read one package, and keep it where it is one: what is refused, or is longer than any real one, is read again."""
        found = self._candidates.get((text, platforms))
        if found is None:
            found = self._parse(text, platforms)
            if found is not None and len(text) <= _LONGEST_TEXT:
                self._candidates.put((text, platforms), found)
        return found

    def _known(self, data: bytes) -> StackLock | None:
        """Read a lock by its parts; None where that does not tell all of it."""
        try:
            head, packages, tail = split_stack_lock(data.decode()) if len(data) <= MAX_BYTES else ("", (), "")
            values = tomllib.loads(f"{head}\n{tail}")
        except (ValueError, RecursionError):
            return None
        tool = values.get("tool")
        ours = tool.get(TOOL) if isinstance(tool, dict) else None
        if not isinstance(ours, dict) or _formats(values, ours) != [(str, LOCK_VERSION), (int, FORMAT)]:
            return None
        fields = Fields("")
        reader = StackLockReader(fields)
        platforms = tuple(platform.name for platform in reader.platforms(ours, ""))
        found = tuple(self._candidate(package, platforms) for package in packages)
        candidates = tuple(one for one in found if one is not None)
        projects = [one.project for one in candidates]
        # With several versions of a project, what a package says of it depends on the other packages.
        if len(candidates) < len(found) or projects != sorted(set(projects)):
            return None
        lock = reader.lock(values, ours, candidates)
        # All of the text is held against what would be written: packages when they were read, here the rest.
        is_whole = not fields.issues and not any(iter_contradictions(lock)) and dump_frame(lock) == (head, tail)
        return lock if is_whole else None


def _formats(values: dict[str, Any], ours: dict[str, Any]) -> list[tuple[type, Any]]:
    return [(type(value), value) for value in (values.get("lock-version"), ours.get("format"))]


def parse_candidate(text: str, platforms: tuple[str, ...]) -> LockedCandidate | None:
    """Read one package of a lock, without its first line, for these platforms; as `CandidateParser` says."""
    try:
        values = tomllib.loads(f"[[packages]]\n{text}")
    except (ValueError, RecursionError):
        return None
    rows = values.pop("packages")
    if values or len(rows) != 1:
        return None
    fields = Fields("")
    known = known_platforms(platforms)
    candidate = StackLockReader(fields).candidate(rows[0], "", known)
    return candidate if not fields.issues and dump_package(candidate, known) == text else None
