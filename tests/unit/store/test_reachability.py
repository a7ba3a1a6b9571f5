from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping

import pytest

from builder.store.reachability import ImpatientTransport
from builder.store.transport import PlainResponse, Response, TransportError


class Flaky:
    """A transport that is out of reach while told so, and counts."""

    def __init__(self) -> None:
        self.down = True
        self.asked = 0
        self.time = 0.0

    @contextlib.contextmanager
    def open(self, url: str, headers: Mapping[str, str]) -> Iterator[Response]:
        del headers
        self.asked += 1
        if self.down and "up.example" not in url:
            raise TransportError("no route", url=url, temporary=True, unreached=True)
        yield PlainResponse(status=200, url=url)


def ask(transport: ImpatientTransport, url: str = "https://down.example/f") -> TransportError | None:
    try:
        with transport.open(url, {}):
            return None
    except TransportError as error:
        return error


@pytest.fixture
def flaky() -> Flaky:
    return Flaky()


@pytest.fixture
def transport(flaky: Flaky) -> ImpatientTransport:
    return ImpatientTransport(flaky, now=lambda: flaky.time)


def test_host_out_of_reach_for_long_is_given_up(flaky: Flaky, transport: ImpatientTransport) -> None:
    for second in range(6):
        flaky.time = second * 2.0
        error = ask(transport)
        assert error is not None
    assert error is not None
    assert not error.temporary
    assert flaky.asked == 5
    assert ask(transport, "https://up.example/f") is None


def test_many_failures_at_once_are_not_long(transport: ImpatientTransport) -> None:
    errors = [ask(transport) for _ in range(50)]
    assert all(error is not None and error.temporary for error in errors)


def test_an_answer_forgives_what_was_before(flaky: Flaky, transport: ImpatientTransport) -> None:
    for _ in range(10):
        ask(transport)
    flaky.down = False
    assert ask(transport) is None
    flaky.down, flaky.time = True, 100.0
    error = ask(transport)
    assert error is not None
    assert error.temporary
