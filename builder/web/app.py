"""The addresses under which a ledger answers everybody: all of them read, none needs a token.

    GET /v1/stacks                                    stacks with what their channels stand for
    GET /v1/stacks/{stack}                            one of them
    GET /v1/stacks/{stack}/channels/{channel}         what a channel stands for
        If-None-Match: ETAG                           304 while it is the same
        ?wait=SECONDS with If-None-Match              answers when it is another, or 304 after so long
        Accept: text/event-stream                     an event now, and one for each move
    GET /v1/events                                    moves of all channels, as events
    GET /v1/images/{digest}                           the build of an image
    GET /v1/head                                      the ledger's head, a checkpoint
    GET /openapi.json  /healthz  /readyz

Those that write, and what only workers read, need a token: writing.py, nights.py. Errors are of application/problem+json (RFC 9457).
"""

from __future__ import annotations

import contextlib
import hashlib
import re
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Any, Final

import msgspec
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route

from builder.canonical import dump_json
from builder.errors import BuilderError
from builder.ledger.entry import Entry
from builder.ledger.events import Promoted
from builder.ledger.model import LedgerReader
from builder.ledger.queries import channels_of, find_image
from builder.stack.names import is_name
from builder.web.desk import Desk
from builder.web.feed import Feed
from builder.web.guard import Guard
from builder.web.nights import KeptNights, night_routes
from builder.web.openapi import describe
from builder.web.problem import ProblemError
from builder.web.tokens import WRITE, Tokens
from builder.web.writing import writing_routes

LONGEST_WAIT_S: Final = 300.0
HEARTBEAT_S: Final = 15.0
"""Between two signs of life on a stream: proxies close what is silent."""

_DIGEST: Final = re.compile(r"sha256:[0-9a-f]{64}\Z")
_EVENTS: Final = "text/event-stream"

Answer = Callable[[LedgerReader, str, str], "dict[str, Any] | None"]
"""Given stack and channel, says what the channel stands for; None where it has never been moved."""


class Api:
    """Answers questions to one ledger.

    Args:
        feed: over the ledger.
        answer: says what a channel stands for.
    """

    def __init__(self, feed: Feed, answer: Answer) -> None:
        self._feed = feed
        self._answer = answer
        self._kept: dict[tuple[str, str], tuple[bytes, str] | None] = {}
        self._kept_version = -1

    @property
    def _ledger(self) -> LedgerReader:
        return self._feed.ledger

    def _channel(self, stack: str, channel: str) -> tuple[bytes, str] | None:
        """Say what a channel stands for, and the tag of that answer; kept until the ledger changes."""
        if self._kept_version != self._feed.version:
            self._kept.clear()
            self._kept_version = self._feed.version
        if (stack, channel) not in self._kept:
            if len(self._kept) > 100_000:
                # Of names that nobody has, a scanner asks without end.
                self._kept.clear()
            value = self._answer(self._ledger, stack, channel)
            body = None if value is None else dump_json(value)
            self._kept[stack, channel] = None if body is None else (body, f'"{hashlib.sha256(body).hexdigest()[:32]}"')
        return self._kept[stack, channel]

    async def channel(self, request: Request) -> Response:
        """Answer for one channel, at once, when it moves, or as a stream."""
        stack, channel = _names(request)
        if _EVENTS in request.headers.get("accept", ""):
            return self._stream(request, stack, channel)
        known = _tags(request.headers.get("if-none-match", ""))
        wait_s = _wait(request)
        version = self._feed.version
        found = self._channel(stack, channel)
        if wait_s and (found is None or found[1] in known):
            found = await self._another(stack, channel, known, version, wait_s)
        if found is None:
            raise ProblemError(404, f"the channel {channel} of {stack} has never been moved")
        body, tag = found
        headers = {"etag": tag, "cache-control": "no-cache"}
        if tag in known or "*" in known:
            return Response(status_code=304, headers=headers)
        return Response(body + b"\n", media_type="application/json", headers=headers)

    async def _another(
        self, stack: str, channel: str, known: frozenset[str], version: int, wait_s: float
    ) -> tuple[bytes, str] | None:
        """Wait until a channel's answer is none of the known ones."""
        deadline = time.monotonic() + wait_s
        found = self._channel(stack, channel)
        while (left := deadline - time.monotonic()) > 0:
            if not await self._feed.wait(version, left):
                break
            version = self._feed.version
            found = self._channel(stack, channel)
            if found is not None and found[1] not in known:
                break
        return found

    def _stream(self, request: Request, stack: str, channel: str) -> Response:
        return _streaming(self._events(_last_id(request), stack, channel))

    async def events(self, request: Request) -> Response:
        """Stream the moves of all channels."""
        return _streaming(self._events(_last_id(request), "", ""))

    async def _events(self, last: int | None, stack: str, channel: str) -> AsyncIterator[bytes]:
        """Give an event for each move after the last one that the client saw; without one, first what stands now."""
        version = self._feed.version
        if last is None:
            states = [state for state in channels_of(self._ledger, stack) if channel in ("", state.channel)]
            entries = sorted((state.entry for state in states), key=lambda entry: entry.number)
            last = self._ledger.head().size - 1
        else:
            entries = self._moves(last, stack, channel)
        yield b"retry: 1000\n\n"
        while True:
            for entry in entries:
                yield self._event(entry)
                last = max(last, entry.number)
            while not await self._feed.wait(version, HEARTBEAT_S):
                yield b": alive\n\n"
            version = self._feed.version
            entries = self._moves(last, stack, channel)

    def _moves(self, last: int, stack: str, channel: str) -> list[Entry]:
        """List promotions after an entry, the oldest first."""
        mark, value = ("channel", f"{stack} {channel}") if stack else ("kind", Promoted.kind)
        found: list[Entry] = []
        for entry in self._ledger.find(mark, value, kinds=(Promoted.kind,), limit=1000):
            if entry.number <= last:
                break
            found.append(entry)
        return found[::-1]

    def _event(self, entry: Entry) -> bytes:
        stack, channel = entry.data["stack"], entry.data["channel"]
        value = self._answer(self._ledger, stack, channel) or {}
        head = f"id: {entry.number}\nevent: channel\n"
        return head.encode() + b"data: " + dump_json(value) + b"\n\n"

    async def stacks(self, request: Request) -> Response:
        """List stacks with their channels."""
        del request
        found: dict[str, dict[str, Any]] = {name: {} for name in self._ledger.values("stack")}
        for state in channels_of(self._ledger):
            found.setdefault(state.stack, {})[state.channel] = {"digest": state.digest, "since": state.entry.moment}
        return JSONResponse({"stacks": [{"stack": name, "channels": found[name]} for name in sorted(found)]})

    async def stack(self, request: Request) -> Response:
        """Say what the channels of one stack stand for."""
        stack, _ = _names(request)
        states = channels_of(self._ledger, stack)
        if not states and stack not in self._ledger.values("stack", stack, limit=1):
            raise ProblemError(404, f"the ledger knows no stack {stack}")
        channels = {state.channel: {"digest": state.digest, "since": state.entry.moment} for state in states}
        return JSONResponse({"stack": stack, "channels": channels})

    async def image(self, request: Request) -> Response:
        """Say what is known of an image."""
        digest = request.path_params["digest"]
        if not _DIGEST.match(digest):
            raise ProblemError(400, "not a digest: write it as sha256:<64 hexadecimal characters>")
        found = find_image(self._ledger, digest)
        if found is None:
            raise ProblemError(404, f"no build of {digest} is recorded")
        value = {"entry": found.entry.number, "time": found.entry.moment, **msgspec.to_builtins(found.built)}
        return JSONResponse(value)

    async def head(self, request: Request) -> Response:
        """Give the ledger's head."""
        del request
        return PlainTextResponse(self._ledger.head().text)

    async def ready(self, request: Request) -> Response:
        """Tell whether the ledger can be read."""
        del request
        return JSONResponse({"entries": self._ledger.head().size})


@dataclass(frozen=True, kw_only=True)
class Workers:
    """What workers share by way of the service."""

    writer: Desk
    """The ledger, open for writing."""
    reader: Desk
    nights: KeptNights
    tokens: Callable[[], Tokens]
    """As they stand: one that is taken out is known no more."""


def make_app(feed: Feed, answer: Answer, workers: Workers | None = None) -> Starlette:
    """Make the application; without workers it only reads."""
    api = Api(feed, answer)

    async def described(request: Request) -> Response:
        del request
        return JSONResponse(describe())

    async def alive(request: Request) -> Response:
        del request
        return PlainTextResponse("alive\n")

    @contextlib.asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        del app
        async with feed.watching():
            yield

    routes = [
        Route("/v1/stacks", api.stacks),
        Route("/v1/stacks/{stack}", api.stack),
        Route("/v1/stacks/{stack}/channels/{channel}", api.channel),
        Route("/v1/events", api.events),
        Route("/v1/images/{digest}", api.image),
        Route("/v1/head", api.head),
        Route("/openapi.json", described),
        Route("/healthz", alive),
        Route("/readyz", api.ready),
        *_worker_routes(workers, feed),
    ]
    handlers: Any = {ProblemError: _tell_problem, BuilderError: _tell_trouble, 404: _tell_http, 405: _tell_http}
    return Starlette(routes=routes, exception_handlers=handlers, lifespan=lifespan)


def _worker_routes(workers: Workers | None, feed: Feed) -> list[Route]:
    if workers is None:
        refuse = Guard(None)(WRITE, _never)
        return [
            Route(path, refuse, methods=["GET", "POST", "PUT", "DELETE"])
            for path in (
                "/v1/me",
                "/v1/entries",
                "/v1/marks/{_}",
                "/v1/documents/{_}",
                "/v1/nights",
                "/v1/nights/{_:path}",
            )
        ]
    guard = Guard(workers.tokens)
    return [
        *writing_routes(workers.writer, workers.reader, guard, feed.look),
        *night_routes(workers.nights, guard),
    ]


async def _never(request: Request, client: object) -> Response:
    raise NotImplementedError(request, client)


async def _tell_problem(request: Request, error: ProblemError) -> Response:
    return _problem(request, error.status, error.title)


async def _tell_trouble(request: Request, error: BuilderError) -> Response:
    # Paths of the machine are nobody's business out there.
    return _problem(request, 503, error.message)


async def _tell_http(request: Request, error: Any) -> Response:
    return _problem(request, error.status_code, error.detail)


def _problem(request: Request, status: int, title: str) -> Response:
    del request
    value = {"type": "about:blank", "title": title, "status": status}
    headers = {"www-authenticate": "Bearer"} if status == 401 else {}
    return JSONResponse(value, status_code=status, media_type="application/problem+json", headers=headers)


def _streaming(events: AsyncIterator[bytes]) -> Response:
    headers = {"cache-control": "no-store", "x-accel-buffering": "no"}
    return StreamingResponse(events, media_type=_EVENTS, headers=headers)


def _names(request: Request) -> tuple[str, str]:
    """Read stack and channel; raises ProblemError where one is no name."""
    names = [request.path_params.get(key, "none") for key in ("stack", "channel")]
    for name in names:
        if not is_name(name):
            raise ProblemError(404, "not a name of a stack or channel")
    return names[0], names[1]


def _wait(request: Request) -> float:
    text = request.query_params.get("wait", "0")
    try:
        seconds = float(text)
    except ValueError:
        seconds = -1.0
    if not 0 <= seconds <= LONGEST_WAIT_S:
        raise ProblemError(400, f"wait is a number of seconds, at most {LONGEST_WAIT_S:.0f}")
    return seconds


def _tags(header: str) -> frozenset[str]:
    return frozenset(tag.strip().removeprefix("W/") for tag in header.split(",") if tag.strip())


def _last_id(request: Request) -> int | None:
    text = request.headers.get("last-event-id", "")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 16 else None
