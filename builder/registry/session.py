"""A question to a registry from beginning to end: authorized, redirected, tried again, and its errors told.

Rules:
- An Authorization header goes to the registry's own scheme, host and port, and nowhere else.
- Redirects are followed for reading only, at most five.
- Wherever an answer leads, by a redirect or as the address of an upload: from a registry out there nothing leads to this
  machine or to link-local addresses, where clouds keep their secrets, by whatever spelling or name.
- Again after 408, 425, 429, 5xx, resets and silence, with growing pauses or exactly as Retry-After says; where the deadline
  comes before that, the error says so at once.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import urlsplit

from builder.oci.fields import MAX_DOCUMENT_BYTES
from builder.registry.answers import Detail, RegistryTroubleError, TooLongError, hint_of_connection, parse_details, say
from builder.registry.credentials import Credentials
from builder.registry.inside import is_inside
from builder.registry.model import Repository
from builder.registry.settings import DOCKER_HUB, RegistrySettings, is_loopback
from builder.registry.tokens import Tokens
from builder.registry.wire import Wire
from builder.store.patience import TEMPORARY_STATUS, Patience, retry_after
from builder.store.transport import MAX_REDIRECTS, Response, TransportError, origin, redirected, shown

_REDIRECTS: Final = {301, 302, 303, 307, 308}
_LARGEST_ERROR: Final = 1 << 16
_LARGEST_TOKEN: Final = 1 << 20
_SHORT_S: Final = 30
"""What a refusal or a token may take, however slowly it drips."""
_UNANSWERED_TRIES: Final = 5
_LEAST_SPEED: Final = 1 << 18
"""Bytes a second that a blob must come or go with at least, beyond the deadline of small things."""

PULL: Final = "pull"
PUSH: Final = "pull,push"
DELETE: Final = "delete,pull"


def _remote_path(repository: Repository) -> str:
    """Write a repository as its registry has it: docker.io keeps its own images below `library`."""
    hub = repository.registry == DOCKER_HUB and "/" not in repository.path
    return f"library/{repository.path}" if hub else repository.path


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One question."""

    repository: Repository
    what: str
    """The object, for errors: as `blob sha256:...`."""
    path: str = ""
    """Below the repository, as `tags/list`."""
    url: str = ""
    """In place of the path: where an answer led."""
    method: str = "GET"
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes | Callable[[], Iterator[bytes]] | None = None
    actions: str = PULL
    mount_from: Repository | None = None

    def scopes(self) -> frozenset[str]:
        """Write what a token must be good for."""
        own = f"repository:{_remote_path(self.repository)}:{self.actions}"
        return frozenset((own, f"repository:{_remote_path(self.mount_from)}:pull") if self.mount_from else (own,))

    @property
    def context(self) -> str:
        """Where it is, for errors."""
        return f"{self.repository}: {self.what}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Settled:
    """An answer read to its end."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    url: str


class Attempts:
    """How often and how long one thing is tried.

    Args:
        patience: of the user.
        size: bytes to move, which may take their time.
    """

    def __init__(self, patience: Patience, size: int = 0) -> None:
        self._patience = patience
        self._seconds = patience.deadline_s + size / _LEAST_SPEED
        self._deadline = patience.now() + self._seconds
        self._failed = 0

    def check(self, call: Call) -> None:
        """Raise where the time is over."""
        if self._patience.now() > self._deadline:
            raise RegistryTroubleError(
                f"too slow: not done after {self._seconds:.0f} s",
                registry=call.repository.registry,
                context=call.context,
            )

    def wait(self, error: RegistryTroubleError, *, progressed: bool = False) -> None:
        """Wait before another try; raises the error where there is to be none."""
        self._failed = 1 if progressed else self._failed + 1
        if not error.temporary:
            raise error
        tries = f"{error.message}, after {self._failed} tries"
        pause = min(self._patience.first_pause_s * 2.0 ** (self._failed - 1), self._patience.longest_pause_s)
        if error.after_s is not None:
            pause = error.after_s
        # Who does not answer at all may not be there; who says that he is busy is.
        most = self._patience.tries if error.status is not None else min(self._patience.tries, _UNANSWERED_TRIES)
        if self._failed >= most:
            raise _again(error, tries)
        if self._patience.now() + pause > self._deadline:
            raise _again(
                error, f"{tries}; the next in {pause:.0f} s would be past the deadline of {self._seconds:.0f} s"
            )
        self._patience.pause(pause)


def _again(error: RegistryTroubleError, message: str) -> RegistryTroubleError:
    return RegistryTroubleError(
        message,
        registry=error.registry,
        context=error.context,
        status=error.status,
        details=error.details,
        hint=error.hint,
    )


class Session:
    """Asks registries. Safe to use from several threads.

    Args:
        wire: what carries a question.
        settings: how each registry is talked to.
        credentials: of the user.
        patience: how long to go on.
    """

    def __init__(
        self, wire: Wire, settings: RegistrySettings, credentials: Credentials, patience: Patience | None = None
    ) -> None:
        self._wire = wire
        self._settings = settings
        self._tokens = Tokens(credentials, settings, self._fetch, now=(patience or Patience()).now)
        self.patience = patience or Patience()

    def attempts(self, size: int = 0) -> Attempts:
        """Begin to try something."""
        return Attempts(self.patience, size)

    @contextlib.contextmanager
    def open(self, call: Call) -> Iterator[Response]:
        """Ask once; raises RegistryTroubleError where there is no answer, here or while it is read."""
        with _told(call), self._authorized(call) as response:
            yield response

    def settled(self, call: Call, expected: Collection[int], attempts: Attempts | None = None) -> Settled:
        """Ask until there is an expected answer.

        Raises:
            RegistryTroubleError: there is another one, or none in time.
        """
        attempts = attempts or self.attempts()
        while True:
            try:
                with self.open(call) as response:
                    self.check_status(call, response, expected)
                    body = b"" if call.method == "HEAD" else self._read(call, response, attempts)
                    return Settled(status=response.status, headers=response.headers, body=body, url=response.url)
            except RegistryTroubleError as error:
                attempts.wait(error)

    def check_status(self, call: Call, response: Response, expected: Collection[int]) -> None:
        """Raise what an answer says that is not expected."""
        status = response.status
        if status in expected:
            return
        details = self._details(response) if call.method != "HEAD" else ()
        raise RegistryTroubleError(
            say(status, details),
            registry=call.repository.registry,
            context=call.context,
            status=status,
            details=details,
            temporary=status in TEMPORARY_STATUS,
            after_s=retry_after(response.headers, self.patience.wall()),
        )

    def _read(self, call: Call, response: Response, attempts: Attempts) -> bytes:
        """Read a document."""
        length = response.headers.get("content-length", "")
        data = b""
        announced = int(length) if length.isascii() and length.isdigit() else 0
        for chunk in response.chunks() if announced <= MAX_DOCUMENT_BYTES else ():
            attempts.check(call)
            data += chunk
            if len(data) > MAX_DOCUMENT_BYTES:
                break
        if max(len(data), announced) > MAX_DOCUMENT_BYTES:
            raise TooLongError(
                f"the answer is longer than {MAX_DOCUMENT_BYTES} bytes, the most that a document may have",
                registry=call.repository.registry,
                context=call.context,
                hint="it is no image, or the registry is not to be trusted",
            )
        return data

    @contextlib.contextmanager
    def _authorized(self, call: Call) -> Iterator[Response]:
        registry, scopes = call.repository.registry, call.scopes()
        header = self._tokens.header(registry, scopes)
        with self._redirected(call, header) as response:
            if response.status != 401 or origin(response.url) != self._own(call):
                yield response
                return
            asked = response.headers.get("www-authenticate", "")
            details = self._details(response)
        again = self._tokens.answer(registry, scopes, asked, header)
        if again is None:
            refused = "refuses the credentials" if header else "asks to log in"
            raise self._unauthorized(call, f"{refused}: {say(401, details)}")
        with self._redirected(call, again) as response:
            if response.status == 401:
                raise self._unauthorized(
                    call,
                    "refuses the token that it had made" if again.startswith("Bearer") else "refuses the credentials",
                )
            yield response

    def _unauthorized(self, call: Call, message: str) -> RegistryTroubleError:
        return RegistryTroubleError(message, registry=call.repository.registry, context=call.context, status=401)

    def _own(self, call: Call) -> tuple[str, str, int]:
        return origin(self._settings.address(call.repository.registry))

    @contextlib.contextmanager
    def _redirected(self, call: Call, authorization: str | None) -> Iterator[Response]:
        repository = call.repository
        url = call.url or f"{self._settings.address(repository.registry)}/v2/{_remote_path(repository)}/{call.path}"
        for _ in range(MAX_REDIRECTS + 1):
            outside = self._check_target(call, url)
            headers = dict(call.headers)
            if authorization and origin(url) == self._own(call):
                headers["authorization"] = authorization
            body = call.body() if callable(call.body) else call.body
            with self._wire.exchange(call.method, url, headers, body, outside=outside) as response:
                target = response.headers.get("location")
                if response.status not in _REDIRECTS or target is None:
                    yield response
                    return
                if call.method not in {"GET", "HEAD"}:
                    raise TransportError("it redirects what is to be written", url=url, temporary=False)
                url = redirected(url, target)
        raise TransportError(f"more than {MAX_REDIRECTS} redirects", url=url, temporary=False)

    def _check_target(self, call: Call, url: str) -> bool:
        """Refuse an address that an answer must not lead to; tells whether a name must not turn out to be one either."""
        _, host, _ = origin(url)
        if is_loopback(call.repository.registry) or host == self._own(call)[1]:
            return False
        if is_inside(host):
            raise TransportError(f"it leads to {host}, into this machine", url=url, temporary=False)
        return True

    def _details(self, response: Response) -> tuple[Detail, ...]:
        """Read what a refusal says, as far as it is worth reading."""
        try:
            return parse_details(self._read_short(response, _LARGEST_ERROR), self._tokens.hide)
        except TransportError:
            return ()

    def _read_short(self, response: Response, most: int) -> bytes:
        """Read a short text, which must come soon; raises TransportError."""
        until = self.patience.now() + _SHORT_S
        data = b""
        for chunk in response.chunks():
            data += chunk
            if len(data) > most:
                raise TransportError(f"the answer is longer than {most} bytes", url=response.url, temporary=False)
            if self.patience.now() > until:
                raise TransportError(f"too slow: not here after {_SHORT_S} s", url=response.url, temporary=True)
        return data

    def _fetch(
        self, method: str, url: str, headers: Mapping[str, str], body: bytes | None, *, outside: bool
    ) -> tuple[int, bytes]:
        with self._wire.exchange(method, url, headers, body, outside=outside) as response:
            return response.status, self._read_short(response, _LARGEST_TOKEN)


@contextlib.contextmanager
def _told(call: Call) -> Iterator[None]:
    """Tell errors of the connection as errors of the registry and the object."""
    try:
        yield
    except TransportError as error:
        registry = call.repository.registry
        elsewhere = urlsplit(error.context).netloc if "://" in error.context else ""
        at = f" (at {shown(elsewhere)})" if elsewhere and elsewhere != registry else ""
        raise RegistryTroubleError(
            f"{error.message}{at}",
            registry=registry,
            context=call.context,
            temporary=error.temporary,
            hint=hint_of_connection(error.message, elsewhere or registry),
        ) from error
