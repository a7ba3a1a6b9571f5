"""One exchange with one host over httpx: no redirects, no retries, no credentials of its own.

Each question borrows a client of its own, lately used ones first: those who share one wait for each other. What is read is
handed on as it came, never inflated.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, Self
from urllib.parse import urlsplit

from builder.registry.settings import RegistrySettings
from builder.store.transport import Response, TransportError, redact, tls_context

if TYPE_CHECKING:
    import ssl

    import httpx

Body = bytes | Iterator[bytes] | None
_PLAIN = "plain"


class Wire(Protocol):
    """What carries one question and its answer. Safe to use from several threads."""

    def exchange(
        self, method: str, url: str, headers: Mapping[str, str], body: Body = None
    ) -> AbstractContextManager[Response]:
        """Ask; raises TransportError where there is no answer. A body that is iterated over needs its content-length."""


class HttpWire:
    """A Wire over httpx, with connections kept alive and proxies as the environment names them.

    Args:
        settings: whose certificates are trusted.
        timeout_s: the longest silence while connecting, writing or between two chunks.
    """

    def __init__(self, settings: RegistrySettings, *, timeout_s: float = 30.0) -> None:
        self._settings = settings
        self._timeout_s = timeout_s
        self._free: dict[Path | str | None, list[httpx.Client]] = {}
        self._made: list[httpx.Client] = []
        self._contexts: dict[Path | None, ssl.SSLContext] = {}
        self._lock = threading.Lock()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        while self._made:
            self._made.pop().close()

    @contextlib.contextmanager
    def exchange(self, method: str, url: str, headers: Mapping[str, str], body: Body = None) -> Iterator[Response]:
        """Ask."""
        import httpx

        with self._borrowed(url) as client:
            try:
                request = client.build_request(
                    method, redact(url), headers={"accept-encoding": "identity", **headers}, content=body
                )
                answer = client.send(request, stream=True, follow_redirects=False, auth=None)
            except (httpx.TransportError, httpx.InvalidURL, OSError, UnicodeError) as error:
                raise _translate(error, url) from error
            try:
                yield _Answer(answer, url)
            finally:
                answer.close()

    @contextlib.contextmanager
    def _borrowed(self, url: str) -> Iterator[httpx.Client]:
        parts = urlsplit(url)
        key: Path | str | None = _PLAIN
        if parts.scheme != "http":
            key = self._settings.of(parts.netloc.lower()).certificate or self._settings.certificate
        free = self._free.setdefault(key, [])
        try:
            client = free.pop()
        except IndexError:
            client = self._make(key)
        try:
            yield client
        finally:
            free.append(client)

    def _make(self, key: Path | str | None) -> httpx.Client:
        import httpx

        from builder import __version__

        with self._lock:
            # A client for plain http never sees TLS: its certificates need not be read, which takes long.
            if isinstance(key, str):
                verify: ssl.SSLContext | bool = False
            else:
                verify = self._contexts.get(key) or self._contexts.setdefault(key, tls_context(key))
            client = httpx.Client(
                headers={"user-agent": f"airflow-kubler/{__version__}"},
                verify=verify,
                timeout=httpx.Timeout(self._timeout_s),
                limits=httpx.Limits(max_connections=4, max_keepalive_connections=4),
                follow_redirects=False,
            )
            self._made.append(client)
            return client


class _Answer:
    """An httpx answer as Response."""

    def __init__(self, answer: httpx.Response, url: str) -> None:
        self._answer = answer
        self.url = redact(url)
        self.status = answer.status_code
        self.headers: Mapping[str, str] = {name.lower(): value for name, value in answer.headers.items()}

    def chunks(self) -> Iterator[bytes]:
        import httpx

        try:
            yield from self._answer.iter_raw()
        except (httpx.TransportError, OSError) as error:
            raise _translate(error, self.url) from error


def _translate(error: Exception, url: str) -> TransportError:
    import httpx

    permanent = (httpx.UnsupportedProtocol, httpx.InvalidURL, httpx.LocalProtocolError, UnicodeError)
    unreached = isinstance(error, (httpx.ConnectError, httpx.ConnectTimeout, httpx.ProxyError))
    text = str(error) or type(error).__name__
    temporary = not isinstance(error, permanent) and "CERTIFICATE_VERIFY_FAILED" not in text
    return TransportError(text, url=url, temporary=temporary, unreached=unreached)
