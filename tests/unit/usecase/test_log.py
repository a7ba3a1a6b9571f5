"""What happened is listed newest first, of a stack, a channel or all, and no more of the ledger is read than is shown."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from builder.digest import Digest
from builder.errors import LedgerError
from builder.ledger.database import SqliteLedger
from builder.ledger.entry import Entry
from builder.ledger.events import Event, Promoted, Requested, Seen, Tested
from builder.ledger.model import NewEntry
from builder.ledger.note import Checkpoint
from builder.ledger.parts import SeenImage
from builder.usecase.log import LogQuery, follow_log, log_page, read_log
from tests.support.ledgers import ALICE, Ticking, digest_of, events_of_every_kind, make_build, make_ledger

RULES = digest_of("rules")


class Counting:
    """A reader that counts the entries that it gives."""

    def __init__(self, ledger: SqliteLedger) -> None:
        self._ledger = ledger
        self.read = 0

    def head(self) -> Checkpoint:
        return self._ledger.head()

    def entries(self, first: int = 0, last: int | None = None) -> Iterator[Entry]:
        for entry in self._ledger.entries(first, last):
            self.read += 1
            yield entry

    def find(
        self, name: str, value: str, *, kinds: Sequence[str] = (), before: int | None = None, limit: int | None = None
    ) -> tuple[Entry, ...]:
        found = self._ledger.find(name, value, kinds=kinds, before=before, limit=limit)
        self.read += len(found)
        return found

    def values(self, name: str, prefix: str = "", limit: int | None = None) -> tuple[str, ...]:
        return self._ledger.values(name, prefix, limit)

    def document(self, digest: Digest) -> bytes | None:
        return self._ledger.document(digest)


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[SqliteLedger]:
    """Two stacks whose nights alternate, and channels of both."""
    events: list[Event] = []
    for night in range(60):
        for stack in ("core", "aws"):
            built = make_build(stack, str(night))
            events += [built, Tested(digest=built.digest, name="stack", passed=True)]
            if night % 20 == 19:
                events += [
                    Requested(stack=stack, channel="prod", digest=built.digest),
                    Promoted(stack=stack, channel="prod", digest=built.digest, rules=RULES),
                    Promoted(stack=stack, channel="dev", digest=built.digest, rules=RULES),
                ]
    last = make_build("aws", "59").digest
    events.append(Seen(cluster="east", channel="prod", stack="aws", images=(SeenImage(digest=last, pods=1),)))
    path = tmp_path / "ledger.db"
    make_ledger(path, [NewEntry(event=event) for event in events])
    with SqliteLedger(path, Ticking(), write=True) as opened:
        yield opened


def numbers(entries: Sequence[Entry]) -> list[int]:
    return [entry.number for entry in entries]


def test_a_stack_is_told_newest_first_with_what_happened_to_its_images(ledger: SqliteLedger) -> None:
    found = read_log(ledger, LogQuery(stack="core"))
    assert [entry.kind for entry in found[:5]] == ["promotion", "promotion", "request", "test", "build"]
    assert numbers(found) == sorted(numbers(found), reverse=True)
    assert len(found) == 60 * 2 + 3 * 3
    assert read_log(ledger, LogQuery(stack="core", limit=7)) == found[:7]


@pytest.mark.parametrize(
    "query", [LogQuery(limit=5), LogQuery(stack="core", limit=5), LogQuery(kinds=("test",), limit=5)]
)
def test_no_more_is_read_than_is_shown(ledger: SqliteLedger, query: LogQuery) -> None:
    counting = Counting(ledger)
    assert len(read_log(counting, query)) == 5
    assert counting.read <= 25


def test_a_channel_is_told_of_one_stack_or_of_all(ledger: SqliteLedger) -> None:
    of_core = read_log(ledger, LogQuery(stack="core", channel="prod"))
    assert [entry.kind for entry in of_core] == ["promotion", "request"] * 3
    of_all = read_log(ledger, LogQuery(channel="prod"))
    assert [entry.kind for entry in of_all[:3]] == ["deployment", "promotion", "request"]
    assert len(of_all) == 2 * 6 + 1
    assert numbers(of_all) == sorted(numbers(of_all), reverse=True)
    assert len(read_log(ledger, LogQuery(channel="prod", kinds=("promotion",)))) == 6


def test_kinds_are_merged_in_order(ledger: SqliteLedger) -> None:
    found = read_log(ledger, LogQuery(kinds=("promotion", "request"), limit=6))
    assert [entry.kind for entry in found] == ["promotion", "promotion", "request"] * 2
    assert numbers(found) == sorted(numbers(found), reverse=True)


def test_entries_older_than_asked_for_are_left_out_even_where_a_clock_went_back(tmp_path: Path) -> None:
    clock, path = Ticking(1000), tmp_path / "ledger.db"
    make_ledger(path, [NewEntry(event=make_build("core", str(night))) for night in range(3)], clock=clock)
    with SqliteLedger(path, clock, write=True) as opened:
        clock.now = 100
        opened.append([NewEntry(event=make_build("core", "in the past"))], ALICE)
        found = read_log(opened, LogQuery(stack="core", since=1150))
        assert numbers(found) == [3, 2]
        assert read_log(opened, LogQuery(since=5000)) == ()


def test_all_is_told_over_pages(ledger: SqliteLedger) -> None:
    found = read_log(ledger, LogQuery())
    assert numbers(found) == list(reversed(range(ledger.head().size)))


@pytest.mark.parametrize(
    ("query", "what", "hint"),
    [
        (LogQuery(stack="cor"), "cor: the ledger does not know this stack", "did you mean 'core'?"),
        (LogQuery(stack="zzz"), "zzz: the ledger does not know this stack", "known stacks: aws, core"),
        (LogQuery(channel="pord"), "pord: no such channel was ever moved", "known channels: dev, prod"),
        (
            LogQuery(stack="core", channel="pord"),
            "core@pord: no such channel was ever moved",
            "known channels: dev, prod",
        ),
    ],
)
def test_an_unknown_name_is_told_with_the_way_out(ledger: SqliteLedger, query: LogQuery, what: str, hint: str) -> None:
    with pytest.raises(LedgerError) as error:
        read_log(ledger, query)
    assert str(error.value) == f"{what}\n  {hint}"


def test_nothing_of_a_kind_is_no_error(ledger: SqliteLedger) -> None:
    assert read_log(ledger, LogQuery(stack="core", kinds=("scan",))) == ()


def test_what_is_appended_is_followed(ledger: SqliteLedger) -> None:
    waits: list[int] = []

    def append_later() -> None:
        waits.append(1)
        ledger.append([NewEntry(event=event) for event in events_of_every_kind("core")], ALICE)

    followed = follow_log(ledger, LogQuery(stack="core", channel="prod"), ledger.head().size - 1, append_later)
    assert [next(followed).kind for _ in range(4)] == ["request", "approval", "promotion", "request"]
    assert len(waits) == 2


def test_a_page_says_whether_there_is_more(ledger: SqliteLedger) -> None:
    page = log_page(ledger, LogQuery(stack="core", limit=10))
    assert (len(page.entries), page.more, [state.channel for state in page.channels]) == (10, True, ["dev", "prod"])
    assert page.head == ledger.head()
    assert not log_page(ledger, LogQuery(stack="core")).more
