"""What ran lately, as the ledger has it."""

from __future__ import annotations

from pathlib import Path

from builder.ledger.database import SqliteLedger, create_ledger
from builder.ledger.events import Seen
from builder.ledger.model import NewEntry
from builder.ledger.parts import SeenImage
from builder.ledger.sightings import REPEAT_S, digests_seen_since, last_sight
from tests.support.ledgers import ALICE, ORIGIN, digest_of, make_build

DAY = 86_400


class Clock:
    def __init__(self) -> None:
        self.now = 0

    def __call__(self) -> int:
        return self.now


def seen(*names: str, cluster: str = "production", stack: str = "core", channel: str = "prod") -> Seen:
    images = tuple(SeenImage(digest=digest_of(name), pods=1) for name in names)
    return Seen(cluster=cluster, images=images, stack=stack, channel=channel)


def make(path: Path, *entries: tuple[int, object]) -> None:
    clock = Clock()
    create_ledger(path, ORIGIN, ALICE, clock)
    with SqliteLedger(path, clock, write=True) as ledger:
        for day, event in entries:
            clock.now = day * DAY
            ledger.append([NewEntry(event=event)], ALICE)  # type: ignore[arg-type]


def test_digests_that_ran_since_a_time_are_found(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    make(path, (100, seen("old")), (110, seen("a", "b")), (112, seen("b", "c", cluster="other")), (113, make_build()))
    with SqliteLedger(path, Clock(), write=False) as ledger:
        assert digests_seen_since(ledger, 111 * DAY + 1) == {digest_of(name) for name in "bc"}
        # What was seen a day before a time may have been seen alike, and not recorded, until then.
        assert digests_seen_since(ledger, 110 * DAY + REPEAT_S) == {digest_of(name) for name in "abc"}
        assert digests_seen_since(ledger, 0) >= {digest_of("old")}
        assert digests_seen_since(ledger, 200 * DAY) == frozenset()


def test_a_clock_that_went_back_hides_nothing_near(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    make(path, (110, seen("a")), (50, seen("late")), *((111, seen("b")) for _ in range(5)))
    with SqliteLedger(path, Clock(), write=False) as ledger:
        assert digest_of("a") in digests_seen_since(ledger, 110 * DAY)
        assert digest_of("late") not in digests_seen_since(ledger, 110 * DAY)


def test_a_clock_that_went_back_for_a_while_ends_no_search(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    make(path, (110, seen("a")), *((50 if number == 60 else 110, seen("b")) for number in range(150)))
    with SqliteLedger(path, Clock(), write=False) as ledger:
        assert digests_seen_since(ledger, 110 * DAY) == {digest_of("a"), digest_of("b")}


def test_many_looks_are_read_page_by_page(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    make(path, *((100 + number // 10, seen(f"{number}")) for number in range(350)))
    with SqliteLedger(path, Clock(), write=False) as ledger:
        assert len(digests_seen_since(ledger, 0)) == 350
        assert len(digests_seen_since(ledger, 134 * DAY)) == 20


def test_the_last_look_for_a_channel_is_found(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    make(path, (100, seen("a")), (101, seen("b", channel="dev")), (102, seen("c", stack="", channel="")))
    with SqliteLedger(path, Clock(), write=False) as ledger:
        found = last_sight(ledger, "production", "core", "prod")
        assert found is not None
        assert found.number == 1
        assert last_sight(ledger, "production", "core", "prod", since=101 * DAY) is None
        assert last_sight(ledger, "elsewhere", "core", "prod") is None
