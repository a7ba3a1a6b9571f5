"""The same work on many things, some at a time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from typing import Final, TypeVar

DEFAULT_WORKERS: Final = 4
_T = TypeVar("_T")
_R = TypeVar("_R")


def parallel(work: Callable[[_T], _R], items: Sequence[_T], workers: int) -> list[_R]:
    """Do something to each, some at a time; after the first error nothing more is begun."""
    if len(items) < 2:
        return [work(item) for item in items]
    with ThreadPoolExecutor(max_workers=min(workers, len(items)), thread_name_prefix="registry") as pool:
        futures = [pool.submit(work, item) for item in items]
        try:
            for future in as_completed(futures):
                future.result()
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    return [future.result() for future in futures]
