"""A webhook is signed as Standard Webhooks' own library checks it, tried again as the receiver asks, and never raises."""

from __future__ import annotations

import base64
from collections.abc import Iterator

import pytest
from standardwebhooks import Webhook, WebhookVerificationError

from builder.errors import InvalidInputError
from builder.notify.webhook import Message, parse_secret, send, sign
from builder.store.patience import Patience
from tests.support.fault_server import Answer, FaultServer

RAW = b"0123456789abcdef0123456789abcdef"
SECRET = f"whsec_{base64.b64encode(RAW).decode()}"
MESSAGE = Message(id="night_20261130.1_1796038900", body=b'{"type":"nightly.ended"}')


class Time:
    """A clock that only pauses move."""

    def __init__(self) -> None:
        self.paused: list[float] = []

    def patience(self, **fields: float) -> Patience:
        import time

        started = time.time()
        return Patience(
            tries=4,
            first_pause_s=1,
            deadline_s=fields.get("deadline_s", 100),
            now=lambda: sum(self.paused),
            wall=lambda: started + sum(self.paused),
            sleep=self.paused.append,
        )


@pytest.fixture
def server() -> Iterator[FaultServer]:
    with FaultServer() as server:
        yield server


def test_what_is_sent_is_verified_by_standard_webhooks(server: FaultServer) -> None:
    url = server.on("/hook", Answer(status=204))
    done = send(url, RAW, MESSAGE, target="webhook W", patience=Time().patience())
    assert (done.problem, done.tries) == ("", 1)
    (request,) = server.asked("/hook")
    assert Webhook(SECRET).verify(request.body, dict(request.headers)) == {"type": "nightly.ended"}
    assert request.headers["webhook-id"] == MESSAGE.id
    assert request.headers["content-type"] == "application/json"
    with pytest.raises(WebhookVerificationError):
        Webhook(SECRET).verify(request.body + b" ", dict(request.headers))


def test_a_signature_is_of_id_time_and_body() -> None:
    one = sign(RAW, MESSAGE, 1)
    assert one == sign(RAW, MESSAGE, 1)
    other = Message(id="x", body=MESSAGE.body)
    signatures = {row["webhook-signature"] for row in (one, sign(RAW, MESSAGE, 2), sign(RAW, other, 1))}
    assert len(signatures) == 3
    assert all(value.startswith("v1,") for value in signatures)


def test_tries_go_on_with_the_same_id_and_a_new_time(server: FaultServer) -> None:
    url = server.on("/hook", Answer(status=503), Answer(status=429, headers={"Retry-After": "7"}), Answer(status=200))
    time = Time()
    done = send(url, RAW, MESSAGE, target="webhook W", patience=time.patience())
    assert (done.problem, done.tries) == ("", 3)
    assert time.paused == [1, 7], "growing pauses, or exactly as Retry-After says"
    requests = server.asked("/hook")
    assert {request.headers["webhook-id"] for request in requests} == {MESSAGE.id}
    times = [int(request.headers["webhook-timestamp"]) for request in requests]
    assert [later - times[0] for later in times] == [0, 1, 8]
    assert len({request.headers["webhook-signature"] for request in requests}) == 3


def test_a_retry_after_beyond_the_deadline_ends_it(server: FaultServer) -> None:
    url = server.on("/hook", Answer(status=503, headers={"Retry-After": "3600"}))
    time = Time()
    done = send(url, RAW, MESSAGE, target="webhook W", patience=time.patience())
    assert done.problem.startswith("answered 503; the next try would come after")
    assert time.paused == []


@pytest.mark.parametrize("status", [301, 400, 401, 404, 410])
def test_a_refusal_is_not_tried_again_and_no_redirect_is_followed(server: FaultServer, status: int) -> None:
    url = server.on("/hook", Answer(status=status, headers={"Location": server.url("/other")}))
    done = send(url, RAW, MESSAGE, target="webhook W", patience=Time().patience())
    assert (done.problem, done.tries) == (f"answered {status}", 1)
    assert not server.asked("/other")
    assert done.render() == f"NOT told webhook W: answered {status}"


def test_who_is_not_there_is_tried_again_and_his_address_is_not_told() -> None:
    with FaultServer() as gone:
        url = gone.url("/s3cr3t-path?token=s3cr3t")
    done = send(url, RAW, MESSAGE, target="webhook W", patience=Time().patience())
    assert (done.problem, done.tries) == ("connect error", 4)
    assert "s3cr3t" not in done.render()


@pytest.mark.parametrize("url", ["", "nonsense", "ftp://127.0.0.1/x", "http://[::1", "file:///etc/passwd"])
def test_what_is_no_address_is_said_once(url: str) -> None:
    done = send(url, RAW, MESSAGE, target="webhook W", patience=Time().patience())
    assert "it holds no address" in done.problem
    assert done.tries == 1


def test_an_endless_answer_is_not_read(server: FaultServer) -> None:
    url = server.on("/hook", Answer(status=200, body=b"x" * (1 << 22), pause_s=0.5))
    assert not send(url, RAW, MESSAGE, target="webhook W", patience=Time().patience()).problem


def test_a_secret_is_read_with_and_without_its_prefix() -> None:
    assert parse_secret(SECRET) == parse_secret(SECRET.removeprefix("whsec_")) == RAW


@pytest.mark.parametrize("text", ["", "whsec_", "s3cr3t!", base64.b64encode(b"short").decode()])
def test_what_is_no_secret_is_refused_and_not_repeated(text: str) -> None:
    with pytest.raises(InvalidInputError, match="holds no secret") as caught:
        parse_secret(text)
    assert "openssl rand" in caught.value.hint
    assert not text or text not in str(caught.value)
