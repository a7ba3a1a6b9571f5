from __future__ import annotations

import gc
import gzip
import hashlib
import time
import zlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from builder.errors import PackageIndexError
from builder.store.pages import AnswerTooLargeError, Page, read_page
from builder.store.patience import Patience
from builder.store.transport import HttpTransport
from tests.support.fault_server import Answer, FaultServer

TEXT = b"".join(hashlib.sha256(bytes([number])).digest() for number in range(200)) * 30
PACKED = {"content-encoding": "gzip", "content-type": "text/html"}


@pytest.fixture
def server() -> Iterator[FaultServer]:
    with FaultServer() as server:
        yield server


def read(server: FaultServer, answer: Answer, *, largest: int = 1 << 20, **headers: str) -> Page | None:
    with HttpTransport() as transport:
        url = server.on("/p", answer)
        return read_page(url, transport, headers=headers, largest=largest, patience=Patience(tries=1))


def test_packed_answers_are_asked_for_and_unpacked(server: FaultServer) -> None:
    page = read(server, Answer(body=gzip.compress(TEXT), headers=PACKED))
    assert page is not None
    assert (page.body, page.content_type) == (TEXT, "text/html")
    assert server.requests[0].headers["accept-encoding"] == "gzip"


def test_ranges_are_asked_for_unpacked(server: FaultServer) -> None:
    read(server, Answer(body=TEXT), range="bytes=0-")
    assert server.requests[0].headers["accept-encoding"] == "identity"


@pytest.mark.parametrize(
    ("body", "encoding", "said"),
    [
        pytest.param(gzip.compress(TEXT)[:-9], "gzip", "cut off", id="cut off"),
        pytest.param(gzip.compress(b"a") * 2, "gzip", "goes on behind its end", id="two members"),
        pytest.param(TEXT, "gzip", "not gzip", id="not packed"),
        pytest.param(b"", "gzip", "cut off", id="empty"),
        pytest.param(zlib.compress(TEXT), "deflate", "an encoding that was not asked for: 'deflate'", id="another"),
    ],
)
def test_badly_packed_answers_are_refused(server: FaultServer, body: bytes, encoding: str, said: str) -> None:
    with pytest.raises(PackageIndexError, match=said):
        read(server, Answer(body=body, headers={"content-encoding": encoding}))


def test_what_unpacks_to_more_than_was_ready_to_be_read_is_refused(server: FaultServer) -> None:
    bomb = gzip.compress(bytes(50 << 20))
    with pytest.raises(AnswerTooLargeError):
        read(server, Answer(body=bomb, headers=PACKED), largest=1 << 20)


def test_who_still_asks_when_all_is_closed_leaves_no_connection(server: FaultServer) -> None:
    url = server.on("/slow", Answer(body=TEXT, pause_s=0.05))
    errors: list[BaseException] = []

    def ask(transport: HttpTransport) -> None:
        try:
            read_page(url, transport, patience=Patience(tries=1))
        except PackageIndexError as error:
            errors.append(error)

    with ThreadPoolExecutor(6) as pool:
        with HttpTransport() as transport:
            asked = [pool.submit(ask, transport) for _ in range(6)]
            while not server.requests:
                time.sleep(0.001)
        late = pool.submit(ask, transport)
    assert [future.exception() for future in (*asked, late)] == [None] * 7
    assert "nothing is asked any more" in str(errors[-1])
    gc.collect()  # A connection that was left open would warn now, which is an error here.
