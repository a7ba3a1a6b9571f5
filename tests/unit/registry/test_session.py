"""Redirects of registries and addresses of uploads: where they may lead."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager

import pytest

from builder.oci.descriptor import describe
from builder.registry.answers import RegistryTroubleError
from builder.registry.blobs import RemoteBlobs
from builder.registry.model import parse_repository
from builder.registry.session import Call, Session
from builder.registry.settings import RegistrySettings
from builder.registry.wire import HttpWire
from builder.store.transport import PlainResponse, Response, TransportError
from tests.support.registries import SmallRegistry
from tests.support.registry_images import NoWait


class _NoCredentials:
    def find(self, registry: str) -> None:
        del registry


class _Leading:
    """A Wire whose first answer leads elsewhere: to read from, or to send to."""

    def __init__(self, target: str) -> None:
        self._target = target
        self.asked: list[tuple[str, str, bool]] = []

    def exchange(
        self, method: str, url: str, headers: Mapping[str, str], body: object = None, *, outside: bool = False
    ) -> AbstractContextManager[Response]:
        assert "authorization" not in headers
        self.asked.append((method, url.partition("?")[0], outside))
        for _ in body if isinstance(body, Iterator) else ():
            pass
        return self._answer(method, url)

    @contextmanager
    def _answer(self, method: str, url: str) -> Iterator[Response]:
        if url.startswith(self._target):
            yield PlainResponse(status=201 if method == "PUT" else 200, url=url)
        else:
            status = {"POST": 202, "HEAD": 404}.get(method, 307)
            yield PlainResponse(status=status, url=url, headers={"location": self._target})


def _ask(target: str, registry: str = "registry.example.org") -> bool:
    """Read what a registry leads elsewhere with; tells whether that must be outside."""
    wire = _Leading(target)
    session = Session(wire, RegistrySettings(), _NoCredentials())
    call = Call(repository=parse_repository(f"{registry}/team/a"), what="blob", path="blobs/x")
    with session.open(call) as response:
        assert response.status == 200
    assert [(method, url) for method, url, _ in wire.asked[1:]] == [("GET", target)]
    return wire.asked[-1][2]


def _send(target: str, registry: str = "registry.example.org") -> bool:
    """Send to where a registry wants an upload to go; tells whether that must be outside."""
    wire = _Leading(target)
    blobs = RemoteBlobs(Session(wire, RegistrySettings(), _NoCredentials(), NoWait().patience()))
    blob = describe("", b"data")
    try:
        blobs.push_blob(parse_repository(f"{registry}/team/a"), blob, lambda offset: iter([b"data"[offset:]]))
    except RegistryTroubleError:
        assert not any(url == target for _, url, _ in wire.asked)
        raise
    assert [(method, url) for method, url, _ in wire.asked[2:]] == [("PUT", target)]
    return wire.asked[-1][2]


INSIDE = [
    "127.0.0.1", "127.1", "2130706433", "0x7f000001", "169.254.169.254", "[::1]", "[::ffff:127.0.0.1]",
    "[::ffff:169.254.169.254]", "[fe80::1]", "[fd00:ec2::254]", "localhost", "LOCALHOST.", "a.localhost",
    "[64:ff9b::7f00:1]", "[2002:7f00:1::]", "[::127.0.0.1]", "0.0", "[::]", "100.100.100.200", "168.63.129.16",
    "[::1%25lo]",
]  # fmt: skip
OUTSIDE = ["storage.example.org", "198.51.100.7", "[2001:db8::1]", "10.0.0.1"]


@pytest.mark.parametrize("lead", [_ask, _send], ids=["redirect", "upload"])
@pytest.mark.parametrize("host", INSIDE)
def test_way_into_this_machine_is_refused_however_it_is_spelled(lead: Callable[[str], bool], host: str) -> None:
    with pytest.raises(RegistryTroubleError, match="into this machine") as caught:
        lead(f"https://{host}/secret")
    assert caught.value.registry == "registry.example.org"


@pytest.mark.parametrize("lead", [_ask, _send], ids=["redirect", "upload"])
@pytest.mark.parametrize("host", OUTSIDE)
def test_way_to_another_host_is_followed_as_long_as_it_is_outside(lead: Callable[[str], bool], host: str) -> None:
    assert lead(f"https://{host}/blob") is True


@pytest.mark.parametrize("lead", [_ask, _send], ids=["redirect", "upload"])
def test_own_host_and_registries_of_this_machine_lead_where_they_want(lead: Callable[[str, str], bool]) -> None:
    assert lead("https://registry.example.org:8443/blob", "registry.example.org") is False
    assert lead("http://127.0.0.1:9000/blob", "127.0.0.1:5000") is False
    assert lead("https://storage.example.org/blob", "localhost:5000") is False


@pytest.mark.parametrize("lead", [_ask, _send], ids=["redirect", "upload"])
@pytest.mark.parametrize("target", ["http://storage.example.org/x", "file:///etc/passwd"])
def test_way_without_tls_or_to_no_host_is_refused(lead: Callable[[str], bool], target: str) -> None:
    with pytest.raises(RegistryTroubleError, match="leads"):
        lead(target)


def test_name_that_turns_out_to_be_this_machine_is_told_nothing() -> None:
    with SmallRegistry() as small, HttpWire(RegistrySettings()) as wire:
        url = f"http://{small.host}/v2/"
        with wire.exchange("GET", url, {}) as response:
            assert response.status == 200
        with (
            pytest.raises(TransportError, match="into this machine") as caught,
            wire.exchange("GET", url, {}, outside=True),
        ):
            pass
        assert not caught.value.temporary
        assert len(small.asked) == 1


class _Dripping:
    """A Wire that refuses with a text that never ends, a letter every ten seconds."""

    def __init__(self, status: int, realm: str = "") -> None:
        self.waits = NoWait()
        self._status = status
        self._headers = {"www-authenticate": f'Bearer realm="{realm}"'} if realm else {}

    def exchange(
        self, method: str, url: str, headers: Mapping[str, str], body: object = None, *, outside: bool = False
    ) -> AbstractContextManager[Response]:
        del method, headers, body, outside
        return self._answer(url)

    @contextmanager
    def _answer(self, url: str) -> Iterator[Response]:
        yield PlainResponse(status=self._status, url=url, headers=self._headers, body=self._drip())

    def _drip(self) -> Iterator[bytes]:
        for _ in range(1000):
            self.waits.time += 10
            yield b" "
        raise AssertionError


@pytest.mark.parametrize(("status", "realm"), [(403, ""), (401, ""), (401, "https://registry.example.org/token")])
def test_refusal_or_token_that_drips_is_not_listened_to_for_ever(status: int, realm: str) -> None:
    wire = _Dripping(status, realm)
    session = Session(wire, RegistrySettings(), _NoCredentials(), wire.waits.patience(deadline_s=9000))
    call = Call(repository=parse_repository("registry.example.org/team/a"), what="tags", path="tags/list")
    with pytest.raises(RegistryTroubleError, match="too slow" if realm else f"HTTP {status}"):
        session.settled(call, {200})
