"""Immutable tags: their form, their order, the next one."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from builder.errors import InvalidInputError
from builder.registry.tags import ImmutableTag, is_attached, next_tag, of_stack, parse_immutable

STACKS = st.from_regex(r"[a-z][a-z0-9]{0,8}(-[a-z0-9]{1,8}){0,2}", fullmatch=True)
DAYS = st.dates().map(lambda day: day.strftime("%Y%m%d").rjust(8, "0"))


@given(STACKS, DAYS, st.integers(1, 99))
def test_a_tag_is_read_and_written_alike(stack: str, day: str, number: int) -> None:
    tag = ImmutableTag(stack=stack, day=day, number=number)
    assert parse_immutable(str(tag)) == tag


@given(STACKS, st.lists(st.tuples(DAYS, st.integers(1, 99)), unique=True))
def test_text_sorts_as_age_does(stack: str, made: list[tuple[str, int]]) -> None:
    tags = [str(ImmutableTag(stack=stack, day=day, number=number)) for day, number in made]
    assert list(of_stack(tags, stack)) == sorted(tags, reverse=True)


@pytest.mark.parametrize(
    "tag", ["prod", "core", "core-2026112.1", "core-20261124", "core-20261124.x", "-20261124.1", "v1.2"]
)
def test_any_other_form_is_a_channel(tag: str) -> None:
    assert parse_immutable(tag) is None


def test_the_next_tag_is_after_all_of_its_stack_and_day() -> None:
    tags = ["core-20261124.01", "core-20261124.07", "core-20261125.09", "core-py311-20261124.30", "prod"]
    assert next_tag(tags, "core", "20261124") == "core-20261124.08"
    assert next_tag(tags, "core-py311", "20261124") == "core-py311-20261124.31"
    assert next_tag(tags, "gcp", "20261124") == "gcp-20261124.01"


@pytest.mark.parametrize(("tags", "stack"), [(["core-20261124.99"], "core"), ([], "Not_A_Stack"), ([], "x" * 140)])
def test_a_tag_that_would_not_sort_or_be_one_is_refused(tags: list[str], stack: str) -> None:
    with pytest.raises(InvalidInputError):
        next_tag(tags, stack, "20261124")


def test_tags_of_referrers_are_told_apart() -> None:
    digest = "sha256-" + "a" * 64
    assert is_attached(digest)
    assert is_attached(digest + ".sig")
    assert not is_attached("sha256-abc")
