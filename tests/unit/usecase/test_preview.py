from __future__ import annotations

import pytest

from builder.errors import InvalidInputError, IssuesError
from builder.stack.model import Stack
from builder.usecase.preview import Wish, edit_stack

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
