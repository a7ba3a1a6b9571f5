from __future__ import annotations

from pathlib import Path

import pytest

from builder.errors import InvalidInputError, IssuesError
from builder.stack.model import Stack
from builder.usecase.lock import lock_stacks
from builder.usecase.lock_model import LockOptions
from builder.usecase.preview import Wish, edit_stack, preview
from tests.support.lock_world import AIRFLOW_STACK, CHILD_STACK, World, make_project

STACK = Stack(name="etl", description="For tests", airflow_version="3.3.2", requirements=("alpha>=1", "Beta[x]<2"))


def test_a_wish_takes_the_place_of_what_the_stack_asks_of_the_same_project() -> None:
    edited = edit_stack(STACK, Wish(add=("beta>=3", "gamma"), remove=("Alpha",)))
    assert edited.requirements == ("beta>=3", "gamma")
    assert edit_stack(STACK, Wish(airflow="3.4.0")).airflow_version == "3.4.0"


def test_every_wish_that_cannot_be_read_is_told() -> None:
    with pytest.raises(IssuesError) as caught:
        edit_stack(STACK, Wish(add=("no such thing", "x @ https://host/x.whl")))
    assert [issue.context for issue in caught.value.issues] == ["--add no such thing", "--add x @ https://host/x.whl"]


def test_only_what_the_stack_asks_for_can_be_left_out() -> None:
    with pytest.raises(InvalidInputError, match="the stack itself does not ask for gamma"):
        edit_stack(STACK, Wish(remove=("gamma",)))


def test_a_preview_shows_what_moves_and_who_is_locked_again_and_writes_nothing(tmp_path: Path) -> None:
    project = make_project(tmp_path, core=AIRFLOW_STACK, etl=CHILD_STACK)
    world = World(requires={"gamma": ("delta",)})
    lock_stacks(project, world.tools(project))
    world.offers |= {"gamma": "2.0", "delta": "1.5"}
    before = {path: path.read_bytes() for path in (tmp_path / "locks").iterdir()}
    found = preview(project, world.tools(project), "core", Wish(add=("gamma>=2",), remove=("alpha",)), LockOptions())
    diff = found.comparison.diff
    assert [(row.project, row.kind.value, row.after) for row in diff.candidates] == [
        ("alpha", "removed", ""),
        ("delta", "added", "1.5"),
        ("gamma", "added", "2.0"),
    ]
    assert [row.wanted_by for row in diff.candidates] == [("stack:core",), ("gamma",), ("stack:core",)]
    assert found.children == ("etl",)
    assert {path: path.read_bytes() for path in (tmp_path / "locks").iterdir()} == before
    assert project.load_stack("core").requirements == ("alpha",)
