"""Chats by apprise, against its own json:// service on the loopback."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from builder.notify.chat import Note, tell
from builder.store.patience import Patience
from tests.support.fault_server import Answer, FaultServer

# apprise looks for a module that Python 3.13 dropped.
pytestmark = pytest.mark.filterwarnings("ignore:'imghdr':DeprecationWarning")
NOTE = Note(title="Night 1: 1 failed", body="**core** failed", tone="failure")


@pytest.fixture
def server() -> Iterator[FaultServer]:
    with FaultServer() as server:
        yield server


def address(server: FaultServer, path: str) -> str:
    return server.url(path).replace("http://", "json://")


def patience(paused: list[float]) -> Patience:
    return Patience(tries=3, first_pause_s=2, longest_pause_s=10, sleep=paused.append)


def test_a_note_arrives(server: FaultServer) -> None:
    server.on("/chat", Answer(status=200))
    done = tell(address(server, "/chat"), NOTE, target="chat C")
    assert (done.problem, done.tries) == ("", 1)
    (request,) = server.asked("/chat")
    sent = json.loads(request.body)
    assert (sent["title"], sent["type"]) == (NOTE.title, "failure")
    assert "core" in sent["message"]


def test_only_who_did_not_get_it_is_told_again(server: FaultServer) -> None:
    server.on("/good", Answer(status=200))
    server.on("/slow", Answer(status=500), Answer(status=200))
    paused: list[float] = []
    addresses = f"{address(server, '/good')}  {address(server, '/slow')}"
    done = tell(addresses, NOTE, target="chat C", patience=patience(paused))
    assert (done.problem, done.tries, paused) == ("", 2, [2])
    assert (len(server.asked("/good")), len(server.asked("/slow"))) == (1, 2)


def test_who_never_takes_it_is_said_without_the_address(server: FaultServer, caplog: pytest.LogCaptureFixture) -> None:
    server.on("/s3cr3t", Answer(status=500))
    done = tell(address(server, "/s3cr3t"), NOTE, target="chat C", patience=patience([]))
    assert done.render() == "NOT told chat C after 3 tries: 1 of 1 did not take it"
    assert "s3cr3t" not in caplog.text


@pytest.mark.parametrize("text", ["", "nonsense", "nosuch://127.0.0.1/s3cr3t"])
def test_what_apprise_does_not_know_is_said(text: str, caplog: pytest.LogCaptureFixture) -> None:
    done = tell(text, NOTE, target="chat C")
    assert done.problem == "it holds an address that apprise does not know"
    assert "s3cr3t" not in caplog.text
