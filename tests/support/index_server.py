"""A package index on the loopback, and tiny wheels to put on it."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import threading
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

JSON_TYPE = "application/vnd.pypi.simple.v1+json"
UPLOADED = "2026-05-01T10:00:00.000000Z"


@dataclass(slots=True, kw_only=True)
class Index:
    """What an index holds, and what it was asked for."""

    url: str = ""
    files: dict[str, dict[str, bytes]] = field(default_factory=dict)
    """By project, then by file name."""
    html: bool = False
    """Answer as PEP 503: no sizes, no times."""
    hashes: bool = True
    login: str = ""
    """`user:password` that is wanted; empty for none."""
    asked: list[str] = field(default_factory=list)
    """Paths, in the order asked."""

    def add(self, name: str, data: bytes) -> None:
        """Put a file on the index, below the project that its name begins with."""
        project = name.split("-", maxsplit=1)[0].lower().replace("_", "-").replace(".", "-")
        self.files.setdefault(project, {})[name] = data

    def add_wheel(
        self, project: str, version: str, *requires: str, tag: str = "py3-none-any", sdist_only: bool = False
    ) -> bytes:
        """Put a wheel of a project on the index."""
        stem = f"{project.replace('-', '_')}-{version}"
        data = make_wheel(project, version, requires, tag=tag)
        self.add(f"{stem}.tar.gz" if sdist_only else f"{stem}-{tag}.whl", data)
        return data

    @property
    def simple(self) -> str:
        """The address of the simple index."""
        return f"{self.url}/simple"


def make_wheel(project: str, version: str, requires: Sequence[str] = (), *, tag: str = "py3-none-any") -> bytes:
    """Write a wheel with one module; the same arguments give the same bytes."""
    name = project.replace("-", "_")
    info = f"{name}-{version}.dist-info"
    pure = "true" if tag.endswith("none-any") else "false"
    needs = "".join(f"Requires-Dist: {text}\n" for text in requires)
    files = {
        f"{name}.py": f"VERSION = {version!r}\n",
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {project}\nVersion: {version}\n{needs}\n",
        f"{info}/WHEEL": f"Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: {pure}\nTag: {tag}\n",
    }
    rows = [f"{path},sha256={_record_hash(text)},{len(text.encode())}\n" for path, text in files.items()]
    files[f"{info}/RECORD"] = "".join(rows) + f"{info}/RECORD,,\n"
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for path, text in files.items():
            archive.writestr(zipfile.ZipInfo(path, (2026, 1, 1, 0, 0, 0)), text)
    return buffer.getvalue()


@contextmanager
def serve(index: Index) -> Iterator[Index]:
    """Serve an index on a free port of the loopback."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(index))
    index.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield index
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _record_hash(text: str) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).decode().rstrip("=")


def _handler(index: Index) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            index.asked.append(self.path)
            wanted = "Basic " + base64.b64encode(index.login.encode()).decode()
            if index.login and self.headers.get("authorization") != wanted:
                self._answer(401, "text/plain", b"who are you", {"www-authenticate": "Basic"})
                return
            match self.path.strip("/").split("/"):
                case ["simple", project] if project in index.files:
                    self._answer(200, *_page(index, index.files[project]))
                case ["files", name] if (data := _find(index, name)) is not None:
                    self._answer(200, "application/octet-stream", data)
                case _:
                    self._answer(404, "text/plain", b"not here")

        do_HEAD = do_GET  # noqa: N815 - the base class names it

        def _answer(self, status: int, kind: str, body: bytes, headers: Mapping[str, str] | None = None) -> None:
            self.send_response(status)
            self.send_header("content-type", kind)
            self.send_header("content-length", str(len(body)))
            for name, value in (headers or {}).items():
                self.send_header(name, value)
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class names it
            pass

    return Handler


def _find(index: Index, name: str) -> bytes | None:
    return next((files[name] for files in index.files.values() if name in files), None)


def _page(index: Index, files: Mapping[str, bytes]) -> tuple[str, bytes]:
    hashes = {name: hashlib.sha256(data).hexdigest() for name, data in files.items()} if index.hashes else {}
    if index.html:
        links = [
            f'<a href="../../files/{name}{f"#sha256={hashes[name]}" if name in hashes else ""}">{name}</a><br>'
            for name in files
        ]
        return "text/html", f"<!DOCTYPE html><html><body>{''.join(links)}</body></html>".encode()
    rows = [
        {
            "filename": name,
            "url": f"../../files/{name}",
            "hashes": {"sha256": hashes[name]} if name in hashes else {},
            "size": len(data),
            "upload-time": UPLOADED,
        }
        for name, data in files.items()
    ]
    page = {"meta": {"api-version": "1.1"}, "name": "x", "versions": [], "files": rows}
    return JSON_TYPE, json.dumps(page).encode()
