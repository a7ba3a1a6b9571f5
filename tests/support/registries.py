"""A small registry on the loopback with the referrers API, mounts, resumable uploads and, on demand, faults and tokens."""

from __future__ import annotations

import contextlib
import hashlib
import json
import re
import socket
import struct
import subprocess
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import parse_qs, urlsplit

from builder.oci import media
from tests.support.tools import registry as docker_registry
from tests.support.tools import require_tool, said_port, started


@dataclass(frozen=True, kw_only=True)
class Asked:
    """A question that came."""

    method: str
    path: str
    query: Mapping[str, list[str]]
    headers: Mapping[str, str]


@dataclass(frozen=True, kw_only=True)
class Fault:
    """What goes wrong with one answer: a status of its own, or the true answer bent."""

    status: int = 0
    """0 for the true answer."""
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    stop_after: int | None = None
    """Break off after so many bytes of the body."""
    reset_reading: int | None = None
    """Reset the connection after reading so many bytes of what is sent; they are kept."""
    flip: bool = False
    """Turn one bit of the body over."""
    pause_s: float = 0.0


@dataclass(kw_only=True)
class _State:
    blobs: dict[tuple[str, str], bytes] = field(default_factory=dict)
    manifests: dict[tuple[str, str], tuple[bytes, str]] = field(default_factory=dict)
    tags: dict[tuple[str, str], str] = field(default_factory=dict)
    uploads: dict[str, bytes] = field(default_factory=dict)


class SmallRegistry:
    """A registry in this process.

    Args:
        referrers: it has the API.
        fault: asked at each question, before it is answered.
    """

    def __init__(self, *, referrers: bool = True, fault: Callable[[Asked], Fault | None] = lambda _: None) -> None:
        self.referrers = referrers
        self.fault = fault
        self.asked: list[Asked] = []
        self.state = _State()
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
    def host(self) -> str:
        return f"127.0.0.1:{self._server.server_address[1]}"

    def count(self, method: str, part: str) -> int:
        return sum(asked.method == method and part in asked.path for asked in self.asked)


def once(*faults: Fault, method: str, part: str) -> Callable[[Asked], Fault | None]:
    """Bend the first answers to a kind of question, one after the other."""
    left = list(faults)
    lock = threading.Lock()

    def fault(asked: Asked) -> Fault | None:
        with lock:
            return left.pop(0) if left and asked.method == method and part in asked.path else None

    return fault


def always(given: Fault, *, method: str, part: str) -> Callable[[Asked], Fault | None]:
    """Bend every answer to a kind of question."""
    return lambda asked: given if asked.method == method and part in asked.path else None


def _handler_of(registry: SmallRegistry) -> type[BaseHTTPRequestHandler]:
    class Handler(_Handler):
        small = registry

    return Handler


class _Handler(BaseHTTPRequestHandler):
    small: SmallRegistry
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    bent: Fault | None = None

    def log_message(self, *_: object) -> None:
        """Say nothing."""

    def answer(self, status: int, body: bytes = b"", **headers: str) -> None:
        bent = self.bent or Fault()
        if bent.flip and body:
            body = body[: len(body) // 2] + bytes([body[len(body) // 2] ^ 1]) + body[len(body) // 2 + 1 :]
        self.send_response(bent.status or status)
        body = bent.body if bent.status else body
        shown = {"Content-Length": str(len(body)), **headers, **bent.headers}
        for name, value in shown.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        if self.command == "HEAD":
            return
        with contextlib.suppress(OSError):
            self.wfile.write(body if bent.stop_after is None else body[: bent.stop_after])
        if bent.stop_after is not None:
            self.close_connection = True

    def body(self) -> bytes | None:
        if self.headers.get("Transfer-Encoding") == "chunked":
            return self.chunked()
        size = int(self.headers.get("Content-Length") or 0)
        limit = self.bent.reset_reading if self.bent else None
        if limit is None:
            return self.rfile.read(size)
        self.kept = self.rfile.read(min(limit, size))
        return None

    def chunked(self) -> bytes:
        data = b""
        while size := int(self.rfile.readline().partition(b";")[0], 16):
            data += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return data

    def drop(self) -> None:
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.connection.close()
        self.close_connection = True

    def _any(self) -> None:
        parts = urlsplit(self.path)
        asked = Asked(
            method=self.command,
            path=parts.path,
            query=parse_qs(parts.query),
            headers={name.lower(): value for name, value in self.headers.items()},
        )
        self.small.asked.append(asked)
        self.bent = self.small.fault(asked)
        if self.bent and self.bent.pause_s:
            time.sleep(self.bent.pause_s)
        if self.bent and self.bent.status:
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
            self.answer(self.bent.status)
            return
        match = re.fullmatch(r"/v2/(?P<repo>.+?)/(?P<kind>manifests|blobs|referrers|tags)/(?P<name>.*)", parts.path)
        if match is None:
            self.answer(200 if parts.path.rstrip("/") == "/v2" else 404)
            return
        getattr(self, f"_{match['kind']}")(match["repo"], match["name"], asked)

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = _any  # noqa: N815  http.server's names

    def _tags(self, repo: str, _: str, asked: Asked) -> None:
        names = sorted(tag for where, tag in self.small.state.tags if where == repo)
        # Two a page, so that pages are walked through.
        last = asked.query.get("last", [""])[0]
        page = [name for name in names if name > last][:2]
        more = {"Link": f'</v2/{repo}/tags/list?last={page[-1]}>; rel="next"'} if page and page[-1] != names[-1] else {}
        self.answer(200 if names else 404, json.dumps({"name": repo, "tags": page}).encode(), **more)

    def _referrers(self, repo: str, digest: str, _: Asked) -> None:
        if not self.small.referrers:
            self.answer(404)
            return
        found = []
        for (where, own), (data, kind) in self.small.state.manifests.items():
            value: dict[str, Any] = json.loads(data)
            if where == repo and value.get("subject", {}).get("digest") == digest:
                artifact = value.get("artifactType") or value["config"]["mediaType"]
                found.append({"mediaType": kind, "digest": own, "size": len(data), "artifactType": artifact})
        body = json.dumps({"schemaVersion": 2, "mediaType": media.INDEX, "manifests": found}).encode()
        self.answer(200, body, Content_Type=media.INDEX)

    def _manifests(self, repo: str, name: str, asked: Asked) -> None:
        state = self.small.state
        if asked.method == "PUT":
            data = self.body() or b""
            digest = "sha256:" + hashlib.sha256(data).hexdigest()
            state.manifests[repo, digest] = (data, asked.headers["content-type"])
            if not name.startswith("sha256:"):
                state.tags[repo, name] = digest
            subject = json.loads(data).get("subject")
            more = {"OCI_Subject": subject["digest"]} if subject and self.small.referrers else {}
            self.answer(201, Docker_Content_Digest=digest, Location=self.path, **more)
            return
        digest = state.tags.get((repo, name), name)
        if (repo, digest) not in state.manifests:
            self.answer(404, b'{"errors":[{"code":"MANIFEST_UNKNOWN","message":"no such manifest"}]}')
        elif asked.method == "DELETE":
            del state.manifests[repo, digest]
            self.answer(202)
        else:
            data, kind = state.manifests[repo, digest]
            self.answer(200, data, Content_Type=kind, Docker_Content_Digest=digest)

    def _blobs(self, repo: str, name: str, asked: Asked) -> None:
        if name.startswith("uploads/"):
            self._uploads(repo, name.removeprefix("uploads/"), asked)
            return
        data = self.small.state.blobs.get((repo, name))
        if data is None:
            self.answer(404)
            return
        begin = int(asked.headers.get("range", "bytes=0-").removeprefix("bytes=").removesuffix("-"))
        more = {"Content_Range": f"bytes {begin}-{len(data) - 1}/{len(data)}"} if begin else {}
        self.answer(206 if begin else 200, data[begin:], **more)

    def _uploads(self, repo: str, name: str, asked: Asked) -> None:
        state = self.small.state
        if asked.method == "POST":
            mount, origin = asked.query.get("mount", [""])[0], asked.query.get("from", [""])[0]
            if (origin, mount) in state.blobs:
                state.blobs[repo, mount] = state.blobs[origin, mount]
                self.answer(201, Location=f"/v2/{repo}/blobs/{mount}")
                return
            name = uuid.uuid4().hex
            state.uploads[name] = b""
            self.answer(202, Location=f"/v2/{repo}/blobs/uploads/{name}?_state=x%2By", Range="0-0")
            return
        if name not in state.uploads:
            self.answer(404, b'{"errors":[{"code":"BLOB_UPLOAD_UNKNOWN"}]}')
            return
        last = max(0, len(state.uploads[name]) - 1)
        if asked.method == "GET":
            self.answer(204, Location=self.path, Range=f"0-{last}")
        elif asked.method == "DELETE":
            del state.uploads[name]
            self.answer(204)
        else:
            self._receive(repo, name, asked)

    def _receive(self, repo: str, name: str, asked: Asked) -> None:
        state = self.small.state
        given = asked.headers.get("content-range", "")
        if given and int(given.partition("-")[0]) != len(state.uploads[name]):
            self.body()
            self.answer(416)
            return
        data = self.body()
        if data is None:
            state.uploads[name] += self.kept
            self.drop()
            return
        state.uploads[name] += data
        if asked.method == "PATCH":
            self.answer(202, Location=self.path, Range=f"0-{max(0, len(state.uploads[name]) - 1)}")
            return
        whole = state.uploads.pop(name)
        digest = asked.query["digest"][0]
        if digest != "sha256:" + hashlib.sha256(whole).hexdigest():
            self.answer(400, b'{"errors":[{"code":"DIGEST_INVALID","message":"no match"}]}')
            return
        state.blobs[repo, digest] = whole
        self.answer(201, Docker_Content_Digest=digest, Location=f"/v2/{repo}/blobs/{digest}")


@contextlib.contextmanager
def crane_registry(log: Path) -> Iterator[str]:
    """Serve crane's registry; gives its host."""
    with started([require_tool("crane"), "registry", "serve", "--address", "127.0.0.1:0"], log) as process:
        yield f"127.0.0.1:{said_port(process, log)}"


def skopeo(*argv: str | Path) -> str:
    """Run skopeo."""
    done = subprocess.run(
        [require_tool("skopeo"), *map(str, argv)], capture_output=True, text=True, check=False, timeout=120
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


KINDS = ("small", "small-without-referrers", "docker-registry", "crane")
"""What `any_registry` serves."""


@contextlib.contextmanager
def any_registry(kind: str, folder: Path) -> Iterator[str]:
    """Serve one of the registries; gives its host."""
    if kind == "docker-registry":
        with docker_registry(folder) as served:
            yield served.host
    elif kind == "crane":
        with crane_registry(folder / "crane.log") as host:
            yield host
    else:
        with SmallRegistry(referrers=kind == "small") as small:
            yield small.host
