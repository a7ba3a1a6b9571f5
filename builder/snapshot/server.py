"""The loopback index: what resolvers ask in place of all configured indexes.

It is an HTTP proxy, so that resolvers see one address from run to run, on whatever port, and their caches hold. It answers for
one host that does not exist, and only to who knows this run's password; the user's name in it tells which view is asked.
Pages are revalidated each time, by entity tags; metadata is named by its content and holds for ever.

Source: RFC 9110, RFC 9112; PEP 503, PEP 691, PEP 658.
"""

from __future__ import annotations

import asyncio
import base64
import hmac
import secrets
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from types import TracebackType
from typing import Self
from urllib.parse import unquote

from packaging.utils import canonicalize_name

from builder.errors import BuilderError
from builder.snapshot.view import HOST, IndexView
from builder.snapshot.world import PARALLEL

JSON_TYPE = "application/vnd.pypi.simple.v1+json"
INDEX_URL = f"http://{HOST}/simple"
_MOST_PEERS = 256
"""Connections; uv opens fifty."""
_STRANGER_S = 10.0
_MAX_HEAD = 64 << 10
"""Bytes of a request's head: resolvers send a few hundred."""
_PAGES = "max-age=0, must-revalidate"
_FOR_EVER = "max-age=31536000, immutable"


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What is sent back."""

    status: str
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""

    def encode(self, *, head_only: bool) -> bytes:
        """Write it down."""
        # A 304 has no body, and no length of one either: RFC 9110, 15.4.5.
        length = () if self.status.startswith("304") else (("content-length", str(len(self.body))),)
        lines = [f"HTTP/1.1 {self.status}", *(f"{name}: {value}" for name, value in (*self.headers, *length))]
        head = ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1", errors="replace")
        return head if head_only else head + self.body


_UNKNOWN = Answer(status="404 Not Found")


class LoopbackIndex:
    """Serves views on a free port of the loopback while the context is open.

    Args:
        stranger_s: how long a connection may be open without the password.
    """

    def __init__(self, *, stranger_s: float = _STRANGER_S) -> None:
        self.stranger_s = stranger_s
        self._password = secrets.token_urlsafe(24)
        self._views: dict[str, IndexView] = {}
        self._lock = threading.Lock()
        self._loop = asyncio.new_event_loop()
        self._workers = ThreadPoolExecutor(PARALLEL, thread_name_prefix="loopback")
        self._thread = threading.Thread(target=self._run, name="loopback-index", daemon=True)
        self._started = threading.Event()
        self._port = 0
        self._connections: set[_Connection] = set()

    def __enter__(self) -> Self:
        self._thread.start()
        self._started.wait()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._workers.shutdown(wait=False, cancel_futures=True)

    def serve(self, view: IndexView) -> str:
        """Serve a view; returns the proxy address under which resolvers find it at INDEX_URL."""
        with self._lock:
            name = f"view{len(self._views)}"
            self._views[name] = view
        return f"http://{name}:{self._password}@127.0.0.1:{self._port}"

    def view_for(self, authorization: str) -> IndexView | None:
        """Find the view that a Proxy-Authorization header names; None where name or password is unknown."""
        kind, _, value = authorization.partition(" ")
        try:
            name, _, password = base64.b64decode(value, validate=True).decode().partition(":")
        except ValueError:  # no base64, no ASCII before it, or no UTF-8 within
            return None
        if kind.lower() != "basic" or not hmac.compare_digest(password.encode(), self._password.encode()):
            return None
        return self._views.get(name)

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        server = self._loop.run_until_complete(
            self._loop.create_server(lambda: _Connection(self, self._workers, self._connections), "127.0.0.1", 0)
        )
        self._port = server.sockets[0].getsockname()[1]
        self._started.set()
        self._loop.run_forever()
        server.close()
        for connection in tuple(self._connections):
            connection.close()
        self._loop.run_until_complete(asyncio.sleep(0))
        self._loop.close()


class _Connection(asyncio.Protocol):
    """One connection: requests come one after another, as clients of a proxy send them."""

    def __init__(self, index: LoopbackIndex, workers: ThreadPoolExecutor, peers: set[_Connection]) -> None:
        self._index = index
        self._workers = workers
        self._peers = peers
        self._transport: asyncio.Transport | None = None
        self._buffer = b""
        self._busy = False
        self._deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)  # noqa: S101 - TCP gives no other
        self._transport = transport
        if len(self._peers) >= _MOST_PEERS:
            self.close()
            return
        self._peers.add(self)
        # Whoever does not know the password shall not keep a connection either.
        self._deadline = asyncio.get_running_loop().call_later(self._index.stranger_s, self.close)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio names it
        if self._deadline is not None:
            self._deadline.cancel()
        self._transport = None
        self._peers.discard(self)

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        self._next()

    def close(self) -> None:
        """End the connection."""
        if self._transport is not None:
            self._transport.abort()

    def _next(self) -> None:
        while not self._busy and b"\r\n\r\n" in self._buffer:
            head, _, self._buffer = self._buffer.partition(b"\r\n\r\n")
            self._handle(head)
        if len(self._buffer) > _MAX_HEAD:
            self.close()

    def _handle(self, head: bytes) -> None:
        method, target, headers = _parse_head(head)
        head_only = method == "HEAD"
        view = self._index.view_for(headers.get("proxy-authorization", ""))
        if view is None:
            challenge = (("proxy-authenticate", "Basic"),)
            self._send(Answer(status="407 Proxy Authentication Required", headers=challenge), head_only=head_only)
            return
        if self._deadline is not None:
            self._deadline.cancel()
        if method not in {"GET", "HEAD"} or not target.startswith(f"http://{HOST}/"):
            self._send(Answer(status="403 Forbidden"), head_only=head_only)
        else:
            path = target.removeprefix(f"http://{HOST}/").strip("/").split("/")
            self._busy = True
            loop = asyncio.get_running_loop()
            make = _make_answer(view, path, headers.get("if-none-match", ""))
            future = loop.run_in_executor(self._workers, make)
            future.add_done_callback(lambda done: self._finish(done.result(), head_only=head_only))

    def _finish(self, answer: Answer, *, head_only: bool) -> None:
        self._busy = False
        self._send(answer, head_only=head_only)
        self._next()

    def _send(self, answer: Answer, *, head_only: bool) -> None:
        if self._transport is not None:
            self._transport.write(answer.encode(head_only=head_only))


def _parse_head(head: bytes) -> tuple[str, str, dict[str, str]]:
    first, *rest = head.decode("latin-1").split("\r\n")
    method, _, remainder = first.partition(" ")
    headers: dict[str, str] = {}
    for line in rest:
        name, _, value = line.partition(":")
        headers[name.strip().lower()] = value.strip()
    return method, remainder.partition(" ")[0], headers


def _make_answer(view: IndexView, path: list[str], known_tag: str) -> Callable[[], Answer]:
    def make() -> Answer:
        try:
            return _answer(view, path, known_tag)
        except BuilderError as error:
            view.note_failure(error)
        except Exception as error:  # noqa: BLE001 - a thread of the server: it must answer, and the error must be seen
            failure = BuilderError(f"the loopback index failed: {error!r}")
            failure.__cause__ = error
            view.note_failure(failure)
        return Answer(status="502 Bad Gateway")

    return make


def _answer(view: IndexView, path: list[str], known_tag: str) -> Answer:
    match path:
        case ["simple", name] if name == canonicalize_name(name):
            return _page(view, name, known_tag)
        case ["files", project, _, name] if name.endswith(".metadata"):
            # A local version's `+` may come quoted: pip does so, uv does not.
            metadata = view.served_metadata(project, unquote(name).removesuffix(".metadata"))
            if metadata is None:
                return _UNKNOWN
            return Answer(status="200 OK", headers=(("cache-control", _FOR_EVER),), body=metadata)
        case _:
            return _UNKNOWN


def _page(view: IndexView, project: str, known_tag: str) -> Answer:
    tag = view.entity_tag(project)
    if tag is None:
        return _UNKNOWN
    headers = (("etag", tag), ("cache-control", _PAGES), ("content-type", JSON_TYPE))
    if tag in known_tag:
        return Answer(status="304 Not Modified", headers=headers)
    body = view.served_page(project)
    return Answer(status="200 OK", headers=headers, body=body) if body is not None else _UNKNOWN
