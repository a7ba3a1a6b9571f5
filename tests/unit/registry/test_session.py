"""Redirects of registries: where they may lead."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager

import pytest

from builder.registry.answers import RegistryTroubleError
from builder.registry.model import parse_repository
from builder.registry.session import Call, Session
from builder.registry.settings import RegistrySettings
from builder.store.transport import PlainResponse, Response


class _NoCredentials:
    def find(self, registry: str) -> None:
        del registry


class _Redirecting:
    """A Wire whose first answer leads elsewhere."""

    def __init__(self, target: str) -> None:
        self._target = target

    def exchange(
        self, method: str, url: str, headers: Mapping[str, str], body: object = None
    ) -> AbstractContextManager[Response]:
        del method, headers, body
        return self._answer(url)

    @contextmanager
    def _answer(self, url: str) -> Iterator[Response]:
        if url == self._target:
            yield PlainResponse(status=200, url=url)
        else:
            yield PlainResponse(status=307, url=url, headers={"location": self._target})


def _ask(target: str) -> int:
    session = Session(_Redirecting(target), RegistrySettings(), _NoCredentials())
    call = Call(repository=parse_repository("registry.example.org/team/a"), what="blob", path="blobs/x")
    with session.open(call) as response:
        return response.status


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1", "127.1", "2130706433", "0x7f000001", "169.254.169.254", "[::1]", "[::ffff:127.0.0.1]",
        "[::ffff:169.254.169.254]", "[fe80::1]", "[fd00:ec2::254]", "localhost", "LOCALHOST.", "a.localhost",
    ],
)  # fmt: skip
def test_redirect_into_this_machine_is_refused_however_it_is_spelled(host: str) -> None:
    with pytest.raises(RegistryTroubleError, match="into this machine"):
        _ask(f"https://{host}/secret")


@pytest.mark.parametrize("host", ["storage.example.org", "198.51.100.7", "[2001:db8::1]", "10.0.0.1"])
def test_redirect_to_another_host_is_followed(host: str) -> None:
    assert _ask(f"https://{host}/blob") == 200
