"""Which entries are of a period, which of those before belong to a folder, and how folders are called."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from builder.audit.model import Period, Span
from builder.audit.selection import digests_about, iter_earlier, name_folders, span_of
from builder.ledger.entry import Entry
from builder.ledger.events import Event, Promoted, Scanned, Seen, Tested
from builder.ledger.marks import marks_of
from builder.ledger.model import NewEntry
from builder.ledger.parts import SeenImage
from tests.support.evidence import fact
from tests.support.ledgers import digest_of, events_of_every_kind, make_ledger

PERIOD = Period(begin=100, end=200)


def entries(*times: int) -> list[Entry]:
    event = Tested(digest=digest_of("a"), name="x", passed=True)
    return [fact(event, number, time=time).entry for number, time in enumerate(times)]


@pytest.mark.parametrize(
    ("times", "span"),
    [
        ((), (0, 0)),
        ((50, 99), (2, 2)),
        ((200, 300), (0, 0)),
        ((50, 100, 199, 200), (1, 3)),
        ((100, 150), (0, 2)),
        # A clock that went back: what stands between entries of the period is told with them.
        ((99, 150, 90, 201, 160, 250), (1, 5)),
        ((99, 201), (1, 1)),
    ],
)
def test_a_period_reaches_from_its_first_entry_to_its_last(times: tuple[int, ...], span: tuple[int, int]) -> None:
    assert span_of(entries(*times), PERIOD) == Span(first=span[0], end=span[1])


@given(st.lists(st.integers(0, 300), max_size=30))
def test_nothing_that_is_dated_in_a_period_is_outside(times: list[int]) -> None:
    span = span_of(entries(*times), PERIOD)
    assert all(span.has(number) for number, time in enumerate(times) if 100 <= time < 200)
    assert 0 <= span.first <= span.end <= len(times)
    # What the auditor's program asks of the neighbours.
    assert span.first == 0 or times[span.first - 1] < 100
    assert span.end == len(times) or times[span.end] >= 200


@pytest.mark.parametrize("event", events_of_every_kind(), ids=lambda event: event.kind)
def test_an_entry_is_about_the_images_that_the_ledger_finds_it_by(event: Event, tmp_path: Path) -> None:
    (entry,) = make_ledger(tmp_path / "ledger.db", [NewEntry(event=event)])
    marked = {value for name, value in marks_of(entry) if name == "digest"}
    assert set(digests_about(entry)) <= marked
    if event.kind not in {"removal", "build", "night"}:
        assert set(digests_about(entry)) == marked


def test_of_what_is_found_again_and_again_the_last_before_the_period_is_told() -> None:
    scans = [fact(Scanned(digest=digest_of("a"), result="clean"), number).entry for number in range(5)]
    tests = [
        fact(Tested(digest=digest_of("a"), name=name, passed=True), 5 + place).entry for place, name in enumerate("ab")
    ]
    looks = [fact(Seen(cluster="c", images=(SeenImage(digest=digest_of("a"), pods=1),)), 7).entry]
    moves = [
        fact(Promoted(stack="a", channel="b", digest=digest_of("a"), rules=digest_of("r")), 8 + n).entry for n in (0, 1)
    ]
    newest_first = sorted((*moves, *looks, *tests, *scans), key=lambda entry: -entry.number)
    assert list(iter_earlier(newest_first, frozenset({2}))) == [9, 8, 6, 5, 4, 2]


def test_each_image_has_a_folder_of_its_own_whatever_its_digest_begins_with() -> None:
    one, two, three = (f"sha256:{'ab' * 6}{end}{'0' * 51}" for end in "123")
    found = name_folders({one: "core", two: "core", three: ""})
    assert found == {
        one: "changes/core-abababababab",
        two: "changes/core-abababababab2000",
        three: "unknown/image-abababababab",
    }


@pytest.mark.parametrize("stack", ["../../etc", "/etc", "a b", "..", "a\n", "ä"])
def test_a_stack_whatever_its_name_has_a_folder_below_changes(stack: str) -> None:
    (folder,) = name_folders({digest_of("a"): stack}).values()
    top, _, name = folder.partition("/")
    assert top == "changes"
    assert name.isascii()
    assert not set(name) & set("/. \n")
