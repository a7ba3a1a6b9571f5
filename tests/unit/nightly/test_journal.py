"""The journal of a night: what was written is read again, and a kill costs the last line at most."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from builder.errors import InvalidInputError
from builder.nightly.journal import Ended, dump_line, next_name, parse_journal, whole_bytes
from builder.nightly.model import Before, Begun, Night, Result, Step, StepDone, outcome, short_reason

BEGUN = Begun(night="20261130.1", at=1, by="a@b", before={"core": Before(digest="sha256:0", layers={"sha256:1": 2})})
STEPS = st.builds(
    StepDone,
    node=st.text(min_size=1),
    step=st.sampled_from(Step),
    result=st.sampled_from(Result),
    key=st.text(),
    reason=st.text(),
    facts=st.dictionaries(st.text(), st.integers() | st.text() | st.lists(st.text())),
    seconds=st.floats(0, 1e6),
)


@given(st.lists(STEPS), st.booleans())
def test_what_is_written_is_read_again(steps: list[StepDone], over: bool) -> None:  # noqa: FBT001
    lines: list[Begun | StepDone | Ended] = [BEGUN, *steps, *([Ended(ended=9)] if over else [])]
    night = parse_journal(b"".join(dump_line(line) for line in lines), file="journal")
    assert night == Night(begun=BEGUN, steps=tuple(steps), ended=9 if over else 0)


@given(st.lists(STEPS, min_size=1, max_size=3), st.integers(1, 40))
def test_a_last_line_that_was_cut_short_is_left_out(steps: list[StepDone], cut: int) -> None:
    whole = dump_line(BEGUN) + b"".join(dump_line(step) for step in steps[:-1])
    last = dump_line(steps[-1])
    data = whole + last[: max(0, len(last) - cut)]
    assert parse_journal(data, file="journal").steps == tuple(steps[:-1])
    assert whole_bytes(data) == len(whole)


@pytest.mark.parametrize("data", [b"", b"x", b"{}\n", b"\xff\n", b'{"night": 1}\n', dump_line(BEGUN) + b"nonsense\n"])
def test_what_is_no_journal_is_refused_with_its_line(data: bytes) -> None:
    with pytest.raises(InvalidInputError, match="journal") as caught:
        parse_journal(data, file="journal")
    assert "begun anew" in caught.value.hint


def test_nights_of_a_day_are_counted() -> None:
    assert next_name("20261130", iter(())) == "20261130.1"
    assert next_name("20261130", ("20261130.9", "20261130.10", "20261129.11", "20261130.x")) == "20261130.11"


def test_of_a_step_that_was_done_again_the_later_holds() -> None:
    first = StepDone(node="stack:core", step=Step.BUILD, result=Result.FAILED)
    later = StepDone(node="stack:core", step=Step.BUILD, result=Result.DONE)
    lock = StepDone(node="stack:core", step=Step.LOCK, result=Result.UNCHANGED)
    night = Night(begun=BEGUN, steps=(first, later, lock))
    assert night.of("stack:core") == (lock, later)
    assert outcome(night.of("stack:core")) is Result.DONE


def test_a_reason_is_cut_to_five_lines() -> None:
    text = "\n".join(f"line {number}" for number in range(40))
    lines = short_reason(text).splitlines()
    assert lines == ["line 0", "line 1", "… 36 lines …", "line 38", "line 39"]
    assert short_reason("one\n\n two \n") == "one\n two"
    assert len(short_reason("x" * 10_000)) == 300


def test_a_step_that_is_done_again_after_the_end_begins_the_night_again() -> None:
    again = StepDone(node="stack:core", step=Step.LOCK, result=Result.DONE)
    data = dump_line(BEGUN) + dump_line(Ended(ended=9)) + dump_line(again)
    assert parse_journal(data, file="journal").ended == 0
    assert parse_journal(data + dump_line(Ended(ended=12)), file="journal").ended == 12
