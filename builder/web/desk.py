"""A ledger asked in a thread of its own: who waits for a lock or reads much holds up nobody who asks for something else."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack
from typing import TypeVar

from builder.ledger.model import Ledger

_T = TypeVar("_T")


class Desk:
    """One ledger, opened in the thread that it is asked in, when that is first done; one question at a time.

    Args:
        open_ledger: opens it.
    """

    def __init__(self, open_ledger: Callable[[], AbstractContextManager[Ledger]]) -> None:
        self._open = open_ledger
        self._thread = ThreadPoolExecutor(1, "ledger")
        self._later = ExitStack()
        self._ledger: Ledger | None = None

    async def ask(self, question: Callable[[Ledger], _T]) -> _T:
        """Ask it."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, self._answer, question)

    def _answer(self, question: Callable[[Ledger], _T]) -> _T:
        if self._ledger is None:
            self._ledger = self._later.enter_context(self._open())
        return question(self._ledger)

    def close(self) -> None:
        """Close it, where it was opened, once what was asked is answered."""
        self._thread.submit(self._later.close).result()
        self._thread.shutdown()
