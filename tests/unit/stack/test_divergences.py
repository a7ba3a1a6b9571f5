from __future__ import annotations

import datetime as dt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from builder.errors import StackError
from builder.stack.divergences import append_divergences, expired, render_divergences
from builder.stack.model import Divergence
from builder.stack.reader import parse_stack

FILE = "stacks/etl/stack.toml"
STACK = """\
# what we run at night
description = "For tests"   # kept
extends = "core"

[plugins]
requirements = [
    "dbt-core==1.9.4",  # the team's
]
"""
PROTOBUF = Divergence(
    project="protobuf",
    specifier="==5.26.0",
    reason='dbt-core 1.9.4 needs protobuf<6,>=5, "as said"',
    owner="team:etl",
    expires=dt.date(2027, 3, 31),
)
BACKOFF = Divergence(project="backoff", specifier="<2", reason="older", owner="team:etl", expires=dt.date(2027, 3, 31))


def test_entries_are_appended_and_no_byte_before_them_changes() -> None:
    after = append_divergences(STACK, [BACKOFF, PROTOBUF], name="etl", file=FILE)
    assert after.startswith(STACK)
    assert after.removeprefix(STACK) == "\n" + render_divergences([BACKOFF, PROTOBUF])
    assert parse_stack(after.encode(), name="etl", file=FILE).divergences == (BACKOFF, PROTOBUF)


def test_entries_follow_those_that_are_there() -> None:
    once = append_divergences(STACK, [BACKOFF], name="etl", file=FILE)
    twice = append_divergences(once, [PROTOBUF], name="etl", file=FILE)
    assert parse_stack(twice.encode(), name="etl", file=FILE).divergences == (BACKOFF, PROTOBUF)


def test_a_last_line_without_its_end_gets_one() -> None:
    after = append_divergences(STACK.rstrip("\n"), [BACKOFF], name="etl", file=FILE)
    assert after == append_divergences(STACK, [BACKOFF], name="etl", file=FILE)


def test_line_ends_of_the_file_are_taken_over() -> None:
    after = append_divergences(STACK.replace("\n", "\r\n"), [BACKOFF], name="etl", file=FILE)
    assert "\n" not in after.replace("\r\n", "")


def test_an_inline_array_is_refused_with_the_text_to_paste() -> None:
    text = f"divergences = []\n{STACK}"
    with pytest.raises(StackError) as caught:
        append_divergences(text, [BACKOFF], name="etl", file=FILE)
    assert caught.value.context == f"{FILE}: divergences"
    assert render_divergences([BACKOFF]) in caught.value.hint


def test_a_project_that_diverges_already_is_refused() -> None:
    once = append_divergences(STACK, [BACKOFF], name="etl", file=FILE)
    with pytest.raises(StackError, match="diverges twice"):
        append_divergences(once, [BACKOFF], name="etl", file=FILE)


@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1).filter(lambda text: text.isprintable()))
def test_any_reason_is_read_back_as_it_was(reason: str) -> None:
    if reason != reason.strip():
        return
    row = Divergence(project="backoff", specifier="<2", reason=reason, owner="team:etl", expires=dt.date(2027, 3, 31))
    after = append_divergences(STACK, [row], name="etl", file=FILE)
    assert parse_stack(after.encode(), name="etl", file=FILE).divergences == (row,)


@pytest.mark.parametrize(("day", "over"), [("2027-03-30", False), ("2027-03-31", False), ("2027-04-01", True)])
def test_a_divergence_holds_on_its_last_day(day: str, over: bool) -> None:  # noqa: FBT001 - a case of the table
    assert expired([PROTOBUF], dt.date.fromisoformat(day)) == ((PROTOBUF,) if over else ())
