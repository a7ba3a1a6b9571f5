"""Many pieces of work at a time, in threads: big ones first, within a bound on memory, the first failure ends all.

Threads are enough here: inflating, compressing and hashing let go of the interpreter's lock, and bytecode is compiled by
processes of another Python. Results come in the order of the pieces, whatever the order of the work.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from contextlib import contextmanager
from typing import TypeVar

_Piece = TypeVar("_Piece")
_Result = TypeVar("_Result")


class MemoryBudget:
    """Bytes that work in progress may hold together; a piece that is bigger than all of it runs alone.

    Args:
        size: bytes.
    """

    def __init__(self, size: int) -> None:
        self._size = size
        self._used = 0
        self._changed = threading.Condition()

    @contextmanager
    def hold(self, cost: int) -> Iterator[None]:
        """Wait until there is room, and keep it for the length of the block."""
        cost = min(cost, self._size)
        with self._changed:
            self._changed.wait_for(lambda: self._used + cost <= self._size)
            self._used += cost
        try:
            yield
        finally:
            with self._changed:
                self._used -= cost
                self._changed.notify_all()


def run_all(
    pieces: Sequence[_Piece],
    work: Callable[[_Piece], _Result],
    *,
    cost: Callable[[_Piece], int],
    threads: int,
    budget: int,
) -> list[_Result]:
    """Do a piece of work for each, and give the results in the order of the pieces.

    Args:
        pieces: what to work on.
        work: called in threads.
        cost: bytes of memory that a piece takes, roughly; the dearest are begun first.
        threads: most at a time.
        budget: bytes that all in progress may take together.

    Raises:
        Exception: the first one that any piece raised, in their order; pieces not yet begun are dropped.
    """
    if not pieces:
        return []
    memory = MemoryBudget(budget)
    stop = threading.Event()

    def one(piece: _Piece) -> _Result | None:
        with memory.hold(cost(piece)):
            return None if stop.is_set() else work(piece)

    order = sorted(range(len(pieces)), key=lambda number: (-cost(pieces[number]), number))
    with ThreadPoolExecutor(max_workers=min(threads, len(pieces))) as pool:
        futures = {number: pool.submit(one, pieces[number]) for number in order}
        try:
            wait(futures.values(), return_when=FIRST_EXCEPTION)
        finally:
            if not all(future.done() and not future.exception() for future in futures.values()):
                stop.set()
                pool.shutdown(wait=True, cancel_futures=True)
    failures = [
        error
        for number in range(len(pieces))
        if not futures[number].cancelled() and (error := futures[number].exception()) is not None
    ]
    if failures:
        raise failures[0]
    return [result for number in range(len(pieces)) if (result := futures[number].result()) is not None]
