"""A package index on the loopback, and tiny wheels to put on it."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import sys
import threading
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from html import escape
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar

JSON_TYPE = "application/vnd.pypi.simple.v1+json"
UPLOADED = "2026-05-01T10:00:00.000000Z"


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """What an index says of one file besides its name and address."""

    uploaded: str | None = UPLOADED
    yanked: str | None = None
    """Why, empty for no reason; None where it is not."""
    requires_python: str | None = None
    metadata: bool = False
    """Serve its core metadata beside it, as PEP 658 has it."""
    hashed: bool = True
    sized: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class PageStyle:
    """How an index answers for one project."""

    html: bool = False
    """Answer as PEP 503: no sizes, no times."""
    etag: bool = False
    """Name the state of the page, and answer 304 to who knows it."""
    max_age_s: int | None = None
    """Say for how long the page holds."""
    status: str = ""
    """PEP 792; empty for none said."""
    status_reason: str = ""


@dataclass(slots=True, kw_only=True)
class Index:
    """What an index holds, and what it was asked for."""

    url: str = ""
    files: dict[str, dict[str, bytes]] = field(default_factory=dict)
    """By project, then by file name."""
    said: dict[str, Said] = field(default_factory=dict)
    """By file name, what is said of it; others as `Said()` has it."""
    style: PageStyle = field(default_factory=PageStyle)
    styles: dict[str, PageStyle] = field(default_factory=dict)
    """By project, in place of `style`."""
    html: bool = False
    """Answer for every project as PEP 503."""
    hashes: bool = True
    login: str = ""
    """`user:password` that is wanted; empty for none."""
    asked: list[str] = field(default_factory=list)
    """Paths, in the order asked."""
    answered: list[tuple[str, int]] = field(default_factory=list)
    """Paths and the status of each answer, in the order answered; what was refused for want of a login is left out."""

    def add(self, name: str, data: bytes, said: Said | None = None) -> None:
        """Put a file on the index, below the project that its name begins with."""
        project = name.split("-", maxsplit=1)[0].lower().replace("_", "-").replace(".", "-")
        self.files.setdefault(project, {})[name] = data
        if said is not None:
            self.said[name] = said

    def offer(self, project: str, version: str, *requires: str, said: Said | None = None) -> str:
        """Put a wheel of a project on the index, with what is said of it; returns its file name."""
        name = f"{project.replace('-', '_')}-{version}-py3-none-any.whl"
        needs_python = said.requires_python if said else None
        self.add(name, make_wheel(project, version, requires, requires_python=needs_python), said)
        return name

    def projects_asked(self) -> set[str]:
        """Name the projects whose pages were asked for, with or without success."""
        return {path.strip("/").split("/")[1] for path in self.asked if path.startswith("/simple/")}

    def forget(self) -> None:
        """Begin to count anew."""
        self.asked.clear()
        self.answered.clear()

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


def make_wheel(
    project: str,
    version: str,
    requires: Sequence[str] = (),
    *,
    tag: str = "py3-none-any",
    requires_python: str | None = None,
) -> bytes:
    """Write a wheel with one module; the same arguments give the same bytes."""
    name = project.replace("-", "_")
    info = f"{name}-{version}.dist-info"
    pure = "true" if tag.endswith("none-any") else "false"
    needs = f"Requires-Python: {requires_python}\n" if requires_python else ""
    needs += "".join(f"Requires-Dist: {text}\n" for text in requires)
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
def serve(index: Index, *, port: int = 0) -> Iterator[Index]:
    """Serve an index on the loopback, on a free port where none is named."""
    server = _Server(("127.0.0.1", port), type("Handler", (_Handler,), {"index": index}))
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


class _Server(ThreadingHTTPServer):
    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing of clients that go away in the middle: what matters is what they say."""
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    index: ClassVar[Index]
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self.index.asked.append(self.path)
        wanted = "Basic " + base64.b64encode(self.index.login.encode()).decode()
        if self.index.login and self.headers.get("authorization") != wanted:
            self._answer(401, "text/plain", b"who are you", {"www-authenticate": "Basic"})
            return
        match self.path.strip("/").split("/"):
            case ["simple", project] if project in self.index.files:
                self._page(project)
            case ["files", name] if (data := _find(self.index, name)) is not None:
                self._answer(200, "application/octet-stream", data)
            case _:
                self._answer(404, "text/plain", b"not here")

    do_HEAD = do_GET  # noqa: N815 - the base class names it

    def _page(self, project: str) -> None:
        style = self.index.styles.get(project, self.index.style)
        kind, body = _page(self.index, self.index.files[project], style)
        tag = f'"{hashlib.sha256(body).hexdigest()}"'
        headers = {"etag": tag} if style.etag else {}
        if style.max_age_s is not None:
            headers["cache-control"] = f"max-age={style.max_age_s}"
        if style.etag and tag in self.headers.get("if-none-match", ""):
            self._answer(304, kind, b"", headers)
        else:
            self._answer(200, kind, body, headers)

    def _answer(self, status: int, kind: str, body: bytes, headers: Mapping[str, str] | None = None) -> None:
        if status != 401:
            self.index.answered.append((self.path, status))
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


def _find(index: Index, name: str) -> bytes | None:
    for files in index.files.values():
        if name in files:
            return files[name]
        wheel = name.removesuffix(".metadata")
        if wheel != name and wheel in files and index.said.get(wheel, Said()).metadata:
            return _metadata_of(files[wheel])
    return None


def _metadata_of(wheel: bytes) -> bytes:
    with zipfile.ZipFile(io.BytesIO(wheel)) as archive:
        return archive.read(next(name for name in archive.namelist() if name.endswith(".dist-info/METADATA")))


def _page(index: Index, files: Mapping[str, bytes], style: PageStyle) -> tuple[str, bytes]:
    said = {name: index.said.get(name, Said()) for name in files}
    hashes = {
        name: hashlib.sha256(data).hexdigest() for name, data in files.items() if index.hashes and said[name].hashed
    }
    if index.html or style.html:
        links = "".join(_link(name, hashes.get(name), said[name]) for name in files)
        told = {"pypi:project-status": style.status, "pypi:project-status-reason": style.status_reason}
        head = "".join(f'<meta name="{name}" content="{escape(text)}">' for name, text in told.items() if text)
        return "text/html", f"<!DOCTYPE html><html><head>{head}</head><body>{links}</body></html>".encode()
    rows = [_row(name, data, hashes.get(name), said[name]) for name, data in files.items()]
    page: dict[str, object] = {"meta": {"api-version": "1.4"}, "name": "x", "versions": [], "files": rows}
    if style.status:
        reason = {"reason": style.status_reason} if style.status_reason else {}
        page["project-status"] = {"status": style.status, **reason}
    return JSON_TYPE, json.dumps(page).encode()


def _row(name: str, data: bytes, sha256: str | None, said: Said) -> dict[str, object]:
    row: dict[str, object] = {
        "filename": name,
        "url": f"../../files/{name}",
        "hashes": {"sha256": sha256} if sha256 else {},
    }
    if said.sized:
        row["size"] = len(data)
    if said.uploaded:
        row["upload-time"] = said.uploaded
    if said.yanked is not None:
        row["yanked"] = said.yanked or True
    if said.requires_python:
        row["requires-python"] = said.requires_python
    if said.metadata and name.endswith(".whl"):
        row["core-metadata"] = {"sha256": hashlib.sha256(_metadata_of(data)).hexdigest()}
    return row


def _link(name: str, sha256: str | None, said: Said) -> str:
    attributes = {
        "href": f"../../files/{name}{f'#sha256={sha256}' if sha256 else ''}",
        "data-yanked": said.yanked,
        "data-requires-python": said.requires_python,
        "data-core-metadata": "true" if said.metadata and name.endswith(".whl") else None,
    }
    text = "".join(f' {key}="{escape(value)}"' for key, value in attributes.items() if value is not None)
    return f"<a{text}>{name}</a><br>"
