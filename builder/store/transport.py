"""GET over http, https and file: the only place that opens a connection to an index, a mirror or an archive.

Rules:
- `Accept-Encoding: identity`, and bytes are handed on as they came: nothing is inflated behind our back.
- Redirects are followed by us, at most five, to http and https only, never from https down to http, and credentials stay
  with the host they were configured for.
- Addresses in messages carry no credentials.
- Proxies come from the environment, as curl and pip have them; certificates from the settings, else the system's.
"""

from __future__ import annotations

import base64
import contextlib
import functools
import os
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from io import BufferedReader
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, Self
from urllib.parse import unquote, urljoin, urlsplit, urlunsplit

from builder.errors import FetchError

if TYPE_CHECKING:
    import ssl

    import httpx

MAX_REDIRECTS = 5
_CHUNK = 1 << 16
_REDIRECTS = {301, 302, 303, 307, 308}
_PORTS = {"http": 80, "https": 443}


class TransportError(FetchError):
    """No answer, or one that broke off.

    Args:
        message: what happened.
        url: where; shown without credentials and query.
        temporary: another try may go well.
        unreached: no connection came about.
    """

    def __init__(self, message: str, *, url: str, temporary: bool, unreached: bool = False) -> None:
        super().__init__(message, context=shown(url))
        self.temporary = temporary
        self.unreached = unreached


class Response(Protocol):
    """An answer whose body has not been read."""

    @property
    def status(self) -> int:
        """HTTP status; 404 for a local file that is not there."""

    @property
    def headers(self) -> Mapping[str, str]:
        """Headers, with names in lower case."""

    @property
    def url(self) -> str:
        """Where the answer came from at last."""

    def chunks(self) -> Iterator[bytes]:
        """Iterate over the body as sent; raises TransportError where it breaks off."""


class Transport(Protocol):
    """What asks. Safe to use from several threads."""

    def open(self, url: str, headers: Mapping[str, str]) -> AbstractContextManager[Response]:
        """Ask for an address; raises TransportError where there is no answer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlainResponse:
    """An answer made of plain values."""

    status: int
    url: str
    headers: Mapping[str, str] = field(default_factory=dict)
    body: Iterator[bytes] = field(default_factory=lambda: iter(()))

    def chunks(self) -> Iterator[bytes]:
        """Iterate over the body; once."""
        return self.body


def redact(url: str) -> str:
    """Drop credentials from an address, to ask and to note it; of what is no address everything before the last `@`."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return url.rpartition("@")[2]
    if "@" not in parts.netloc:
        return url
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))


def shown(url: str) -> str:
    """Make an address fit for messages: without credentials, and with its query left out, since tokens stand in queries."""
    plain = redact(url).partition("#")[0]
    head, question, _ = plain.partition("?")
    return f"{head}?***" if question else plain


def origin(url: str) -> tuple[str, str, int]:
    """Tell scheme, host and port: who credentials belong to.

    Raises:
        TransportError: it is no address: indexes and redirects may say anything.
    """
    try:
        parts = urlsplit(url)
        return parts.scheme, parts.hostname or "", parts.port or _PORTS.get(parts.scheme, 0)
    except ValueError as error:
        raise TransportError(f"not an address: {error}", url=url, temporary=False) from error


def credentials_of(urls: Sequence[str]) -> dict[tuple[str, str, int], str]:
    """Collect the user and password written in addresses, as Authorization headers by origin."""
    return {origin(url): found for url in urls if (found := _authorization(url))}


def _authorization(url: str) -> str | None:
    parts = urlsplit(url)
    if not parts.username and not parts.password:
        return None
    pair = f"{unquote(parts.username or '')}:{unquote(parts.password or '')}"
    return "Basic " + base64.b64encode(pair.encode()).decode()


_CONNECTIONS = 4
"""Kept by a client: an index and the few places that its files lie in."""


class HttpTransport:
    """A Transport over httpx, with connections kept alive; file: addresses are read from disk.

    Args:
        credentials: Authorization headers by origin, as `credentials_of` gives them.
        certificates: a file of certificate authorities in place of the system's.
        trusted_hosts: hosts, with or without port, whose certificates are not checked: pip's `trusted-host`.
        timeout_s: the longest silence while connecting or between two chunks.
    """

    def __init__(
        self,
        *,
        credentials: Mapping[tuple[str, str, int], str] | None = None,
        certificates: Path | None = None,
        trusted_hosts: Sequence[str] = (),
        timeout_s: float = 30.0,
    ) -> None:
        self._credentials = dict(credentials or {})
        self._certificates = certificates
        self._trusted_hosts = frozenset(trusted_hosts)
        self._timeout_s = timeout_s
        # Each question borrows a client of its own, lately used ones first: those who share one wait for each other.
        self._free: dict[bool, list[httpx.Client]] = {True: [], False: []}
        self._closed = False
        self._contexts: dict[bool, ssl.SSLContext | bool] = {True: False}
        self._making = threading.Lock()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        with self._making:
            self._closed = True
            free = [client for clients in self._free.values() for client in clients]
            for clients in self._free.values():
                clients.clear()
        # A client in use is closed by who borrowed it: to close it here would leave a connection that is just being made.
        for client in free:
            client.close()

    @contextlib.contextmanager
    def open(self, url: str, headers: Mapping[str, str]) -> Iterator[Response]:
        """Ask for an address, following redirects."""
        if origin(url)[0] == "file":
            with _open_file(url, headers) as response:
                yield response
            return
        for _ in range(MAX_REDIRECTS + 1):
            with self._request(url, headers) as response:
                target = response.headers.get("location")
                if response.status not in _REDIRECTS or target is None:
                    yield response
                    return
                url = redirected(url, target)
        raise TransportError(f"more than {MAX_REDIRECTS} redirects", url=url, temporary=False)

    @contextlib.contextmanager
    def _request(self, url: str, headers: Mapping[str, str]) -> Iterator[Response]:
        import httpx

        _, host, port = origin(url)
        trusted = not self._trusted_hosts.isdisjoint({host, f"{host}:{port}"})
        sent = {"accept-encoding": "identity", **headers}
        if authorization := _authorization(url) or self._credentials.get(origin(url)) or _from_netrc(url):
            sent["authorization"] = authorization
        with self._borrowed(url, trusted=trusted) as client:
            try:
                request = client.build_request("GET", redact(url), headers=sent)
                answer = client.send(request, stream=True, follow_redirects=False, auth=None)
            except (httpx.TransportError, httpx.InvalidURL, OSError) as error:
                raise _translate(error, url) from error
            try:
                yield _HttpResponse(answer, url)
            finally:
                answer.close()

    @contextlib.contextmanager
    def _borrowed(self, url: str, *, trusted: bool) -> Iterator[httpx.Client]:
        """Take a client for one question; certificates are read when the first is made: it takes long, and often nobody asks."""
        with self._making:
            if self._closed:
                raise TransportError("nothing is asked any more", url=url, temporary=False)
            free = self._free[trusted]
            if not free and trusted not in self._contexts:
                self._contexts[trusted] = tls_context(self._certificates)
            client = free.pop() if free else self._make_client(verify=self._contexts[trusted])
        try:
            yield client
        finally:
            self._give_back(client, trusted=trusted)

    def _give_back(self, client: httpx.Client, *, trusted: bool) -> None:
        with self._making:
            closed = self._closed
            if not closed:
                self._free[trusted].append(client)
        if closed:
            client.close()

    def _make_client(self, verify: ssl.SSLContext | bool) -> httpx.Client:  # noqa: FBT001  httpx's own parameter
        import httpx

        from builder import __version__

        return httpx.Client(
            headers={"user-agent": f"airflow-kubler/{__version__}"},
            verify=verify,
            timeout=httpx.Timeout(self._timeout_s),
            limits=httpx.Limits(max_connections=_CONNECTIONS, max_keepalive_connections=_CONNECTIONS),
            follow_redirects=False,
        )


class _HttpResponse:
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

    permanent = (httpx.UnsupportedProtocol, httpx.InvalidURL)
    text = str(error) or type(error).__name__
    unreached = isinstance(error, (httpx.ConnectError, httpx.ConnectTimeout, httpx.ProxyError))
    return TransportError(text, url=url, temporary=not isinstance(error, permanent), unreached=unreached)


def redirected(url: str, target: str) -> str:
    """Find where a redirect leads, and refuse what it must not lead to."""
    try:
        following = urljoin(redact(url), target)
    except ValueError as error:
        raise TransportError(f"a redirect leads to no address: {error}", url=url, temporary=False) from error
    scheme, _, _ = origin(following)
    if scheme not in _PORTS:
        raise TransportError(f"a redirect leads to {scheme}:, not to http or https", url=url, temporary=False)
    if scheme == "http" and urlsplit(url).scheme == "https":
        raise TransportError("a redirect leads from https to http", url=url, temporary=False)
    # Credentials written into a redirect by a server are not the user's: they are dropped with the rest.
    following = redact(following)
    if origin(following) == origin(url) and (kept := urlsplit(url).netloc.rpartition("@")[0]):
        parts = urlsplit(following)
        return urlunsplit(parts._replace(netloc=f"{kept}@{parts.netloc}"))
    return following


def _from_netrc(url: str) -> str | None:
    """Look a host up in the user's netrc file, as curl, pip and uv do."""
    place = Path(os.environ.get("NETRC") or Path("~/.netrc").expanduser())
    try:
        found = _read_netrc(place, place.stat().st_mtime_ns).get(urlsplit(url).hostname or "")
    except OSError:
        return None
    if found is None:
        return None
    return "Basic " + base64.b64encode(f"{found[0]}:{found[2]}".encode()).decode()


@functools.lru_cache(maxsize=4)
def _read_netrc(place: Path, changed_at: int) -> Mapping[str, tuple[str, str, str]]:
    """Read a netrc file, by host; once for each time that it was changed at."""
    import netrc

    del changed_at
    try:
        return netrc.netrc(str(place)).hosts
    except netrc.NetrcParseError:
        return {}


def tls_context(certificates: Path | None) -> ssl.SSLContext:
    """Make what certificates are checked with: a file or folder of authorities, else the system's, else certifi's."""
    import ssl

    if certificates is not None:
        if certificates.is_dir():
            return ssl.create_default_context(capath=str(certificates))
        return ssl.create_default_context(cafile=str(certificates))
    paths = ssl.get_default_verify_paths()
    if paths.cafile or (paths.capath and any(Path(paths.capath).iterdir())):
        return ssl.create_default_context()
    import certifi

    return ssl.create_default_context(cafile=certifi.where())


@contextlib.contextmanager
def _open_file(url: str, headers: Mapping[str, str]) -> Iterator[PlainResponse]:
    parts = urlsplit(url)
    if parts.netloc not in {"", "localhost"}:
        raise TransportError("a file: address names another host", url=url, temporary=False)
    path = Path(unquote(parts.path))
    if not path.is_file():
        yield PlainResponse(status=404, url=url)
        return
    try:
        handle = path.open("rb")
    except OSError as error:
        raise TransportError(error.strerror or str(error), url=url, temporary=False) from error
    # Apart from opening: errors of whoever reads the answer must not look like ours.
    with handle:
        yield _answer_from(handle, url, headers.get("range", ""))


def _answer_from(handle: BufferedReader, url: str, wanted: str) -> PlainResponse:
    """Answer as a server would, also to `Range: bytes=N-`."""
    size = os.fstat(handle.fileno()).st_size
    start = min(size, int(wanted.removeprefix("bytes=").removesuffix("-") or 0))
    handle.seek(start)
    headers = {"content-length": str(size - start)}
    if start:
        headers["content-range"] = f"bytes {start}-{size - 1}/{size}"
    return PlainResponse(
        status=206 if start else 200, url=url, headers=headers, body=iter(lambda: handle.read(_CHUNK), b"")
    )
