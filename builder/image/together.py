"""Segments that go together: of an image that begins like another one, only what is beyond that is looked at.

Whether inputs conflict is a question of pairs, so what is in a list without conflict has none in a longer one, except with what
was added. Paths are compared by the hash of their folded form: equal paths have equal ones, so no conflict is missed; where
two are equal, the whole list is checked by the exact rules, which also say what is wrong.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from threading import Lock
from typing import Final

from builder.image.ownership import check_ownership
from builder.image.segment import Segment, read_path_names
from builder.image.sources import Source
from builder.wheel.names import fold

Owned = Sequence[tuple[Source, Segment]]
_MOST: Final = 8
"""Beginnings that are remembered, each of some megabytes: those of a few root stacks, for each platform."""


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

    def check(self, owned: Owned) -> None:
        """Refuse what `check_ownership` refuses, as it does.

        Args:
            owned: the segments of an image, lowest first.
        """
        beginning = self._find(tuple(segment.key for _, segment in owned))
        if beginning is not None and _goes_with(beginning, owned[len(beginning.keys) :]):
            return
        check_ownership(owned)
        if beginning is None:
            with self._lock:
                self._checked.append(owned)

    def _find(self, keys: tuple[str, ...]) -> _Beginning | None:
        """Find the longest beginning of a list that is known to have no conflict, if that is most of it."""
        with self._lock:
            known = [one for one in self._beginnings if keys[: len(one.keys)] == one.keys]
            if known:
                return max(known, key=lambda one: len(one.keys))
            shared, owned = max(((_shared(one, keys), one) for one in self._checked), key=_first, default=(0, ()))
            if 2 * shared < len(keys):
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
    return _Beginning(
        keys=tuple(segment.key for _, segment in owned),
        files=frozenset(one for _, segment in owned for one in _folded(read_path_names(segment))),
        folders=frozenset(one for _, segment in owned for one in _folded(_folders(segment))),
    )


def _goes_with(beginning: _Beginning, rest: Owned) -> bool:
    """Tell whether nothing that was added can be in conflict with what was there, or with something else that was added."""
    files: set[int] = set()
    folders: set[int] = set()
    for _, segment in rest:
        own = list(_folded(read_path_names(segment)))
        count = len(files) + len(own)
        files.update(own)
        if len(files) < count:
            return False
        folders.update(_folded(_folders(segment)))
    return (
        files.isdisjoint(beginning.files)
        and files.isdisjoint(beginning.folders)
        and files.isdisjoint(folders)
        and folders.isdisjoint(beginning.files)
    )


def _folders(segment: Segment) -> Iterable[str]:
    return (*segment.parents, *(entry.path for entry in segment.directories))


def _folded(paths: Iterable[str]) -> Iterable[int]:
    return (hash(fold(path)) for path in paths)
