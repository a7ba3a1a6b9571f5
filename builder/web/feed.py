"""Notices what is appended to a ledger, by whichever process, and wakes those who wait for it.

SQLite counts commits of other connections: asking for that number costs microseconds, so it is asked often. All of this runs
in one thread, that of the event loop; a question to the ledger takes less than the loop's own round.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Final, Protocol

from builder.ledger.model import LedgerReader

INTERVAL_S: Final = 0.1
"""Between two looks: a move is known after half of it on average."""


class WatchedLedger(LedgerReader, Protocol):
    """A ledger that can tell whether somebody else has written to it."""

    def changes(self) -> int:
        """Give a number that is another after an append of anybody."""


class Feed:
    """Who waits for the ledger to change.

    Args:
        ledger: read in the thread of the event loop.
    """

    def __init__(self, ledger: WatchedLedger) -> None:
        self.ledger = ledger
        self.version = 0
        """Goes up with each change that was noticed."""
        self._seen = ledger.changes()
        self._changed = asyncio.Event()

    @contextlib.asynccontextmanager
    async def watching(self) -> AsyncIterator[None]:
        """Look at the ledger while the block runs."""
        task = asyncio.create_task(self._watch())
        try:
            yield
        finally:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(INTERVAL_S)
            self.look()

    def look(self) -> None:
        """Notice what has changed, and wake who waits."""
        now = self.ledger.changes()
        if now == self._seen:
            return
        self._seen = now
        self.version += 1
        waiting, self._changed = self._changed, asyncio.Event()
        waiting.set()

    async def wait(self, version: int, timeout_s: float) -> bool:
        """Wait until the version is another than the given one; False where it is not in time."""
        if self.version != version:
            return True
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                await self._changed.wait()
        return self.version != version
