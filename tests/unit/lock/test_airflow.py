from __future__ import annotations

import pytest

from builder.errors import LockInvalidError
from builder.lock.airflow import check_parent
from tests.support.stack_locks import make_candidate, make_lock

PARENT = make_lock(
    make_candidate("apache-airflow", "3.3.2"), make_candidate("apache-airflow-task-sdk", "1.3.2"), stack="core"
)


def test_a_child_has_its_parents_airflow() -> None:
    check_parent(make_lock(*PARENT.candidates, make_candidate("alpha", "2.0")), PARENT, file="x")


def test_a_child_whose_task_sdk_moved_is_refused() -> None:
    child = make_lock(make_candidate("apache-airflow", "3.3.2"), make_candidate("apache-airflow-task-sdk", "1.3.3"))
    with pytest.raises(LockInvalidError) as caught:
        check_parent(child, PARENT, file="locks/pylock.etl.toml")
    assert str(caught.value) == (
        "locks/pylock.etl.toml: apache-airflow-task-sdk is 1.3.3, while parent core has 1.3.2\n"
        "  never edit a lock; a stack for another Airflow says it in airflow.version, then lock it again"
    )


def test_a_child_with_a_part_that_its_parent_lacks_is_refused() -> None:
    with pytest.raises(LockInvalidError, match="parent core has none"):
        check_parent(make_lock(make_candidate("apache-airflow-core", "3.3.2")), PARENT, file="x")
