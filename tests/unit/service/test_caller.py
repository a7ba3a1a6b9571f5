"""Who asks a service goes on where asking again may help, and stops at once where it cannot."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from builder.errors import InvalidInputError, LedgerUnavailableError
from builder.service.address import ServiceAddress, parse_place
from builder.service.caller import HttpCaller, Question
from builder.store.patience import Patience
from tests.support.fault_server import Answer, FaultServer

HEAD = Question(method="GET", path="/v1/head")


@pytest.fixture
def server() -> Iterator[FaultServer]:
    with FaultServer() as server:
        yield server


class Asked:
    """Asks with pauses that take no time."""

    def __init__(self, server: FaultServer, tries: int = 4) -> None:
        self.paused: list[float] = []
        patience = Patience(
            tries=tries, first_pause_s=1, deadline_s=100, now=lambda: sum(self.paused), sleep=self.paused.append
        )
        url = server.on("/v1/head", Answer()).removesuffix("/v1/head")
        self.caller = HttpCaller(url, "t-1234567890", patience)


def test_a_service_that_is_busy_is_asked_again_as_it_says(server: FaultServer) -> None:
    asked = Asked(server)
    server.on("/v1/head", Answer(status=503, headers={"retry-after": "7"}), Answer(status=502), Answer(body=b"head"))
    with asked.caller as caller:
        assert caller.ask(HEAD).body == b"head"
    assert asked.paused == [7, 2]
    assert {one.headers["authorization"] for one in server.asked("/v1/head")} == {"Bearer t-1234567890"}


def test_one_that_never_answers_is_told_with_what_it_said(server: FaultServer) -> None:
    asked = Asked(server, tries=2)
    server.on("/v1/head", Answer(status=503, body=b'{"title": "its disk is full"}'))
    with asked.caller as caller, pytest.raises(LedgerUnavailableError, match="answers 503: its disk is full"):
        caller.ask(HEAD)
    assert len(asked.paused) == 1


@pytest.mark.parametrize(("status", "way"), [(401, "AIRFLOW_KUBLER_TOKEN"), (403, "what a token may")])
def test_who_is_not_known_there_is_told_at_once(server: FaultServer, status: int, way: str) -> None:
    asked = Asked(server)
    server.on("/v1/head", Answer(status=status, body=b'{"title": "needs a token"}'))
    with (
        asked.caller as caller,
        pytest.raises(LedgerUnavailableError, match=rf"(?s)needs a token.*{way}"),
    ):
        caller.ask(HEAD)
    assert asked.paused == []


def test_a_redirect_takes_the_token_nowhere(server: FaultServer) -> None:
    asked = Asked(server)
    elsewhere = server.on("/elsewhere", Answer(body=b"mine"))
    server.on("/v1/head", Answer(status=307, headers={"location": elsewhere}))
    with asked.caller as caller, pytest.raises(LedgerUnavailableError, match="answered 307"):
        caller.ask(HEAD)
    assert server.asked("/elsewhere") == []


def test_what_it_refuses_is_an_answer(server: FaultServer) -> None:
    asked = Asked(server)
    server.on("/v1/head", Answer(status=409, body=b'{"title": "moved on"}'))
    with asked.caller as caller:
        reply = caller.ask(HEAD)
    assert (reply.status, reply.title) == (409, "moved on")


def test_nobody_there_is_told() -> None:
    caller = HttpCaller("http://127.0.0.1:9", "", Patience(tries=2, sleep=lambda _: None))
    with caller, pytest.raises(LedgerUnavailableError, match="does not answer"):
        caller.ask(HEAD)


@pytest.mark.parametrize(
    ("text", "url"),
    [
        ("https://ledger.example.org", "https://ledger.example.org"),
        ("https://ledger.example.org/team/", "https://ledger.example.org/team"),
        ("http://127.0.0.1:8080", "http://127.0.0.1:8080"),
        ("http://[::1]:8080/", "http://[::1]:8080"),
        ("http://localhost:8080", "http://localhost:8080"),
    ],
)
def test_an_address_is_one_of_https_or_of_this_machine(text: str, url: str) -> None:
    assert parse_place(text) == ServiceAddress(url)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("http://ledger.example.org", "in the open"),
        ("http://127.evil.example.org", "in the open"),
        ("https://me:secret@ledger.example.org", "holds a name or password"),
        ("https://", "is no address"),
        ("https://ledger.example.org/?x=1", "is no address"),
        ("https://ledger.example.org:port", "is no address"),
        ("https://[::1", "is no address"),
    ],
)
def test_an_address_that_will_not_do_is_refused(text: str, said: str) -> None:
    with pytest.raises(InvalidInputError, match=said) as caught:
        parse_place(text)
    assert "secret" not in str(caught.value)
