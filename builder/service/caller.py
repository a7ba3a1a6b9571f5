"""Asks a ledger's service until it answers: over one client, with the token, again where an answer is lost.

Everything that is asked may be asked twice: reads by their nature, appends by their keys, lines of a journal and files by what they
say. So silence, resets and 5xx are tried again, and nothing else. Redirects are not followed: the token is for whom the address names.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol, Self
from urllib.parse import urlsplit

from builder.errors import LedgerUnavailableError
from builder.service.address import TOKEN_VARIABLE
from builder.service.wire import title_of
from builder.store.patience import TEMPORARY_STATUS, Patience, retry_after

if TYPE_CHECKING:
    import httpx

FOR_PEOPLE: Final = Patience(tries=6, first_pause_s=0.2, longest_pause_s=4.0, deadline_s=15.0)
FOR_WORKERS: Final = Patience(tries=100, first_pause_s=0.2, longest_pause_s=10.0, deadline_s=300.0)
"""A service that is started anew, or moved to another machine, is away for a minute or two."""
_SILENCE_S: Final = 60.0
_MOST_ANSWER: Final = 256 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """One question to the service."""

    method: str
    path: str
    """As `/v1/head`."""
    parameters: tuple[tuple[str, str], ...] = ()
    body: bytes | None = None
    """Bytes of a file; JSON where `is_json`."""
    is_json: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """What the service answered, below 500."""

    status: int
    body: bytes

    @property
    def title(self) -> str:
        """Say what it says is wrong."""
        return title_of(self.body) or f"answered {self.status}"


class Caller(Protocol):
    """Asks a service."""

    url: str

    def ask(self, question: Question) -> Reply:
        """Ask; raises LedgerUnavailableError where no answer comes, or the service does not know who asks."""


class HttpCaller:
    """A Caller over httpx.

    Args:
        url: of the service.
        token: that it knows the client by; empty for none.
        patience: how long to go on asking.
    """

    def __init__(self, url: str, token: str, patience: Patience = FOR_PEOPLE) -> None:
        self.url = url
        self._token = token
        self._patience = patience
        self._client: httpx.Client | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._client is not None:
            self._client.close()

    def ask(self, question: Question) -> Reply:
        """Ask until there is an answer."""
        patience = self._patience
        deadline = patience.now() + patience.deadline_s
        problem = ""
        for number in range(patience.tries):
            reply, problem, after_s = self._try(question)
            if reply is not None:
                return self._judge(reply)
            pause = (
                after_s if after_s is not None else min(patience.first_pause_s * 2**number, patience.longest_pause_s)
            )
            if number + 1 == patience.tries or patience.now() + pause > deadline:
                break
            patience.pause(pause)
        raise LedgerUnavailableError(problem, context=self.url, hint="is the service running, and reached from here?")

    def _try(self, question: Question) -> tuple[Reply | None, str, float | None]:
        """Ask once; returns an answer, or what was wrong and how long the service wants to be left alone."""
        import httpx

        kind = "application/json" if question.is_json else "application/octet-stream"
        headers = {"content-type": kind} if question.body is not None else {}
        try:
            with self._made().stream(
                question.method,
                f"{self.url}{question.path}",
                params=list(question.parameters),
                content=question.body,
                headers=headers,
            ) as response:
                body = _read(response)
        except (httpx.InvalidURL, httpx.UnsupportedProtocol, httpx.LocalProtocolError) as error:
            # Its text may repeat what was sent.
            raise LedgerUnavailableError(f"cannot be asked: {type(error).__name__}", context=self.url) from None
        except httpx.HTTPError as error:
            if "certificate verify failed" in str(error).lower():
                raise LedgerUnavailableError(
                    f"nobody vouches for it: {error}",
                    context=self.url,
                    hint="name the file of your authorities in SSL_CERT_FILE",
                ) from error
            return None, f"does not answer: {str(error) or type(error).__name__}", None
        if response.status_code in TEMPORARY_STATUS:
            told: Mapping[str, str] = {name.lower(): text for name, text in response.headers.items()}
            said = title_of(body)
            problem = f"answers {response.status_code}{f': {said}' if said else ''}"
            return None, problem, retry_after(told, self._patience.wall())
        return Reply(status=response.status_code, body=body), "", None

    def _judge(self, reply: Reply) -> Reply:
        if reply.status == 401:
            hint = f"put a token that the service knows into {TOKEN_VARIABLE}"
            raise LedgerUnavailableError(reply.title, context=self.url, hint=hint)
        if reply.status == 403:
            hint = "who runs the service says what a token may, in its file of tokens"
            raise LedgerUnavailableError(reply.title, context=self.url, hint=hint)
        if 300 <= reply.status < 400 or reply.status == 405:
            raise LedgerUnavailableError(
                f"answered {reply.status}: it is no service that writes",
                context=self.url,
                hint="airflow-kubler serve --tokens FILE",
            )
        return reply

    def _made(self) -> httpx.Client:
        import httpx

        from builder import __version__
        from builder.store.transport import tls_context

        if self._client is None:
            headers = {"user-agent": f"airflow-kubler/{__version__}"}
            if self._token:
                headers["authorization"] = f"Bearer {self._token}"
            is_https = urlsplit(self.url).scheme == "https"
            self._client = httpx.Client(
                headers=headers,
                verify=tls_context(None) if is_https else False,
                timeout=httpx.Timeout(_SILENCE_S),
                follow_redirects=False,
                # A token for loopback is no proxy's business, and netrc's is not the service's.
                trust_env=is_https,
            )
        return self._client


def _read(response: httpx.Response) -> bytes:
    """Read an answer of a size that can be."""
    found = bytearray()
    for chunk in response.iter_bytes():
        found += chunk
        if len(found) > _MOST_ANSWER:
            raise LedgerUnavailableError(f"answers more than {_MOST_ANSWER} bytes", context=str(response.url))
    return bytes(found)
