"""What is for workers is for nobody else: tokens are known by their hash, expire, and are each for something."""

from __future__ import annotations

import asyncio
import datetime as dt
from pathlib import Path

import msgspec
import pytest
from starlette.requests import Request
from starlette.routing import Route

from builder.errors import InvalidInputError, IssuesError, StackError, ToolError
from builder.ledger.database import SqliteLedger
from builder.ledger.model import NewEntry
from builder.service.caller import Question
from builder.service.wire import Append, send_entry
from builder.web.app import Workers, make_app
from builder.web.desk import Desk
from builder.web.feed import Feed
from builder.web.guard import Guard
from builder.web.openapi import describe
from builder.web.problem import ProblemError
from builder.web.tokens import RIGHTS, Client, Tokens, hash_token, parse_tokens
from builder.wiring.nights import Nights
from builder.wiring.web import TokenFile, add_token, channel_answer
from tests.support.ledgers import Ticking, events_of_every_kind, make_ledger
from tests.support.service import TOKEN, TOKENS, WORKERS, AppCaller, open_app

TODAY = dt.date(2026, 11, 30)
FOR_WORKERS = ("/v1/entries", "/v1/marks/entries", "/v1/marks/values", "/v1/documents/sha256:0", "/v1/nights")


def test_a_token_is_known_by_its_header_alone() -> None:
    assert TOKENS.find(f"Bearer {TOKEN}", TODAY) == WORKERS
    assert TOKENS.find(f"bearer  {TOKEN}", TODAY) == WORKERS
    for header in ("", TOKEN, f"Basic {TOKEN}", "Bearer", "Bearer ", f"Bearer {TOKEN}x", f"Bearer {hash_token(TOKEN)}"):
        assert TOKENS.find(header, TODAY) is None, header


def test_a_token_is_known_up_to_its_last_day() -> None:
    tokens = Tokens({hash_token("t"): Client(name="a", may=frozenset(), expires=TODAY)})
    assert tokens.find("Bearer t", TODAY)
    assert tokens.find("Bearer t", TODAY + dt.timedelta(days=1)) is None


def test_a_file_of_tokens_is_read() -> None:
    data = f'[tokens.ci]\nsha256 = "{hash_token("a")}"\n[tokens.night]\nsha256 = "{hash_token("b")}"\nmay = ["read", "write"]\nexpires = 2027-03-31\n'
    tokens = parse_tokens(data.encode(), file="tokens.toml")
    assert tokens.find("Bearer a", TODAY) == Client(name="ci", may=frozenset({"read"}))
    night = tokens.find("Bearer b", TODAY)
    assert night == Client(name="night", may=frozenset({"read", "write"}), expires=dt.date(2027, 3, 31))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "names nobody"),
        ("[tokens]\n", "names nobody"),
        ('[tokens.ci]\nsha256 = "secret"\n', "is no sha256"),
        ("[tokens.ci]\n", "is no sha256"),
        (f'[tokens.CI]\nsha256 = "{hash_token("a")}"\n', "is no name"),
        (f'[tokens.ci]\nsha256 = "{hash_token("a")}"\nmay = ["all"]\n', "unknown value 'all'"),
        (f'[tokens.ci]\nsha256 = "{hash_token("a")}"\ntoken = "a"\n', "unknown key"),
        (f'[tokens.a]\nsha256 = "{hash_token("a")}"\n[tokens.b]\nsha256 = "{hash_token("a")}"\n', "is that of a too"),
        ("[[tokens]]\n", "must be a table"),
        ("tokens =", "is not TOML"),
    ],
)
def test_a_file_that_is_none_is_told(text: str, said: str) -> None:
    with pytest.raises((IssuesError, StackError), match=said):
        parse_tokens(text.encode(), file="tokens.toml")


def test_a_new_token_is_known_and_only_its_hash_is_kept(tmp_path: Path) -> None:
    file = tmp_path / "tokens.toml"
    one, two = add_token(file, "one", ["read"]), add_token(file, "two", ["read", "write"])
    tokens = parse_tokens(file.read_bytes(), file="tokens.toml")
    for token, name in ((one, "one"), (two, "two")):
        client = tokens.find(f"Bearer {token}", TODAY)
        assert client is not None
        assert client.name == name
        assert token not in file.read_text()
    assert file.stat().st_mode & 0o077 == 0
    with pytest.raises(InvalidInputError, match="has one already"):
        add_token(file, "one", ["read"])
    with pytest.raises(InvalidInputError, match="is no name"):
        add_token(file, "../x", ["read"])


@pytest.mark.parametrize("path", FOR_WORKERS)
def test_nobody_without_a_token_is_answered(tmp_path: Path, path: str) -> None:
    make_ledger(tmp_path / "ledger.db")
    with open_app(tmp_path / "ledger.db", tmp_path / "nights", "another") as caller:
        assert caller.ask(Question(method="GET", path=path)).status == 401
        assert caller.ask(Question(method="GET", path="/v1/head")).status == 200


@pytest.mark.parametrize("path", FOR_WORKERS)
def test_a_service_without_tokens_says_that_it_only_reads(tmp_path: Path, path: str) -> None:
    make_ledger(tmp_path / "ledger.db")
    with asyncio.Runner() as runner, SqliteLedger(tmp_path / "ledger.db", Ticking(), write=False) as ledger:
        caller = AppCaller(make_app(Feed(ledger), channel_answer), runner)
        for method in ("GET", "POST"):
            reply = caller.ask(Question(method=method, path=path))
            assert (reply.status, reply.title) == (403, "this service is for reading: it was not started with --tokens")


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{}",
        b'{"entries": []}',
        b'{"entries": [{"kind": "test", "data": {}, "key": "k"}]}',
        b'{"entries": [{"kind": "unheard of", "data": {}, "key": "k"}]}',
        b'{"entries": [{"kind": "ledger", "data": {"origin": "a", "id": "b", "migrations": []}, "key": "k"}]}',
        b'{"entries": [{"kind": "request", "data": {"stack": "a", "channel": "b", "digest": "c"}, "key": ""}]}',
        b'{"entries": [], "actor": {"name": "root"}}',
        b"[" * 100_000,
    ],
)
def test_an_append_that_is_none_is_refused(tmp_path: Path, body: bytes) -> None:
    make_ledger(tmp_path / "ledger.db")
    with open_app(tmp_path / "ledger.db", tmp_path / "nights") as caller:
        assert caller.ask(Question(method="POST", path="/v1/entries", body=body)).status == 422
        assert caller.ask(Question(method="GET", path="/readyz")).body == b'{"entries":1}'


def test_a_body_without_end_is_cut_off() -> None:
    async def endless() -> dict[str, object]:
        return {"type": "http.request", "body": b"x" * 600, "more_body": True}

    with asyncio.Runner() as runner, pytest.raises(ProblemError, match="more than 1000 bytes"):
        runner.run(Guard(None, most=1000).read_body(Request({"type": "http"}, endless)))


def test_every_address_is_described_with_its_methods(tmp_path: Path) -> None:
    make_ledger(tmp_path / "ledger.db")
    with SqliteLedger(tmp_path / "ledger.db", Ticking(), write=True) as ledger:
        desk = Desk(lambda: ledger)
        nights = Nights(root=tmp_path / "nights")
        workers = Workers(writer=desk, reader=desk, nights=nights, tokens=lambda: TOKENS)
        routes = make_app(Feed(ledger), channel_answer, workers).routes
        answered = {
            (route.path.replace(":path", ""), method.lower())
            for route in routes
            if isinstance(route, Route)
            for method in route.methods or ()
            if method != "HEAD"
        }
    described = {(path, method) for path, ways in describe()["paths"].items() for method in ways}
    assert described == answered


@pytest.mark.parametrize(
    ("kind", "right"), [("approval", "approve"), ("promotion", "promote"), ("test", "write"), ("request", "write")]
)
def test_who_may_write_what_was_done_can_neither_approve_nor_promote(tmp_path: Path, kind: str, right: str) -> None:
    make_ledger(tmp_path / "ledger.db")
    [event] = [one for one in events_of_every_kind() if one.kind == kind]
    for rights, status in ((frozenset({"read", right}), 200), (frozenset(RIGHTS) - {right}, 403)):
        tokens = Tokens({hash_token(TOKEN): Client(name="worker", may=rights)})
        with open_app(tmp_path / "ledger.db", tmp_path / "nights", tokens=tokens) as caller:
            body = msgspec.json.encode(Append(entries=[send_entry(NewEntry(event=event), "k")]))
            assert caller.ask(Question(method="POST", path="/v1/entries", body=body)).status == status


def test_a_token_that_is_taken_out_of_the_file_is_known_no_more(tmp_path: Path) -> None:
    file = tmp_path / "tokens.toml"
    one, two = add_token(file, "one", ["read"]), add_token(file, "two", ["read"])
    tokens = TokenFile(file)
    assert tokens().find(f"Bearer {one}", TODAY)
    file.write_text(file.read_text().partition("[tokens.two]")[2].join(["[tokens.two]", ""]))
    assert tokens().find(f"Bearer {one}", TODAY) is None
    assert tokens().find(f"Bearer {two}", TODAY)
    file.write_text("tokens = ")
    with pytest.raises(StackError):
        tokens()
    file.unlink()
    with pytest.raises(ToolError):
        tokens()


def test_a_client_that_may_nothing_reads_nothing() -> None:
    data = f'[tokens.ci]\nsha256 = "{hash_token("a")}"\nmay = []\n'
    client = parse_tokens(data.encode(), file="tokens.toml").find("Bearer a", TODAY)
    assert client == Client(name="ci", may=frozenset())
