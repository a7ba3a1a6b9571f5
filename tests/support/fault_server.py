"""A loopback HTTP server that misbehaves on demand: each path has a list of answers, given one by one."""

from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Self


@dataclass(frozen=True, kw_only=True)
class Answer:
    """One answer of the server."""

    body: bytes = b""
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    length: int | None = None
    """Content-Length to claim, None for the true one."""
    without_length: bool = False
    """End the body by closing the connection."""
    stop_after: int | None = None
    """Break the connection off after so many bytes."""
    reset: bool = False
    """Break off by a reset, not by an orderly end."""
    pause_s: float = 0.0
    """Before each chunk of 64 KiB."""
    ranges: bool = True
    """Honour Range."""


@dataclass(frozen=True, kw_only=True)
class Request:
    """What was asked."""

    path: str
    headers: Mapping[str, str]
    body: bytes = b""


class FaultServer:
    """Serves the answers given; the last one of a path is given again and again."""

    def __init__(self) -> None:
        self.requests: list[Request] = []
        self._answers: dict[str, list[Answer]] = {}
        self._lock = threading.Lock()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler_of(self))
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    @property
    def port(self) -> int:
        return int(self._server.server_address[1])

    def url(self, path: str, *, host: str = "127.0.0.1", user: str = "") -> str:
        return f"http://{user and user + '@'}{host}:{self.port}{path}"

    def on(self, path: str, *answers: Answer) -> str:
        self._answers[path] = list(answers)
        return self.url(path)

    def asked(self, path: str) -> list[Request]:
        return [request for request in self.requests if request.path == path]

    def next_answer(self, request: Request) -> Answer:
        with self._lock:
            self.requests.append(request)
            answers = self._answers.get(request.path, [Answer(status=404)])
            return answers.pop(0) if len(answers) > 1 else answers[0]


def _handler_of(server: FaultServer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            headers = {name.lower(): value for name, value in self.headers.items()}
            answer = server.next_answer(Request(path=self.path, headers=headers))
            _give(self, answer, headers.get("range", "") if answer.ranges else "")

        def do_POST(self) -> None:
            headers = {name.lower(): value for name, value in self.headers.items()}
            body = self.rfile.read(int(headers.get("content-length", "0")))
            _give(self, server.next_answer(Request(path=self.path, headers=headers, body=body)), "")

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    return Handler


def _give(handler: BaseHTTPRequestHandler, answer: Answer, wanted: str) -> None:
    start = int(wanted.removeprefix("bytes=").removesuffix("-") or 0)
    body = answer.body[start:]
    status = 206 if start and answer.status == 200 else answer.status
    handler.send_response(status)
    if not answer.without_length:
        handler.send_header("content-length", str(len(body) if answer.length is None else answer.length))
    if status == 206:
        handler.send_header("content-range", f"bytes {start}-{len(answer.body) - 1}/{len(answer.body)}")
    for name, value in answer.headers.items():
        handler.send_header(name, value)
    handler.end_headers()
    try:
        _send(handler, answer, body if answer.stop_after is None else body[: answer.stop_after])
    except OSError:
        handler.close_connection = True


def _send(handler: BaseHTTPRequestHandler, answer: Answer, body: bytes) -> None:
    pauses = threading.Event()
    for offset in range(0, len(body), 1 << 16):
        if answer.pause_s:
            pauses.wait(answer.pause_s)
        handler.wfile.write(body[offset : offset + (1 << 16)])
        handler.wfile.flush()
    broken = answer.stop_after is not None or (answer.length is not None and answer.length != len(body))
    if answer.reset:
        handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        handler.connection.close()
    if broken or answer.reset or answer.without_length:
        handler.close_connection = True
