"""Entries and events: canonical, read again as they were, refused where they are none."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from builder.canonical import dump_json
from builder.digest import Digest
from builder.errors import LedgerError
from builder.ledger.entry import (
    MAX_ENTRY_BYTES,
    NOTHING,
    StoredDocument,
    dump_entry,
    format_time,
    is_canonical,
    parse_entry,
    parse_time,
)
from builder.ledger.events import EVENTS, Begun, Event, Tested, dump_event, parse_event
from builder.ledger.marks import marks_of
from tests.support.ledgers import ALICE, digest_of, events_of_every_kind

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=10,
)


def write(event: Event, number: int = 1) -> bytes:
    return dump_entry(
        number=number, previous=NOTHING, time=0, kind=event.kind, actor=ALICE, data=dump_event(event), documents=()
    )


@given(st.dictionaries(st.text(), JSON), st.integers(0, 2**40), st.integers(0, 4_000_000_000))
def test_an_entry_comes_back_as_it_was_and_is_canonical(data: dict[str, object], number: int, time: int) -> None:
    documents = (StoredDocument(digest=digest_of("a"), stored=digest_of("b")),)
    written = dump_entry(
        number=number,
        previous=Digest.of(b"x"),
        time=time,
        kind="unheard of",
        actor=ALICE,
        data=data,
        documents=documents,
    )
    entry = parse_entry(written)
    assert (entry.number, entry.time, entry.data, entry.documents) == (number, time, data, documents)
    assert is_canonical(written, entry)
    assert marks_of(entry) == (("kind", "unheard of"),)


def test_white_space_order_and_repeats_are_not_canonical() -> None:
    written = write(events_of_every_kind()[2])
    spaced = json.dumps(json.loads(written)).encode()
    assert not is_canonical(spaced, parse_entry(spaced))
    twice = written[:-1] + b',"time":"1970-01-01T00:00:00Z"}'
    assert not is_canonical(twice, parse_entry(twice))


@pytest.mark.parametrize("event", events_of_every_kind(), ids=lambda event: event.kind)
def test_every_kind_is_read_again_and_found_by_what_it_is_about(event: Event) -> None:
    entry = parse_entry(write(event))
    assert parse_event(entry.kind, entry.data) == event
    marks = dict(marks_of(entry))
    assert marks["kind"] == event.kind
    assert set(marks) > {"kind"}


def test_made_up_events_cover_every_kind() -> None:
    assert {event.kind for event in events_of_every_kind()} | {Begun.kind} == set(EVENTS)


def test_an_event_of_a_newer_program_is_read_as_far_as_it_is_known() -> None:
    data = {**dump_event(Tested(digest=digest_of("x"), name="n", passed=True)), "more": 1}
    assert parse_event("test", data) == Tested(digest=digest_of("x"), name="n", passed=True)
    assert parse_event("something new", {}) is None


def test_an_event_that_would_not_be_read_again_is_not_written() -> None:
    with pytest.raises(LedgerError, match=r"test: has not the shape of its kind: .*\$\.digest"):
        dump_event(Tested(digest="sha256:short", name="n", passed=True))


@pytest.mark.parametrize(
    "written",
    [
        b"",
        b"{}",
        b"[]",
        b"\xff",
        dump_json({"number": 1}),
        write(events_of_every_kind()[2]).replace(b"1970-01-01T00:00:00Z", b"yesterday"),
        write(events_of_every_kind()[2]).replace(b'"previous":"sha256:', b'"previous":"md5:'),
        b'{"x":' * 2000 + b"1" + b"}" * 2000,
    ],
    ids=["nothing", "empty", "list", "no UTF-8", "lacking", "time", "previous", "deep"],
)
def test_what_is_no_entry_is_refused(written: bytes) -> None:
    with pytest.raises(LedgerError, match=r"is no entry|not a sha256"):
        parse_entry(written)


def test_an_entry_too_large_is_refused() -> None:
    with pytest.raises(LedgerError, match=f"at most {MAX_ENTRY_BYTES} are kept"):
        dump_entry(number=0, previous=NOTHING, time=0, kind="x", actor=ALICE, data={"x": "x" * MAX_ENTRY_BYTES})


@given(st.integers(0, 4_000_000_000))
def test_times_come_back(epoch: int) -> None:
    assert parse_time(format_time(epoch)) == epoch
