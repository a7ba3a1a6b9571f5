"""The ledger for workers that share no file of it: entries read and appended, documents read. Each question needs a token.

GET  /v1/me                             who the token says that one is
POST /v1/entries                        append; each entry has a key, under which it counts once
GET  /v1/entries?first=&limit=          entries by number, as they are kept
GET  /v1/marks/entries?name=&value=     entries that have a mark, the newest first; kind=, before=, limit=
GET  /v1/marks/values?name=&prefix=     values of a mark
GET  /v1/documents/{digest}             a document
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Final

import msgspec
from starlette.responses import Response
from starlette.routing import Route

from builder.digest import Digest
from builder.errors import InvalidInputError, LedgerError
from builder.ledger.entry import Actor, canonical_bytes
from builder.ledger.identity import identity_of, identity_of_entry
from builder.policy.rules import TOKEN
from builder.service.wire import LARGEST_PAGE, MOST_ENTRIES, Append, Entries, Me, Values, parse, receive_entry
from builder.web.guard import Guard
from builder.web.problem import ProblemError
from builder.web.tokens import READ, right_for

if TYPE_CHECKING:
    from starlette.requests import Request

    from builder.ledger.entry import Entry
    from builder.ledger.model import Ledger, NewEntry
    from builder.web.desk import Desk
    from builder.web.tokens import Client

_MOST_WORDS: Final = 300
"""Characters of what a client says of itself."""


class Writing:
    """Answers for one ledger.

    Args:
        writer: the ledger, open for writing.
        reader: the same, for reading beside it.
        guard: reads bodies.
        appended: called after an append.
    """

    def __init__(self, writer: Desk, reader: Desk, guard: Guard, appended: Callable[[], None]) -> None:
        self._writer = writer
        self._reader = reader
        self._guard = guard
        self._appended = appended

    @staticmethod
    async def me(request: Request, client: Client) -> Response:
        """Say who asks."""
        del request
        return json_response(Me(name=client.name, method=TOKEN, may=sorted(client.may)))

    async def append(self, request: Request, client: Client) -> Response:
        """Append entries."""
        body = await self._guard.read_body(request)
        entries = await self._writer.ask(lambda ledger: _append(ledger, body, client))
        self._appended()
        return _entries(entries, len(entries))

    async def entries(self, request: Request, client: Client) -> Response:
        """List entries by number."""
        del client
        first, limit = _number(request, "first", 0), _limit(request)
        return await self._reader.ask(lambda ledger: _entries(ledger.entries(first, first + limit), limit))

    async def marked(self, request: Request, client: Client) -> Response:
        """List entries that have a mark."""
        del client
        asked, limit = request.query_params, _limit(request)
        before = _number(request, "before", 0) if "before" in asked else None
        name, value, kinds = asked.get("name", ""), asked.get("value", ""), asked.getlist("kind")[:_MOST_WORDS]
        return await self._reader.ask(
            lambda ledger: _entries(ledger.find(name, value, kinds=kinds, before=before, limit=limit), limit)
        )

    async def values(self, request: Request, client: Client) -> Response:
        """List the values of a mark."""
        del client
        asked = request.query_params
        limit = _number(request, "limit", 0) if "limit" in asked else None
        name, prefix = asked.get("name", ""), asked.get("prefix", "")
        return json_response(
            Values(values=list(await self._reader.ask(lambda ledger: ledger.values(name, prefix, limit))))
        )

    async def document(self, request: Request, client: Client) -> Response:
        """Give a document."""
        del client
        digest = Digest.parse(request.path_params["digest"])
        found = await self._reader.ask(lambda ledger: ledger.document(digest))
        if found is None:
            raise ProblemError(404, "the ledger has no such document")
        return Response(found, media_type="application/octet-stream")


def writing_routes(writer: Desk, reader: Desk, guard: Guard, appended: Callable[[], None]) -> list[Route]:
    """List the addresses."""
    writing = Writing(writer, reader, guard, appended)
    return [
        Route("/v1/me", guard("", writing.me)),
        Route("/v1/entries", guard("", writing.append), methods=["POST"]),
        Route("/v1/entries", guard(READ, writing.entries)),
        Route("/v1/marks/entries", guard(READ, writing.marked)),
        Route("/v1/marks/values", guard(READ, writing.values)),
        Route("/v1/documents/{digest}", guard(READ, writing.document)),
    ]


def json_response(value: msgspec.Struct) -> Response:
    """Answer with JSON."""
    return Response(msgspec.json.encode(value), media_type="application/json")


def _append(ledger: Ledger, body: bytes, client: Client) -> Sequence[Entry]:
    asked = parse(body, Append, "an append")
    if not 0 < len(asked.entries) <= MOST_ENTRIES:
        raise ProblemError(422, f"1 to {MOST_ENTRIES} entries can be appended at a time")
    for right in sorted({right_for(one.kind) for one in asked.entries} - client.may):
        raise ProblemError(403, f"the token of {client.name} is not for {right}")
    actor = Actor(
        name=client.name,
        method=TOKEN,
        host=asked.host[:_MOST_WORDS],
        run=asked.run[:_MOST_WORDS],
        program=asked.program[:_MOST_WORDS],
    )
    entries = _receive(asked)
    if asked.size is not None and (known := _all_known(ledger, entries)):
        # They moved the ledger themselves: the answer was lost, and it is asked again.
        return known
    try:
        return ledger.append(entries, actor, size=asked.size)
    except LedgerError as error:
        raise ProblemError(400, error.message) from error


def _all_known(ledger: Ledger, entries: Sequence[NewEntry]) -> tuple[Entry, ...]:
    """Find what was appended before by the same keys, and tells the same; nothing where any of it was not."""
    found = [
        entry
        for one in entries
        for entry in ledger.find("key", one.key, limit=1)
        if identity_of_entry(entry) == identity_of(one.event)
    ]
    return tuple(found) if len(found) == len(entries) else ()


def _receive(asked: Append) -> list[NewEntry]:
    try:
        return [receive_entry(one) for one in asked.entries]
    except LedgerError as error:
        raise InvalidInputError(error.message) from error


def _entries(entries: Iterable[Entry], limit: int) -> Response:
    """Answer with entries, no more bytes of them than a page has; the first is always there."""
    lines: list[str] = []
    size = 0
    for entry in entries:
        line = canonical_bytes(entry).decode()
        if lines and size + len(line) > LARGEST_PAGE:
            return json_response(Entries(entries=lines, more=True))
        lines.append(line)
        size += len(line)
    return json_response(Entries(entries=lines, more=len(lines) >= limit))


def _number(request: Request, name: str, preset: int) -> int:
    text = request.query_params.get(name, str(preset))
    with contextlib.suppress(ValueError):
        if text.isascii() and text.isdigit() and len(text) < 16:
            return int(text)
    raise ProblemError(400, f"{name} is a number")


def _limit(request: Request) -> int:
    return min(_number(request, "limit", MOST_ENTRIES), MOST_ENTRIES)
