from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings

from builder.digest import Digest
from builder.lock.diff import ChangeKind, diff_locks, step_of
from builder.lock.model import StackLock
from builder.platform import AMD64, ARM64
from tests.support.stack_locks import make_candidate, make_file, make_lock, stack_locks


def test_added_removed_moved_and_rebuilt_are_told_apart() -> None:
    same = make_candidate("same", "1.0")
    rebuilt = make_candidate("rebuilt", "1.0")
    other = replace(make_file("rebuilt-1.0-1-py3-none-any.whl"), size=7)
    before = make_lock(
        same, rebuilt, make_candidate("gone", "1.0"), make_candidate("up", "1.2.0"), make_candidate("down", "2.0")
    )
    after = make_lock(
        same,
        replace(rebuilt, wheels={AMD64.name: other, ARM64.name: other}),
        make_candidate("new", "1.0", wanted_by=("up",)),
        make_candidate("up", "1.3.0"),
        make_candidate("down", "1.0"),
    )
    found = diff_locks(before, after)
    assert [(row.project, row.kind, row.before, row.after, row.step) for row in found.candidates] == [
        ("down", ChangeKind.DOWN, "2.0", "1.0", "major"),
        ("gone", ChangeKind.REMOVED, "1.0", "", ""),
        ("new", ChangeKind.ADDED, "", "1.0", ""),
        ("rebuilt", ChangeKind.REBUILT, "1.0", "1.0", ""),
        ("up", ChangeKind.UP, "1.2.0", "1.3.0", "minor"),
    ]
    assert found.unchanged == 1
    assert found.of_kind(ChangeKind.ADDED)[0].wanted_by == ("up",)
    assert found.of_kind(ChangeKind.REBUILT)[0].size_after == 7


@pytest.mark.parametrize(
    ("before", "after", "step"),
    [
        ("1.2.3", "2", "major"),
        ("1.2.3", "1.3", "minor"),
        ("1.2.3", "1.2.4", "patch"),
        ("1.2.3.1", "1.2.3.2", "patch"),
        ("1!1.0", "2!1.0", "major"),
        ("1.0rc1", "1.0", "other"),
        ("1.0", "1.0.post1", "other"),
        ("what", "1.0", "other"),
    ],
)
def test_a_step_is_the_first_part_that_moved(before: str, after: str, step: str) -> None:
    assert step_of(before, after) == step


def test_what_stands_in_the_head_is_compared() -> None:
    before = make_lock(make_candidate("a", "1"))
    after = replace(before, airflow_version="3.4.0", constraints=Digest.of(b"new"), resolver="uv 9")
    found = diff_locks(before, after)
    assert [(row.name, row.before) for row in found.head] == [("airflow-version", "3.3.2"), ("constraints", "none")]
    assert not found.is_empty


@settings(max_examples=40, deadline=None)
@given(stack_locks())
def test_a_lock_does_not_differ_from_itself(lock: StackLock) -> None:
    assert diff_locks(lock, lock).is_empty


@settings(max_examples=40, deadline=None)
@given(stack_locks(), stack_locks())
def test_both_ways_the_same_projects_differ(one: StackLock, two: StackLock) -> None:
    there, back = diff_locks(one, two), diff_locks(two, one)
    assert {row.project for row in there.candidates} == {row.project for row in back.candidates}
    assert {row.project for row in there.of_kind(ChangeKind.ADDED)} == {
        row.project for row in back.of_kind(ChangeKind.REMOVED)
    }
