"""One exchange with one host over urllib3: no redirects, no retries, no credentials of its own.

Connections are kept alive and serve one question at a time. What is read is handed on as it came, never inflated. A host
that answers before it has read all that is sent, as those do who refuse it, is heard.
"""

from __future__ import annotations

import contextlib
import functools
import os
import threading
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Final, Protocol, Self
from urllib.parse import unquote, urlsplit

from builder.registry.inside import is_inside
from builder.registry.settings import RegistrySettings
from builder.store.transport import Response, TransportError, redact, tls_context

if TYPE_CHECKING:
    import socket
    import ssl

    from urllib3 import BaseHTTPResponse, HTTPConnectionPool, PoolManager

Body = bytes | Iterator[bytes] | None

_PLAIN: Final = "plain"
_CHUNK: Final = 1 << 18
_CONNECTIONS: Final = 16
"""Kept alive to one host: more than there are workers."""


class Wire(Protocol):
    """What carries one question and its answer. Safe to use from several threads."""

    def exchange(
        self, method: str, url: str, headers: Mapping[str, str], body: Body = None, *, outside: bool = False
    ) -> AbstractContextManager[Response]:
        """Ask; raises TransportError where there is no answer. A body that is iterated over needs its content-length.

        Where it is to be outside, a host that turns out to be in this machine is told nothing.
        """


class HttpWire:
    """A Wire over urllib3, with proxies as the environment names them.

    Args:
        settings: whose certificates are trusted.
        timeout_s: the longest silence while connecting, writing or between two chunks.
    """

    def __init__(self, settings: RegistrySettings, *, timeout_s: float = 30.0) -> None:
        self._settings = settings
        self._timeout_s = timeout_s
        self._pools: dict[tuple[Path | str | None, str, bool], PoolManager] = {}
        self._lock = threading.Lock()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        while self._pools:
            self._pools.popitem()[1].clear()

    @contextlib.contextmanager
    def exchange(
        self, method: str, url: str, headers: Mapping[str, str], body: Body = None, *, outside: bool = False
    ) -> Iterator[Response]:
        """Ask."""
        from urllib3.exceptions import HTTPError

        from builder import __version__

        sent = {"accept-encoding": "identity", "user-agent": f"airflow-kubler/{__version__}", **headers}
        try:
            answer = self._pool(url, outside=outside).urlopen(
                method,
                redact(url),
                body=body,
                headers=sent,
                redirect=False,
                retries=False,
                preload_content=False,
                decode_content=False,
                timeout=self._timeout_s,
            )
        except (HTTPError, OSError, UnicodeError) as error:
            raise _translate(error, url) from error
        try:
            yield _Answer(answer, url)
        finally:
            _give_back(answer)

    def _pool(self, url: str, *, outside: bool) -> PoolManager:
        """Find or make the connections for an address: by whose certificates are trusted, by proxy, and where they may end."""
        parts = urlsplit(url)
        key: Path | str | None = _PLAIN
        if parts.scheme != "http":
            key = self._settings.of(parts.netloc.lower()).certificate or self._settings.certificate
        proxy = _proxy_of(parts.scheme, parts.netloc)
        with self._lock:
            found = self._pools.get((key, proxy, outside))
            if found is None:
                # A pool for plain http never sees TLS: its certificates need not be read, which takes long.
                context = None if isinstance(key, str) else tls_context(key)
                found = self._pools[key, proxy, outside] = _make_pool(proxy, context, outside=outside)
            return found


def _make_pool(proxy: str, context: ssl.SSLContext | None, *, outside: bool) -> PoolManager:
    from urllib3 import PoolManager, ProxyManager, make_headers

    if not proxy:
        made = PoolManager(maxsize=_CONNECTIONS, ssl_context=context)
        if outside:
            made.pool_classes_by_scheme = _outside_pools()
        return made
    # Where a proxy connects to is the proxy's to say.
    parts = urlsplit(proxy)
    user = f"{unquote(parts.username or '')}:{unquote(parts.password or '')}" if parts.username else None
    return ProxyManager(
        redact(proxy), proxy_headers=make_headers(proxy_basic_auth=user), maxsize=_CONNECTIONS, ssl_context=context
    )


@functools.cache
def _outside_pools() -> dict[str, type[HTTPConnectionPool]]:
    """Make pools whose connections do not end in this machine: the address is looked at that a name has led to."""
    from urllib3 import HTTPConnectionPool, HTTPSConnectionPool
    from urllib3.connection import HTTPConnection, HTTPSConnection

    class Outside(HTTPConnection):
        def _new_conn(self) -> socket.socket:
            made = super()._new_conn()
            address = str(made.getpeername()[0])
            if is_inside(address):
                made.close()
                what = f"it leads to {self.host}, which is {address}, into this machine"
                raise TransportError(what, url=f"//{self.host}", temporary=False)
            return made

    class OutsideTls(Outside, HTTPSConnection):
        pass

    class Pool(HTTPConnectionPool):
        ConnectionCls = Outside

    class TlsPool(HTTPSConnectionPool):
        ConnectionCls = OutsideTls

    return {"http": Pool, "https": TlsPool}


def _proxy_of(scheme: str, host: str) -> str:
    """Read which proxy the environment names for a host; empty for none."""
    if not any(name.lower().endswith("_proxy") for name in os.environ):
        return ""
    # Late: its import takes as long as a small push.
    from urllib.request import getproxies, proxy_bypass

    proxies = getproxies()
    named = proxies.get(scheme) or proxies.get("all") or ""
    if not named or proxy_bypass(host):
        return ""
    return named if "://" in named else f"http://{named}"


def _give_back(answer: BaseHTTPResponse) -> None:
    """Keep a connection whose answer was read to its end; close any other: what is left of it may be endless."""
    if answer.length_remaining == 0:
        answer.drain_conn()
    if not answer.closed:
        answer.close()
    answer.release_conn()


class _Answer:
    """An answer of urllib3 as Response."""

    def __init__(self, answer: BaseHTTPResponse, url: str) -> None:
        self._answer = answer
        self.url = redact(url)
        self.status = answer.status
        # One that stands several times is joined by commas: a registry may offer each way in by a header of its own.
        self.headers: Mapping[str, str] = {name.lower(): value for name, value in answer.headers.itermerged()}

    def chunks(self) -> Iterator[bytes]:
        from urllib3.exceptions import HTTPError

        try:
            # As much as has come, and no waiting for more: who drips must not outlast the deadline.
            while chunk := self._answer.read1(_CHUNK, decode_content=False):
                yield chunk
        except (HTTPError, OSError) as error:
            raise _translate(error, self.url) from error


def _translate(error: Exception, url: str) -> TransportError:
    from urllib3 import exceptions as known

    permanent = (known.LocationValueError, known.InvalidHeader, UnicodeError)
    unreached = isinstance(
        error, (known.NewConnectionError, known.ConnectTimeoutError, known.ProxyError, known.SSLError)
    )
    text = _say(error)
    temporary = not isinstance(error, permanent) and "CERTIFICATE_VERIFY_FAILED" not in text
    return TransportError(text, url=url, temporary=temporary, unreached=unreached)


def _say(error: BaseException) -> str:
    """Say what the system said, in place of the names of objects that it was handed up through."""
    deepest = error
    while (below := deepest.__cause__ or deepest.__context__) is not None and isinstance(below, (OSError, ValueError)):
        deepest = below
    return str(deepest) or type(deepest).__name__
