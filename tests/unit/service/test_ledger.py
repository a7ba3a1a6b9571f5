"""A ledger behind its service is the ledger: reads answer the same, appends count once, and what is refused says why."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest

from builder.digest import Digest
from builder.errors import DigestMismatchError, InvalidInputError, LedgerError, LedgerMovedError
from builder.ledger.check import check_ledger
from builder.ledger.database import SqliteLedger
from builder.ledger.entry import Actor
from builder.ledger.events import Built, Event, Pushed, Tested
from builder.ledger.model import NewDocument, NewEntry
from builder.ledger.parts import TagMove
from builder.service.address import Scope
from builder.service.caller import Question, Reply
from builder.service.ledger import RemoteLedger
from builder.service.wire import Append, send_entry
from tests.support.ledgers import (
    ALICE,
    Ticking,
    digest_of,
    events_of_every_kind,
    iter_documents,
    make_build,
    make_ledger,
)
from tests.support.service import READING, TOKEN, AppCaller, open_app

DIGEST = make_build().digest
TESTED = Tested(digest=DIGEST, name="smoke", passed=True, seconds=1.0)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    found = tmp_path / "ledger.db"
    documents = iter_documents(100)
    make_ledger(found, [NewEntry(event=event, documents=[next(documents)]) for event in events_of_every_kind()])
    return found


@pytest.fixture
def caller(path: Path, tmp_path: Path) -> Iterator[AppCaller]:
    with open_app(path, tmp_path / "nights") as found:
        yield found


def test_every_read_answers_as_the_file_does(path: Path, caller: AppCaller) -> None:
    remote = RemoteLedger(caller)
    with SqliteLedger(path, Ticking(), write=False) as file:
        assert remote.head() == file.head()
        assert tuple(remote.entries()) == tuple(file.entries())
        assert tuple(remote.entries(3, 7)) == tuple(file.entries(3, 7))
        assert tuple(remote.entries(1000)) == ()
        for asked in (("stack", "core"), ("kind", "build"), ("digest", make_build().digest), ("stack", "nobody")):
            assert remote.find(*asked) == file.find(*asked)
            assert remote.find(*asked, limit=2) == file.find(*asked, limit=2)
            assert remote.find(*asked, before=4) == file.find(*asked, before=4)
        assert remote.find("stack", "core", kinds=("lock", "build")) == file.find(
            "stack", "core", kinds=("lock", "build")
        )
        assert remote.values("stack") == file.values("stack")
        assert remote.values("digest", "sha256:", 3) == file.values("digest", "sha256:", 3)
        for document in iter_documents(5):
            assert remote.document(Digest.of(document.data)) == document.data
        assert remote.document(Digest.of(b"nothing")) is None


def test_long_answers_come_in_pages(path: Path, caller: AppCaller) -> None:
    remote = RemoteLedger(caller, page=3)
    with SqliteLedger(path, Ticking(), write=False) as file:
        assert tuple(remote.entries()) == tuple(file.entries())
        assert remote.find("stack", "core") == file.find("stack", "core")
        assert remote.find("stack", "core", limit=7) == file.find("stack", "core", limit=7)
    assert len(caller.asked) > 9


def test_what_is_appended_is_in_the_file_under_the_name_of_the_token(path: Path, caller: AppCaller) -> None:
    document = NewDocument(data=b"report " * 100, like=Digest.of(next(iter_documents(1)).data))
    sent = Actor(
        name="root", method="oidc", host="worker-1", run="https://ci.example.org/7", program="airflow-kubler 0"
    )
    (entry,) = RemoteLedger(caller).append([NewEntry(event=TESTED, documents=[document])], sent)
    assert entry.actor == Actor(
        name="workers", method="token", host="worker-1", run="https://ci.example.org/7", program="airflow-kubler 0"
    )
    with SqliteLedger(path, Ticking(), write=False) as file:
        assert tuple(file.entries())[-1] == entry
        assert file.document(Digest.of(document.data)) == document.data
    assert check_ledger(path, documents=True).problems == ()


def test_an_append_whose_answer_was_lost_counts_once(path: Path, caller: AppCaller) -> None:
    caller.twice = True
    remote = RemoteLedger(caller)
    size = remote.head().size
    first = remote.append([NewEntry(event=TESTED), NewEntry(event=replace_seconds(2.0))], ALICE)
    assert [entry.number for entry in first] == [size, size + 1]
    second = remote.append([NewEntry(event=TESTED)], ALICE, size=size + 2)
    assert [entry.number for entry in second] == [size + 2]
    assert remote.head().size == size + 3
    assert check_ledger(path).problems == ()


def replace_seconds(seconds: float) -> Tested:
    return Tested(digest=TESTED.digest, name=TESTED.name, passed=True, seconds=seconds)


def test_within_a_scope_the_same_event_counts_once_however_long_it_took(caller: AppCaller) -> None:
    night = RemoteLedger(caller, Scope("20261130.1 stack:core"))
    first = night.append([NewEntry(event=TESTED)], ALICE)
    assert night.append([NewEntry(event=replace_seconds(9.0))], ALICE) == first
    other = Tested(digest=digest_of("other"), name="smoke", passed=True)
    assert night.append([NewEntry(event=other)], ALICE) != first
    assert RemoteLedger(caller, Scope("20261201.1 stack:core")).append([NewEntry(event=TESTED)], ALICE) != first
    assert RemoteLedger(caller).append([NewEntry(event=TESTED)], ALICE) != RemoteLedger(caller).append(
        [NewEntry(event=TESTED)], ALICE
    )


def test_a_try_that_is_asked_for_anew_tells_anew(caller: AppCaller) -> None:
    """What failed, passed and failed again has failed, as the newest entry says; a killed try and the next tell once."""
    failed = Tested(digest=TESTED.digest, name="smoke", passed=False)
    numbers = []
    for ended, event in enumerate((failed, TESTED, failed)):
        night = RemoteLedger(caller, Scope("20261130.1 stack:core", (("test", ended),)))
        numbers += [night.append([NewEntry(event=again)], ALICE)[0].number for again in (event, event)]
    assert numbers[::2] == numbers[1::2]
    assert numbers[0] < numbers[2] < numbers[4]


@pytest.mark.parametrize(
    ("event", "again"),
    [
        (
            Pushed(digest=DIGEST, repository="r.example/x", sent_bytes=1000, tags=(TagMove(tag="core-1"),)),
            Pushed(digest=DIGEST, repository="r.example/x"),
        ),
        (
            Tested(digest=DIGEST, name="smoke", passed=True, seconds=1, report=digest_of("report of 1 s")),
            Tested(digest=DIGEST, name="smoke", passed=True, seconds=2, report=digest_of("report of 2 s")),
        ),
    ],
    ids=["push", "test"],
)
def test_what_differs_by_being_done_again_counts_once(caller: AppCaller, event: Event, again: Event) -> None:
    night = RemoteLedger(caller, Scope("20261130.1 stack:core"))
    first = night.append([NewEntry(event=event)], ALICE)
    assert night.append([NewEntry(event=again)], ALICE) == first


def test_a_key_is_of_one_event(caller: AppCaller) -> None:
    remote = RemoteLedger(caller)
    size = remote.head().size
    remote.append([NewEntry(event=TESTED, key="mine")], ALICE)
    failed = Tested(digest=TESTED.digest, name="smoke", passed=False)
    for expected in (None, size):
        with pytest.raises((LedgerError, LedgerMovedError)):
            remote.append([NewEntry(event=failed, key="mine")], ALICE, size=expected)
    assert remote.head().size == size + 1


def test_large_entries_come_in_pages_of_bounded_size(path: Path, caller: AppCaller) -> None:
    remote = RemoteLedger(caller)
    for number in range(12):
        summary = f"{number} " + "x" * 900_000
        remote.append([NewEntry(event=Tested(digest=DIGEST, name="big", passed=True, summary=summary))], ALICE)
    caller.asked.clear()
    with SqliteLedger(path, Ticking(), write=False) as file:
        assert tuple(remote.entries()) == tuple(file.entries())
        assert remote.find("digest", DIGEST) == file.find("digest", DIGEST)
    assert len(caller.asked) == 4


def test_whoever_holds_the_file_nobody_else_waits(path: Path, tmp_path: Path) -> None:
    """A service whose ledger is locked by another process still answers who asks for something else."""

    async def ask(app: Any) -> list[str]:
        order: list[str] = []

        async def one(name: str, method: str, path: str, body: bytes | None = None) -> None:
            async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="https://ledger") as client:
                await client.request(method, path, content=body, headers={"authorization": f"Bearer {TOKEN}"})
            order.append(name)

        sent = msgspec.json.encode(Append(entries=[send_entry(NewEntry(event=TESTED), "k")]))
        with sqlite3.connect(path, isolation_level=None) as other:
            other.execute("BEGIN IMMEDIATE")
            appending = asyncio.create_task(one("append", "POST", "/v1/entries", sent))
            await one("head", "GET", "/v1/head")
            await one("read", "GET", "/v1/entries")
            other.execute("COMMIT")
        other.close()
        await appending
        return order

    with open_app(path, tmp_path / "nights") as caller:
        assert caller.runner.run(ask(caller.app)) == ["head", "read", "append"]


def test_who_has_a_token_is_its_name_everywhere(caller: AppCaller) -> None:
    assert RemoteLedger(caller).author(ALICE) == Actor(
        name="workers", method="token", host=ALICE.host, program=ALICE.program
    )


def test_what_was_decided_on_another_state_is_refused(caller: AppCaller) -> None:
    remote = RemoteLedger(caller)
    size = remote.head().size
    with pytest.raises(LedgerMovedError, match="run it again"):
        remote.append([NewEntry(event=TESTED)], ALICE, size=size - 1)
    assert remote.head().size == size


def test_a_key_of_an_entry_of_another_kind_is_refused(caller: AppCaller) -> None:
    remote = RemoteLedger(caller)
    remote.append([NewEntry(event=TESTED, key="mine")], ALICE)
    with pytest.raises(LedgerError, match="the key 'mine' is of another event"):
        remote.append([NewEntry(event=make_build(), key="mine")], ALICE)


def test_a_secret_is_refused_and_not_kept(path: Path, caller: AppCaller) -> None:
    event = Tested(digest=TESTED.digest, name="smoke", passed=False, summary="AKIA" + "A1B2C3D4E5F6G7H8")
    with pytest.raises(InvalidInputError, match="an access key of AWS"):
        RemoteLedger(caller).append([NewEntry(event=event)], ALICE)
    assert b"AKIA" not in path.read_bytes()


def test_who_may_only_read_appends_nothing(path: Path, tmp_path: Path) -> None:
    with open_app(path, tmp_path / "nights", READING) as caller:
        remote = RemoteLedger(caller)
        size = remote.head().size
        assert remote.find("kind", Built.kind)
        with pytest.raises(LedgerError, match="the token of reader is not for write"):
            remote.append([NewEntry(event=TESTED)], ALICE)
        assert remote.head().size == size


class LyingCaller:
    """Answers each question with the same bytes."""

    url = "https://ledger.example.org"

    def __init__(self, body: bytes) -> None:
        self._body = body

    def ask(self, question: Question) -> Reply:
        del question
        return Reply(status=200, body=self._body)


def test_a_document_that_is_another_is_refused() -> None:
    with pytest.raises(DigestMismatchError):
        RemoteLedger(LyingCaller(b"forged")).document(Digest.of(b"true"))


@pytest.mark.parametrize("body", [b"", b"[]", b'{"entries":["{}"]}', b'{"entries":[1]}', b"[" * 100_000])
def test_an_answer_that_is_none_is_told(body: bytes) -> None:
    with pytest.raises(Exception, match=r"is not of the form|is no entry"):
        tuple(RemoteLedger(LyingCaller(body)).entries())


def test_the_key_is_part_of_the_entry_and_checked(path: Path, caller: AppCaller) -> None:
    (entry,) = RemoteLedger(caller).append([NewEntry(event=TESTED, key="k1")], ALICE)
    assert entry.key == "k1"
    assert RemoteLedger(caller).find("key", "k1") == (entry,)
    assert check_ledger(path).problems == ()
    assert replace(entry, key="").key == ""
