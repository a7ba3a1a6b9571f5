"""A builder of wheels that begins when the first of them is wanted: what builds is much to import."""

from __future__ import annotations

import threading
from collections.abc import Callable

from builder.lock.model import BaseLock
from builder.sdist.key import build_key
from builder.snapshot.model import Built, OfferedFile, WheelBuilder


class LateWheelBuilder:
    """A WheelBuilder in place of another.

    Args:
        base: whose interpreter builds.
        begin: makes the other.
    """

    def __init__(self, base: BaseLock, begin: Callable[[], WheelBuilder]) -> None:
        self.key = build_key(base)
        self._begin = begin
        self._builder: WheelBuilder | None = None
        self._lock = threading.Lock()

    def build(self, project: str, version: str, sdist: OfferedFile) -> Built:
        """Build a wheel, or find the one that was built before."""
        with self._lock:
            self._builder = self._builder or self._begin()
        return self._builder.build(project, version, sdist)
