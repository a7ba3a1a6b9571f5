"""The ledger for workers that share no file of it: entries read and appended, documents read. Each question needs a token.

POST /v1/entries                        append; each entry has a key, under which it counts once
GET  /v1/entries?first=&limit=          entries by number, as they are kept
GET  /v1/marks/entries?name=&value=     entries that have a mark, the newest first; kind=, before=, limit=
GET  /v1/marks/values?name=&prefix=     values of a mark
GET  /v1/documents/{digest}             a document
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Final

import msgspec
from starlette.responses import Response
from starlette.routing import Route

from builder.digest import Digest
from builder.errors import InvalidInputError, LedgerError
from builder.ledger.entry import Actor, canonical_bytes
from builder.service.wire import MOST_ENTRIES, Append, Entries, Values, parse, receive_entry
from builder.web.guard import Guard, read_body
from builder.web.problem import ProblemError
from builder.web.tokens import READ, right_for

if TYPE_CHECKING:
    from collections.abc import Iterable

    from starlette.requests import Request

    from builder.ledger.entry import Entry
    from builder.ledger.model import Ledger, NewEntry
    from builder.web.tokens import Client

_MOST_WORDS: Final = 300
"""Characters of what a client says of itself."""


class Writing:
    """Appends to one ledger, in the thread of the event loop.

    Args:
        ledger: open for writing.
    """

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    async def append(self, request: Request, client: Client) -> Response:
        """Append entries."""
        asked = parse(await read_body(request), Append, "an append")
        if not 0 < len(asked.entries) <= MOST_ENTRIES:
            raise ProblemError(422, f"1 to {MOST_ENTRIES} entries can be appended at a time")
        for right in sorted({right_for(one.kind) for one in asked.entries} - client.may):
            raise ProblemError(403, f"the token of {client.name} is not for {right}")
        actor = Actor(
            name=client.name,
            method="token",
            host=asked.host[:_MOST_WORDS],
            run=asked.run[:_MOST_WORDS],
            program=asked.program[:_MOST_WORDS],
        )
        return _entries(self._append(_receive(asked), actor, asked.size))

    def _append(self, entries: list[NewEntry], actor: Actor, size: int | None) -> tuple[Entry, ...]:
        if size is not None and (known := self._all_known(entries)):
            # They moved the ledger themselves: the answer was lost, and it is asked again.
            return known
        try:
            return self._ledger.append(entries, actor, size=size)
        except LedgerError as error:
            raise ProblemError(422, error.message) from error

    def _all_known(self, entries: list[NewEntry]) -> tuple[Entry, ...]:
        found = [entry for one in entries for entry in self._ledger.find("key", one.key, limit=1)]
        return tuple(found) if len(found) == len(entries) else ()

    async def entries(self, request: Request, client: Client) -> Response:
        """List entries by number."""
        del client
        first, limit = _number(request, "first", 0), _limit(request)
        return _entries(self._ledger.entries(first, first + limit))

    async def marked(self, request: Request, client: Client) -> Response:
        """List entries that have a mark."""
        del client
        asked = request.query_params
        found = self._ledger.find(
            asked.get("name", ""),
            asked.get("value", ""),
            kinds=asked.getlist("kind"),
            before=_number(request, "before", 0) if "before" in asked else None,
            limit=_limit(request),
        )
        return _entries(found)

    async def values(self, request: Request, client: Client) -> Response:
        """List the values of a mark."""
        del client
        asked = request.query_params
        limit = _number(request, "limit", 0) if "limit" in asked else None
        found = self._ledger.values(asked.get("name", ""), asked.get("prefix", ""), limit)
        return json_response(Values(values=list(found)))

    async def document(self, request: Request, client: Client) -> Response:
        """Give a document."""
        del client
        found = self._ledger.document(Digest.parse(request.path_params["digest"]))
        if found is None:
            raise ProblemError(404, "the ledger has no such document")
        return Response(found, media_type="application/octet-stream")


def writing_routes(ledger: Ledger, guard: Guard) -> list[Route]:
    """List the addresses."""
    writing = Writing(ledger)
    return [
        Route("/v1/entries", guard("", writing.append), methods=["POST"]),
        Route("/v1/entries", guard(READ, writing.entries)),
        Route("/v1/marks/entries", guard(READ, writing.marked)),
        Route("/v1/marks/values", guard(READ, writing.values)),
        Route("/v1/documents/{digest}", guard(READ, writing.document)),
    ]


def json_response(value: msgspec.Struct) -> Response:
    """Answer with JSON."""
    return Response(msgspec.json.encode(value), media_type="application/json")


def _receive(asked: Append) -> list[NewEntry]:
    try:
        return [receive_entry(one) for one in asked.entries]
    except LedgerError as error:
        raise InvalidInputError(error.message) from error


def _entries(entries: Iterable[Entry]) -> Response:
    return json_response(Entries(entries=[canonical_bytes(entry).decode() for entry in entries]))


def _number(request: Request, name: str, preset: int) -> int:
    text = request.query_params.get(name, str(preset))
    with contextlib.suppress(ValueError):
        if text.isascii() and text.isdigit() and len(text) < 16:
            return int(text)
    raise ProblemError(400, f"{name} is a number")


def _limit(request: Request) -> int:
    return min(_number(request, "limit", MOST_ENTRIES), MOST_ENTRIES)
