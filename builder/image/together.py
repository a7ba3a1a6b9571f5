"""Segments that go together: of an image that begins like another one, only what is beyond that is looked at.

Whether inputs conflict is a question of pairs, so what is in a list without conflict has none in a longer one, except with what
was added. Paths are compared by the hash of their folded form: equal paths have equal ones, so no conflict is missed; where
two are equal, the whole list is checked by the exact rules, which also say what is wrong.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from threading import Lock
from typing import Final

from builder.image.ownership import check_ownership
from builder.image.segment import Segment, read_path_names
from builder.image.sources import Source
from builder.recent import Recent
from builder.wheel.names import fold

Owned = Sequence[tuple[Source, Segment]]
_MOST: Final = 8
"""Beginnings that are remembered, each of some megabytes: those of a few root stacks, for each platform."""
_MOST_SEGMENTS: Final = 256


@dataclass(frozen=True, slots=True, kw_only=True)
class _Paths:
    """Of a segment, by the hash of their folded form."""

    files: tuple[int, ...]
    """One may stand twice."""
    folders: frozenset[int]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Beginning:
    keys: tuple[str, ...]
    """Of segments without a conflict, in their order."""
    files: frozenset[int]
    folders: frozenset[int]


class Together:
    """Remembers how lists of segments began that had no conflict; used by many threads."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._checked: deque[Owned] = deque(maxlen=_MOST)
        self._beginnings: deque[_Beginning] = deque(maxlen=_MOST)
        self._paths: Recent[str, _Paths] = Recent(_MOST_SEGMENTS)

    def check(self, owned: Owned) -> None:
        """Refuse what `check_ownership` refuses, as it does.

        Args:
            owned: the segments of an image, lowest first.
        """
        beginning = self._find(tuple(segment.key for _, segment in owned))
        if beginning is not None:
            rest = [self._paths_of(segment) for _, segment in owned[len(beginning.keys) :]]
            if _goes_with(beginning, rest):
                return
        check_ownership(owned)
        if beginning is None:
            with self._lock:
                self._checked.append(owned)

    def _paths_of(self, segment: Segment) -> _Paths:
        """Read what a segment has; its other platform's image has it as well."""
        paths = self._paths.get(segment.key) or _read(segment)
        self._paths.put(segment.key, paths)
        return paths

    def _find(self, keys: tuple[str, ...]) -> _Beginning | None:
        """Find the longest beginning of a list that is known to have no conflict, if that is most of it."""
        with self._lock:
            # One that is short would stand in the way of a longer one for good.
            known = [
                one for one in self._beginnings if 2 * len(one.keys) >= len(keys) and keys[: len(one.keys)] == one.keys
            ]
            if known:
                return max(known, key=lambda one: len(one.keys))
            shared, owned = max(((_shared(one, keys), one) for one in self._checked), key=_first, default=(0, ()))
            if not shared or 2 * shared < len(keys):
                return None
            beginning = _begin(owned[:shared])
            self._beginnings.append(beginning)
            return beginning


def _first(pair: tuple[int, object]) -> int:
    return pair[0]


def _shared(owned: Owned, keys: Sequence[str]) -> int:
    """Count how many segments two lists begin with alike."""
    pairs = zip(owned, keys, strict=False)
    return next((number for number, (one, key) in enumerate(pairs) if one[1].key != key), min(len(owned), len(keys)))


def _begin(owned: Owned) -> _Beginning:
    paths = [_read(segment) for _, segment in owned]
    return _Beginning(
        keys=tuple(segment.key for _, segment in owned),
        files=frozenset().union(*(one.files for one in paths)),
        folders=frozenset().union(*(one.folders for one in paths)),
    )


def _read(segment: Segment) -> _Paths:
    files = [hash(fold(path)) for path in read_path_names(segment)]
    folders = {hash(fold(path)) for path in (*segment.parents, *(entry.path for entry in segment.directories))}
    return _Paths(files=tuple(files), folders=frozenset(folders))


def _goes_with(beginning: _Beginning, rest: Sequence[_Paths]) -> bool:
    """Tell whether nothing that was added can be in conflict with what was there, or with something else that was added."""
    files = [one for paths in rest for one in paths.files]
    folders = frozenset().union(*(paths.folders for paths in rest))
    distinct = frozenset(files)
    return (
        len(distinct) == len(files)
        and distinct.isdisjoint(beginning.files)
        and distinct.isdisjoint(beginning.folders)
        and distinct.isdisjoint(folders)
        and folders.isdisjoint(beginning.files)
    )
