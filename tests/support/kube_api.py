"""A small Kubernetes API on the loopback: lists in pages that expire, refusals, faults on demand, and exec by websocket.

It answers the official client and, since it says what kinds it has, a real kubectl.
"""

from __future__ import annotations

import base64
import hashlib
import json
import struct
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self
from urllib.parse import parse_qs, urlsplit

TOKEN: Final = "a-token"  # noqa: S105 - good for this API alone
_WEBSOCKET: Final = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
_RESOURCES: Final = {"pods": "Pod", "configmaps": "ConfigMap", "jobs": "Job"}
_CLOSE: Final = 255
"""Of v5.channel.k8s.io: the next byte says which stream ends."""


@dataclass(frozen=True, kw_only=True)
class Fault:
    """What goes wrong with one answer; where nothing is said, it is the true one, bent."""

    status: int = 0
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes | None = None
    stop_after: int | None = None
    """Break off after so many bytes."""
    pause_s: float = 0.0
    """Before each hundred bytes."""


@dataclass(frozen=True, kw_only=True)
class Said:
    """What a command in a container says."""

    stdout: bytes = b""
    stderr: bytes = b""
    code: int | None = 0
    """None to break off without a status."""


class SmallKubeApi:
    """An API in this process: set `objects`, `faults`, `forbidden` and `exec` as it runs.

    Args:
        objects: what it has, of any kind.
        expire_after: pages of one list after which its state is forgotten, each time anew.
    """

    def __init__(self, objects: Sequence[Mapping[str, Any]] = (), *, expire_after: int | None = None) -> None:
        self.objects = list(objects)
        self.expire_after = expire_after
        self.faults: list[Fault | None] = []
        """For the answers to come, one by one."""
        self.forbidden: set[str] = set()
        """Plurals of kinds, and namespaces."""
        self.anonymous = False
        """Let everybody in: kubectl sends no token without TLS."""
        self.asked: list[str] = []
        self.exec: Callable[[str, str, Sequence[str]], Said] = lambda _pod, _container, _command: Said()
        self.stdin = b""
        """What came with the last command."""
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
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def kubeconfig(self, folder: Path, *, token: str = TOKEN, context: str = "production") -> Path:
        """Write a kubeconfig that leads here."""
        path = folder / "kubeconfig"
        config = {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": context,
            "clusters": [{"name": "here", "cluster": {"server": self.url}}],
            "users": [{"name": "me", "user": {"token": token}}],
            "contexts": [{"name": name, "context": {"cluster": "here", "user": "me"}} for name in (context, "another")],
        }
        path.write_text(json.dumps(config))
        return path

    def pages(self, plural: str = "pods") -> int:
        """Count the questions for a list."""
        return sum(urlsplit(path).path.endswith(f"/{plural}") for path in self.asked)

    def answer(self, path: str, query: Mapping[str, list[str]]) -> tuple[int, dict[str, Any]]:
        """Find the true answer."""
        parts = [part for part in path.split("/") if part]
        if (known := _discovery("/".join(parts))) is not None:
            return 200, known
        if parts[-2:-1] == ["pods"]:
            found = [one for one in self.objects if one["kind"] == "Pod" and one["metadata"]["name"] == parts[-1]]
            return (200, dict(found[0])) if found else (404, status(404, "NotFound", f'pods "{parts[-1]}" not found'))
        parts = parts[2:] if parts[0] == "api" else parts[3:]
        namespace = parts[1] if parts[:1] == ["namespaces"] else ""
        plural = parts[-1] if parts else ""
        if plural not in _RESOURCES:
            return 404, status(404, "NotFound", "the server could not find the requested resource")
        if {plural, namespace} & self.forbidden:
            who = f'User "me" cannot list resource "{plural}" in the namespace "{namespace}"'
            return 403, status(403, "Forbidden", f"{plural} is forbidden: {who}")
        mine = [
            one for one in self.objects if one.get("kind") == _RESOURCES[plural] and namespace in {"", _namespace(one)}
        ]
        return self._page(_RESOURCES[plural], mine, query)

    def _page(
        self, kind: str, objects: Sequence[Mapping[str, Any]], query: Mapping[str, list[str]]
    ) -> tuple[int, dict[str, Any]]:
        limit, token = int(query.get("limit", ["0"])[0]), query.get("continue", [""])[0]
        start, page = (int(part) for part in token.split(".")) if token else (0, 0)
        if self.expire_after is not None and page >= self.expire_after:
            said = status(410, "Expired", "The provided continue parameter is too old")
            return 410, said | {"metadata": {"continue": token}}
        end = start + limit if limit else len(objects)
        # Items of a list do not say what they are.
        items = [{name: value for name, value in one.items() if name not in {"kind", "apiVersion"}} for one in objects]
        metadata: dict[str, Any] = {"resourceVersion": "12345"}
        if end < len(objects):
            metadata |= {"continue": f"{end}.{page + 1}", "remainingItemCount": len(objects) - end}
        return 200, {"kind": f"{kind}List", "apiVersion": "v1", "metadata": metadata, "items": items[start:end]}


def _discovery(path: str) -> dict[str, Any] | None:
    """Say what kinds there are."""
    verbs = {"namespaced": True, "verbs": ["get", "list"]}
    rows = [{"name": name, "singularName": kind.lower(), "kind": kind, **verbs} for name, kind in _RESOURCES.items()]
    rows.append(
        {
            "name": "pods/exec",
            "singularName": "",
            "kind": "PodExecOptions",
            "namespaced": True,
            "verbs": ["create", "get"],
        }
    )
    batch = {"groupVersion": "batch/v1", "version": "v1"}
    known: dict[str, dict[str, Any]] = {
        "api": {"kind": "APIVersions", "versions": ["v1"]},
        "apis": {
            "kind": "APIGroupList",
            "apiVersion": "v1",
            "groups": [{"name": "batch", "versions": [batch], "preferredVersion": batch}],
        },
        "api/v1": {
            "kind": "APIResourceList",
            "groupVersion": "v1",
            "resources": [row for row in rows if row["kind"] != "Job"],
        },
        "apis/batch/v1": {"kind": "APIResourceList", "groupVersion": "batch/v1", "resources": [rows[2]]},
    }
    return known.get(path)


def status(code: int, reason: str, message: str) -> dict[str, Any]:
    """Make a Status."""
    return {
        "kind": "Status",
        "apiVersion": "v1",
        "status": "Failure",
        "message": message,
        "reason": reason,
        "code": code,
    }


def _namespace(value: Mapping[str, Any]) -> object:
    metadata = value.get("metadata")
    return metadata.get("namespace") if isinstance(metadata, dict) else None


def _handler_of(api: SmallKubeApi) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            api.asked.append(self.path)
            parts = urlsplit(self.path)
            query = parse_qs(parts.query)
            fault = (api.faults.pop(0) if api.faults else None) or Fault()
            code, value = api.answer(parts.path, query)
            if not api.anonymous and self.headers.get("authorization") != f"Bearer {TOKEN}":
                code, value = 401, status(401, "Unauthorized", "Unauthorized")
            elif parts.path.endswith("/exec") and not fault.status:
                _exec(self, api, parts.path.split("/")[-2], query)
                return
            body = json.dumps(value).encode() if fault.body is None else fault.body
            self.send_response(fault.status or code)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(body)))
            for name, text in fault.headers.items():
                self.send_header(name, text)
            self.end_headers()
            _send(self, body, fault)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    return Handler


def _send(handler: BaseHTTPRequestHandler, body: bytes, fault: Fault) -> None:
    sent = body if fault.stop_after is None else body[: fault.stop_after]
    try:
        for offset in range(0, len(sent), 100 if fault.pause_s else len(sent)):
            time.sleep(fault.pause_s)
            handler.wfile.write(sent[offset : offset + 100] if fault.pause_s else sent)
            handler.wfile.flush()
    except OSError:
        handler.close_connection = True
    if fault.stop_after is not None:
        handler.close_connection = True


def _exec(handler: BaseHTTPRequestHandler, api: SmallKubeApi, pod: str, query: Mapping[str, list[str]]) -> None:
    """Speak v4 or v5.channel.k8s.io: the first byte of a frame says which stream it is of."""
    if pod in api.forbidden:
        handler.send_response(403)
        handler.send_header("content-length", "0")
        handler.end_headers()
        return
    offered = handler.headers["sec-websocket-protocol"].replace(" ", "").split(",")
    key = handler.headers["sec-websocket-key"] + _WEBSOCKET
    handler.send_response(101)
    handler.send_header("upgrade", "websocket")
    handler.send_header("connection", "Upgrade")
    handler.send_header("sec-websocket-accept", base64.b64encode(hashlib.sha1(key.encode()).digest()).decode())  # noqa: S324
    handler.send_header("sec-websocket-protocol", next(one for one in offered if one.endswith("channel.k8s.io")))
    handler.end_headers()
    api.stdin = _read_stdin(handler) if query.get("stdin") == ["true"] else b""
    said = api.exec(pod, query.get("container", [""])[0], query.get("command", []))
    for offset in range(0, len(said.stdout), 1000):
        handler.wfile.write(_frame(b"\x01" + said.stdout[offset : offset + 1000]))
    if said.stderr:
        handler.wfile.write(_frame(b"\x02" + said.stderr))
    if said.code is not None:
        failed = status(500, "NonZeroExitCode", f"command terminated with exit code {said.code}")
        failed |= {"details": {"causes": [{"reason": "ExitCode", "message": str(said.code)}]}}
        handler.wfile.write(_frame(b"\x03" + json.dumps(failed if said.code else {"status": "Success"}).encode()))
        handler.wfile.write(_frame(struct.pack(">H", 1000), opcode=8))
    handler.close_connection = True


def _read_stdin(handler: BaseHTTPRequestHandler) -> bytes:
    """Read what comes for a command until its end is told."""
    found = b""
    while True:
        head = handler.rfile.read(2)
        size = head[1] & 0x7F
        size = struct.unpack(">H", handler.rfile.read(2))[0] if size == 126 else size
        size = struct.unpack(">Q", handler.rfile.read(8))[0] if size == 127 else size
        mask = handler.rfile.read(4)
        data = bytes(byte ^ mask[index % 4] for index, byte in enumerate(handler.rfile.read(size)))
        if data[:2] == bytes((_CLOSE, 0)) or head[0] & 0x0F == 8:
            return found
        found += data[1:] if data[:1] == b"\0" else b""


def _frame(payload: bytes, *, opcode: int = 2) -> bytes:
    size = len(payload)
    head = bytes((0x80 | opcode, size)) if size < 126 else bytes((0x80 | opcode, 126)) + struct.pack(">H", size)
    return head + payload
