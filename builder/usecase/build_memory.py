"""What a process that builds stack after stack remembers: made when first needed, since a build with nothing to do needs none."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from builder.image.memory import ImageMemory
    from builder.lock.memory import LockMemory


class BuildMemory:
    """What was read and found for one stack, and holds for the next; used by many threads.

    Args:
        locks: reads locks; by default one that has read none yet.
    """

    def __init__(self, locks: LockMemory | None = None) -> None:
        self._given_locks = locks

    @cached_property
    def locks(self) -> LockMemory:
        """Reads locks: what they say alike once."""
        from builder.lock.memory import LockMemory

        return self._given_locks or LockMemory()

    @cached_property
    def images(self) -> ImageMemory:
        """What was found of segments and layers."""
        from builder.image.memory import ImageMemory

        return ImageMemory()
