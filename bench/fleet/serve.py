"""A simple index on the loopback that answers 304 to who knows a page: what a night asks a thousand times."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import ClassVar

JSON_TYPE = "application/vnd.pypi.simple.v1+json"


@dataclass(kw_only=True)
class Pages:
    """What is served, and how often it was asked for."""

    bodies: dict[str, bytes]
    url: str = ""
    asked: int = 0
    tags: dict[str, str] = field(default_factory=dict)

    def put(self, pages: Mapping[str, bytes]) -> None:
        """Serve these, too."""
        self.bodies.update(pages)
        self.tags.update((project, f'"{hashlib.sha256(body).hexdigest()}"') for project, body in pages.items())


@contextmanager
def serve(pages: Mapping[str, bytes]) -> Iterator[Pages]:
    """Serve pages on a free port."""
    held = Pages(bodies={})
    held.put(pages)
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"pages": held}))
    held.url = f"http://127.0.0.1:{server.server_address[1]}/simple"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield held
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _Handler(BaseHTTPRequestHandler):
    pages: ClassVar[Pages]
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1

    def do_GET(self) -> None:
        project = self.path.strip("/").rpartition("/")[2]
        self.pages.asked += 1
        body, tag = self.pages.bodies.get(project), self.pages.tags.get(project, "")
        if body is None:
            self._answer(404, b"", "")
        elif self.headers.get("if-none-match") == tag:
            self._answer(304, b"", tag)
        else:
            self._answer(200, body, tag)

    def _answer(self, status: int, body: bytes, tag: str) -> None:
        head = f"HTTP/1.1 {status} -\r\ncontent-type: {JSON_TYPE}\r\ncontent-length: {len(body)}\r\netag: {tag}\r\n\r\n"
        self.wfile.write(head.encode() + body)
        self.wfile.flush()
