"""docker-registry over TLS, with certificates of an authority made for the test, passwords and a token service."""

from __future__ import annotations

import base64
import contextlib
import json
import ssl
import subprocess
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.parse import parse_qs, urlsplit

from tests.support.tools import require_tool, run_tool, said_port, started

USER = "someone"
SECRET = "hunter2-not-to-be-seen"  # noqa: S105  nobody's
HTPASSWD = f"{USER}:$2y$05$abcdefghijklmnopqrstuuLDo2XDwFzVtJXTXwz48SuDtMS43b4RO\n"
"""The secret by bcrypt, the only form that docker-registry takes."""
BASIC = "Basic " + base64.b64encode(f"{USER}:{SECRET}".encode()).decode()
SERVICE = "a registry"


@dataclass(frozen=True, slots=True, kw_only=True)
class Certificate:
    """A certificate and its key."""

    file: Path
    key: Path


def make_authority(folder: Path, name: str) -> Certificate:
    """Make an authority."""
    made = Certificate(file=folder / f"{name}.pem", key=folder / f"{name}.key")
    openssl = require_tool("openssl")
    usage = ("-addext", "keyUsage=critical,keyCertSign,digitalSignature")
    names = ("-subj", f"/CN={name}", "-out", made.file, "-keyout", made.key)
    run_tool(openssl, "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", *usage, *names)
    return made


def make_certificate(authority: Certificate, name: str, *, alternative: str, days: int = 2) -> Certificate:
    """Make a server's certificate.

    Args:
        authority: who signs it.
        name: of the files.
        alternative: what it is for, as `IP:127.0.0.1`.
        days: it holds; below 0 it is over.
    """
    folder, openssl = authority.file.parent, require_tool("openssl")
    made = Certificate(file=folder / f"{name}.pem", key=folder / f"{name}.key")
    request, more = folder / f"{name}.csr", folder / f"{name}.ext"
    more.write_text(
        f"subjectAltName={alternative}\nbasicConstraints=critical,CA:FALSE\nkeyUsage=critical,digitalSignature\n"
        "subjectKeyIdentifier=hash\nauthorityKeyIdentifier=keyid\n"
    )
    run_tool(
        openssl, "req", "-newkey", "rsa:2048", "-nodes", "-subj", f"/CN={name}", "-out", request, "-keyout", made.key
    )
    signed_by = ("-CA", authority.file, "-CAkey", authority.key, "-CAcreateserial")
    run_tool(
        openssl, "x509", "-req", "-in", request, *signed_by, "-days", str(days), "-extfile", more, "-out", made.file
    )
    return made


@dataclass(frozen=True, slots=True, kw_only=True)
class SecureRegistry:
    """A docker-registry over TLS."""

    port: int
    log: Path

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self.port}"

    @property
    def was_asked(self) -> bool:
        """Something came through TLS."""
        return "/v2/" in self.log.read_text()


@contextlib.contextmanager
def secure_registry(folder: Path, certificate: Certificate, auth: str = "") -> Iterator[SecureRegistry]:
    """Serve a docker-registry over TLS.

    Args:
        folder: for its data.
        certificate: its own.
        auth: how one logs in, as the value of `auth` in its configuration.
    """
    program = require_tool("docker-registry")
    number = len(list(folder.glob("secure-*.yml")))
    config, log = folder / f"secure-{number}.yml", folder / f"secure-{number}.log"
    config.write_text(
        f"version: 0.1\nstorage: {{filesystem: {{rootdirectory: {folder}/secure}}}}\nlog: {{level: info}}\n"
        f"http: {{addr: '127.0.0.1:0', tls: {{certificate: {certificate.file}, key: {certificate.key}}}}}\n"
        + (f"auth: {auth}\n" if auth else "")
    )
    with started([program, "serve", str(config)], log) as process:
        yield SecureRegistry(port=said_port(process, log), log=log)


class TokenService:
    """Signs what is asked for, to who knows the secret.

    Args:
        server: its certificate for TLS.
        signer: what tokens are signed with.
    """

    def __init__(self, server: Certificate, signer: Certificate) -> None:
        self.asked: list[tuple[dict[str, list[str]], str]] = []
        """The query and the Authorization header."""
        self._signer = signer
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler_of(self))
        self._server.daemon_threads = True
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(server.file, server.key)
        self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
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
        port: int = self._server.server_address[1]
        return port

    def auth(self, name: str = "127.0.0.1") -> str:
        """Write what a docker-registry's configuration says of this service."""
        return (
            f"{{token: {{realm: 'https://{name}:{self.port}/token', service: '{SERVICE}', issuer: tests, "
            f"rootcertbundle: {self._signer.file}}}}}"
        )

    def token(self, scopes: list[str]) -> str:
        """Sign a token for scopes, as `repository:a:pull,push`."""
        certificate = self._signer.file.read_text().partition("-----\n")[2].partition("\n-----")[0].replace("\n", "")
        access = []
        for scope in scopes:
            kind, name, actions = scope.split(":")
            access.append({"type": kind, "name": name, "actions": actions.split(",")})
        now = int(time.time())
        claims = {
            "iss": "tests",
            "sub": USER,
            "aud": SERVICE,
            "jti": str(len(self.asked)),
            "access": access,
            "nbf": now - 60,
            "iat": now,
            "exp": now + 300,
        }
        head = {"typ": "JWT", "alg": "RS256", "x5c": [certificate]}
        signed = f"{_packed(json.dumps(head).encode())}.{_packed(json.dumps(claims).encode())}"
        argv = [require_tool("openssl"), "dgst", "-sha256", "-sign", str(self._signer.key)]
        return (
            f"{signed}.{_packed(subprocess.run(argv, input=signed.encode(), capture_output=True, check=True).stdout)}"
        )


def _packed(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def _handler_of(service: TokenService) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            """Say nothing."""

        def do_GET(self) -> None:
            query, given = parse_qs(urlsplit(self.path).query), self.headers.get("Authorization", "")
            service.asked.append((query, given))
            right = given == BASIC
            body = json.dumps({"token": service.token(query.get("scope", []))} if right else {"errors": []}).encode()
            self.send_response(200 if right else 401)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    return Handler
