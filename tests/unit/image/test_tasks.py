"""Work in threads: order of results, bound on memory, first failure."""

from __future__ import annotations

import threading
import time

import pytest

from builder.image.tasks import run_all


def test_results_come_in_the_order_of_the_pieces() -> None:
    assert run_all([3, 1, 2], lambda n: n * 10, cost=lambda n: n, threads=3, budget=10) == [30, 10, 20]


def test_the_dearest_begin_first() -> None:
    begun: list[int] = []
    run_all([1, 5, 3], begun.append, cost=lambda n: n, threads=1, budget=100)
    assert begun == [5, 3, 1]


def test_what_is_in_work_stays_within_the_budget() -> None:
    lock = threading.Lock()
    held, most = 0, 0

    def work(size: int) -> int:
        nonlocal held, most
        with lock:
            held += size
            most = max(most, held)
        time.sleep(0.002)
        with lock:
            held -= size
        return size

    run_all([4, 4, 3, 3, 2, 1] * 5, work, cost=lambda n: n, threads=6, budget=8)
    assert most <= 8


def test_a_piece_bigger_than_the_budget_runs_alone() -> None:
    assert run_all([100, 1], lambda n: n, cost=lambda n: n, threads=2, budget=10) == [100, 1]


def test_the_first_failure_ends_the_rest() -> None:
    done: list[int] = []

    def work(number: int) -> int:
        if number == 9:
            raise ValueError(number)
        time.sleep(0.01)
        done.append(number)
        return number

    with pytest.raises(ValueError, match="9"):
        run_all(list(range(10)), work, cost=lambda n: n, threads=1, budget=100)
    assert done == []
