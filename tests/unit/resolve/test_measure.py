from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import pytest

from builder.digest import Digest
from builder.errors import PackageIndexError
from builder.lock.model import LockedFile
from builder.resolve.measure import TransportProbe
from builder.snapshot.model import OfferedFile
from builder.store.transport import PlainResponse, Response, TransportError
from tests.support.memory_snapshots import MemoryStore

URL = "https://me:secret@host/alpha-1-py3-none-any.whl"
DATA = b"a wheel"
HASH = hashlib.sha256(DATA).hexdigest()


class FakeTransport:
    """Breaks off as often as told, then answers."""

    def __init__(self, *, breaks: int = 0, status: int = 200, temporary: bool = True, length: bool = True) -> None:
        self.breaks, self.status, self.temporary, self.length = breaks, status, temporary, length
        self.asked = 0
        self.read = 0

    @contextmanager
    def open(self, url: str, headers: Mapping[str, str]) -> Iterator[Response]:
        del headers
        self.asked += 1
        if self.asked <= self.breaks:
            raise TransportError("broke off", url=url, temporary=self.temporary)
        given = {"content-length": str(len(DATA))} if self.length else {}
        yield PlainResponse(status=self.status, url=url, headers=given, body=self._body())

    def _body(self) -> Iterator[bytes]:
        self.read += 1
        yield DATA[:3]
        yield DATA[3:]


def offer(*, size: int | None = None, sha256: str | None = None) -> OfferedFile:
    return OfferedFile(name="alpha-1-py3-none-any.whl", url=URL, size=size, sha256=sha256, upload_time=None)


def measure(transport: FakeTransport, wheel: OfferedFile) -> LockedFile:
    return TransportProbe(transport, MemoryStore()).measure([wheel])[0]


EXPECTED = LockedFile(name="alpha-1-py3-none-any.whl", size=len(DATA), sha256=Digest(HASH))


def test_size_is_asked_for_once_and_each_wheel_keeps_its_place() -> None:
    transport, memory = FakeTransport(), MemoryStore()
    probe = TransportProbe(transport, memory)
    unsaid, said = offer(sha256=HASH), offer(size=7, sha256="a" * 64)
    first = probe.measure([said, unsaid, said])
    assert [file.size for file in first] == [7, len(DATA), 7]
    assert TransportProbe(transport, memory).measure([unsaid, said]) == first[1:]
    assert transport.asked == 1


def test_what_an_index_says_is_not_asked_for() -> None:
    transport = FakeTransport()
    assert measure(transport, offer(size=len(DATA), sha256=HASH)) == EXPECTED
    assert transport.asked == 0


def test_a_missing_size_is_read_off_the_head_of_the_answer() -> None:
    transport = FakeTransport()
    assert measure(transport, offer(sha256=HASH)) == EXPECTED
    assert (transport.asked, transport.read) == (1, 0)


@pytest.mark.parametrize("wheel", [offer(), offer(size=len(DATA))], ids=["neither", "size"])
def test_a_missing_hash_is_taken_of_the_whole_file(wheel: OfferedFile) -> None:
    transport = FakeTransport()
    assert measure(transport, wheel) == EXPECTED
    assert transport.read == 1


def test_an_answer_without_length_is_counted() -> None:
    assert measure(FakeTransport(length=False), offer(sha256=HASH)) == EXPECTED


def test_a_connection_that_breaks_is_tried_again() -> None:
    assert measure(FakeTransport(breaks=2), offer()) == EXPECTED


@pytest.mark.parametrize(
    ("transport", "asked"),
    [(FakeTransport(breaks=9), 3), (FakeTransport(breaks=9, temporary=False), 1)],
    ids=["temporary", "for-good"],
)
def test_what_stays_broken_is_told_without_credentials(transport: FakeTransport, asked: int) -> None:
    with pytest.raises(PackageIndexError, match="broke off") as caught:
        measure(transport, offer())
    assert transport.asked == asked
    assert "secret" not in str(caught.value)


def test_a_file_that_is_not_there_is_told() -> None:
    with pytest.raises(PackageIndexError, match=r"https://host/alpha-1-py3-none-any\.whl: answered with status 404"):
        measure(FakeTransport(status=404), offer())
