"""Nights behind a service: a line counts once, a file is where it was put, and one run has them at a time."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from threading import Barrier

import pytest

from builder.digest import Digest
from builder.errors import BuildError, InvalidInputError, LedgerUnavailableError
from builder.nightly.journal import Ended, dump_line
from builder.nightly.model import Begun, Result, Step, StepDone
from builder.service.caller import Question
from builder.service.nights import RemoteNights
from builder.service.wire import kept_as
from builder.web.guard import Guard
from builder.web.nights import NightAddresses
from builder.wiring.nights import Nights
from tests.support.ledgers import make_ledger
from tests.support.service import READING, AppCaller, open_app

DAY = dt.datetime.now(dt.UTC).strftime("%Y%m%d")
NIGHT, OTHER = f"{DAY}.1", f"{DAY}.2"
BEGUN = Begun(night=NIGHT, at=1, by="DAG nightly")
LOCK = StepDone(node="stack:core", step=Step.LOCK, result=Result.DONE, key="sha256:1")


@pytest.fixture
def caller(tmp_path: Path) -> Iterator[AppCaller]:
    make_ledger(tmp_path / "ledger.db")
    with open_app(tmp_path / "ledger.db", tmp_path / "nights") as found:
        yield found


@pytest.fixture
def nights(caller: AppCaller) -> RemoteNights:
    found = RemoteNights(caller)
    with found.journal(NIGHT) as write:
        write(BEGUN)
    return found


def test_a_night_is_what_was_written(nights: RemoteNights, tmp_path: Path) -> None:
    with nights.journal(NIGHT) as write:
        write(LOCK)
    assert nights.names() == (NIGHT,)
    assert nights.read(NIGHT) == Nights(root=tmp_path / "nights").read(NIGHT)
    assert nights.read(NIGHT).steps == (LOCK,)
    assert nights.unfinished() == nights.read(NIGHT)
    with nights.journal(NIGHT) as write:
        write(Ended(ended=9))
    assert nights.unfinished() is None
    assert nights.read(NIGHT).ended == 9


def test_a_line_whose_answer_was_lost_counts_once(nights: RemoteNights, caller: AppCaller) -> None:
    caller.twice = True
    failed = StepDone(node="stack:core", step=Step.LOCK, result=Result.FAILED)
    with nights.journal(NIGHT) as write:
        for line in (BEGUN, LOCK, failed, LOCK, Ended(ended=9)):
            write(line)
    night = nights.read(NIGHT)
    assert (night.begun, night.steps, night.ended) == (BEGUN, (LOCK, failed, LOCK), 9)


def test_two_tries_at_once_write_a_journal_that_can_be_read(tmp_path: Path) -> None:
    make_ledger(tmp_path / "ledger.db")
    kept = Nights(root=tmp_path / "nights")
    for number in range(1, 21):
        name = f"{DAY}.{number}"
        addresses = NightAddresses(kept, Guard(None))
        lines = [Begun(night=name, at=1, by=by) for by in ("one", "another")]
        step = [StepDone(node="stack:core", step=Step.LOCK, result=Result.DONE, key="sha256:1")] * 2
        for tries in (lines, step):
            start = Barrier(2)

            def write(
                line: Begun | StepDone, start: Barrier = start, name: str = name, to: NightAddresses = addresses
            ) -> None:
                start.wait()
                with suppress(BuildError):
                    to.append(name, dump_line(line))

            with ThreadPoolExecutor(2) as pool:
                list(pool.map(write, tries))
        assert kept.read(name).steps == (step[0],)


def test_what_somebody_else_wrote_in_a_journal_is_seen(nights: RemoteNights, tmp_path: Path) -> None:
    with nights.journal(NIGHT) as write:
        write(LOCK)
        other = StepDone(node="stack:core", step=Step.BUILD, result=Result.DONE)
        with Nights(root=tmp_path / "nights").journal(NIGHT) as beside:
            beside(other)
        write(other)
        write(LOCK)
    assert nights.read(NIGHT).steps == (LOCK, other)


@pytest.mark.parametrize("name", ["20991231.1", "20261332.1", "20260101.7"])
def test_a_night_is_of_today(nights: RemoteNights, name: str) -> None:
    with nights.journal(name) as write, pytest.raises(LedgerUnavailableError, match="of another day"):
        write(Begun(night=name, at=1, by="DAG nightly"))


def test_a_line_that_comes_late_does_not_open_a_night_again(nights: RemoteNights) -> None:
    with nights.journal(NIGHT) as write:
        for line in (LOCK, Ended(ended=9), LOCK):
            write(line)
    assert nights.read(NIGHT).ended == 9


def test_a_file_named_by_a_digest_is_what_it_is_named_for(nights: RemoteNights) -> None:
    name = kept_as(str(Digest.of(b"lock")))
    nights.keep(NIGHT, name, b"lock")
    with pytest.raises(LedgerUnavailableError, match="not what it is named for"):
        nights.keep(NIGHT, name, b"another")
    assert nights.file(NIGHT, name) == b"lock"


def test_a_night_is_begun_by_one(nights: RemoteNights) -> None:
    other = Begun(night=NIGHT, at=2, by="another")
    with nights.journal(NIGHT) as write, pytest.raises(BuildError, match="begun otherwise"):
        write(other)
    with nights.journal(OTHER) as write, pytest.raises(LedgerUnavailableError, match=f"no night {OTHER}"):
        write(LOCK)
    with nights.journal(OTHER) as write, pytest.raises(BuildError, match="begun otherwise"):
        write(other)
    assert nights.names() == (NIGHT,)


def test_files_are_kept_and_read(nights: RemoteNights) -> None:
    assert nights.file(NIGHT, "report.md") is None
    assert nights.report(NIGHT) is None
    nights.keep(NIGHT, "report.md", b"one")
    nights.keep(NIGHT, "report.md", b"two")
    assert nights.file(NIGHT, "report.md") == b"two"
    assert nights.place(NIGHT).endswith(f"/v1/nights/{NIGHT}/files/")


@pytest.mark.parametrize("file", ["journal.jsonl", "..%2F..%2Fledger.db", ".hidden", "a%00b", "x" * 200, "lock%2Fa"])
def test_a_file_of_another_name_is_refused(nights: RemoteNights, file: str, tmp_path: Path) -> None:
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(LedgerUnavailableError):
        nights.keep(NIGHT, file, b"x")
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize("name", ["..", "lease", "20261130", "20261130.1x", "%2e%2e"])
def test_a_night_of_another_name_is_none(nights: RemoteNights, name: str) -> None:
    with pytest.raises((InvalidInputError, LedgerUnavailableError)):
        nights.read(name)


@pytest.mark.parametrize(
    "body", [b"", b"[]", b"{}", b'{"node": "stack:core"}', b"\xff", b"[" * 100_000, b'{"ended": "x"}']
)
def test_a_line_that_is_none_is_refused(caller: AppCaller, nights: RemoteNights, body: bytes) -> None:
    reply = caller.ask(Question(method="POST", path=f"/v1/nights/{NIGHT}/journal", body=body, is_json=False))
    assert reply.status == 422
    assert nights.read(NIGHT).steps == ()


def test_one_run_has_the_nights_until_it_gives_them_back(nights: RemoteNights) -> None:
    nights.lend("DAG nightly", 12, lambda: 0)
    nights.lend("DAG nightly", 12, lambda: 0)
    with pytest.raises(BuildError, match="a night of DAG nightly"):
        nights.lend("somebody@host", 12, lambda: 0)
    nights.give_back("somebody@host")
    with pytest.raises(BuildError):
        nights.lend("somebody@host", 12, lambda: 0)
    nights.give_back("DAG nightly")
    nights.lend("somebody@host", 12, lambda: 0)


@pytest.mark.parametrize("hours", [0, -1, 10_000])
def test_a_lease_has_an_end(nights: RemoteNights, hours: int) -> None:
    with pytest.raises(LedgerUnavailableError, match="a lease has"):
        nights.lend("DAG nightly", hours, lambda: 0)


def test_who_may_only_read_writes_no_line(tmp_path: Path, nights: RemoteNights) -> None:
    with open_app(tmp_path / "ledger.db", tmp_path / "nights", READING) as caller:
        reading = RemoteNights(caller)
        assert reading.read(NIGHT) == nights.read(NIGHT)
        with pytest.raises(LedgerUnavailableError, match="not for write"):
            reading.keep(NIGHT, "a", b"")
        with pytest.raises(LedgerUnavailableError, match="not for write"):
            reading.lend("me", 1, lambda: 0)
