from __future__ import annotations

import pytest

from builder.stack.names import check_name, is_name


@pytest.mark.parametrize("name", ["bases", "export", "import"])
def test_a_reserved_name_is_refused_and_says_why(name: str) -> None:
    assert not is_name(name)
    error = check_name(name, context="stacks")
    assert error is not None
    assert error.message == f"{name!r} cannot name a stack"
    assert name in error.hint


@pytest.mark.parametrize("name", ["core", "exports", "a-1"])
def test_other_names_are_fine(name: str) -> None:
    assert check_name(name, context="stacks") is None
