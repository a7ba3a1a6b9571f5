"""Nights for workers that share no folder: their journals, their files, and the word that one runs. Each question needs a token.

GET    /v1/nights                        names, oldest first
GET    /v1/nights/{night}/journal        the journal, a line of JSON a step
POST   /v1/nights/{night}/journal        append a line; the same one again changes nothing
GET    /v1/nights/{night}/files/{file}   a report, a patch, a lock that was made this night
PUT    /v1/nights/{night}/files/{file}   keep one
POST   /v1/nights/lease                  say that a night runs, again by each of its tasks; refused where another does
DELETE /v1/nights/lease                  say that it is over
"""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Final, Protocol

from starlette.concurrency import run_in_threadpool
from starlette.responses import Response
from starlette.routing import Route

from builder.errors import BuildError, InvalidInputError
from builder.nightly.journal import Ended, parse_journal, parse_line
from builder.nightly.model import Begun, Night, StepDone
from builder.service.wire import NIGHT_NAME, SAFE_NAME, Lend, Values, parse
from builder.web.guard import Guard, read_body
from builder.web.problem import ProblemError
from builder.web.tokens import READ, WRITE
from builder.web.writing import json_response

if TYPE_CHECKING:
    from starlette.requests import Request

    from builder.web.tokens import Client

JOURNAL: Final = "journal.jsonl"
_LONGEST_HOURS: Final = 240
_MOST_OWNER: Final = 200


class KeptNights(Protocol):
    """Keeps nights on this machine; may be called by several threads."""

    def names(self) -> tuple[str, ...]:
        """List nights, oldest first."""

    def file(self, name: str, file: str) -> bytes | None:
        """Read a file of a night; None where it is not there."""

    def keep(self, name: str, file: str, data: bytes) -> None:
        """Keep a file of a night, in place of what was there."""

    def journal(self, name: str) -> AbstractContextManager[Callable[[Begun | StepDone | Ended], None]]:
        """Open a night's journal to append to."""

    def lend(self, owner: str, hours: int, now: Callable[[], int]) -> None:
        """Say that a night runs; raises BuildError where another one does."""

    def give_back(self, owner: str) -> None:
        """Say that a night that was lent is over."""


class NightAddresses:
    """Answers for the nights of one ledger.

    Args:
        nights: keeps them.
        clock: seconds since the epoch: leases are by this machine's clock, whatever workers' say.
    """

    def __init__(self, nights: KeptNights, clock: Callable[[], int] = lambda: int(time.time())) -> None:
        self._nights = nights
        self._clock = clock

    async def names(self, request: Request, client: Client) -> Response:
        """List nights."""
        del request, client
        return json_response(Values(values=list(await run_in_threadpool(self._nights.names))))

    async def read(self, request: Request, client: Client) -> Response:
        """Give a journal."""
        del client
        return await self._give(_night(request), JOURNAL, "application/jsonl")

    async def write(self, request: Request, client: Client) -> Response:
        """Append to a journal."""
        del client
        await run_in_threadpool(self._append, _night(request), await read_body(request))
        return Response(status_code=204)

    def _append(self, name: str, data: bytes) -> None:
        line = parse_line(data, where="a line of a journal")
        known = self._nights.file(name, JOURNAL)
        night = parse_journal(known, file=f"night {name}") if known else None
        if night is None and not isinstance(line, Begun):
            raise ProblemError(404, f"no night {name}")
        if night is not None and is_known(night, line):
            return
        if isinstance(line, Begun) and (night is not None or line.night != name):
            raise BuildError(f"night {name} was begun otherwise")
        with self._nights.journal(name) as write:
            write(line)

    async def file(self, request: Request, client: Client) -> Response:
        """Give a file."""
        del client
        return await self._give(_night(request), _file(request), "application/octet-stream")

    async def keep(self, request: Request, client: Client) -> Response:
        """Keep a file."""
        del client
        name, file = _night(request), _file(request)
        if await run_in_threadpool(self._nights.file, name, JOURNAL) is None:
            raise ProblemError(404, f"no night {name}")
        await run_in_threadpool(self._nights.keep, name, file, await read_body(request))
        return Response(status_code=204)

    async def lend(self, request: Request, client: Client) -> Response:
        """Say that a night runs."""
        del client
        word = parse(await read_body(request), Lend, "a lease")
        if not 0 < word.hours <= _LONGEST_HOURS or not 0 < len(word.owner) <= _MOST_OWNER:
            raise InvalidInputError(f"a lease has an owner, and 1 to {_LONGEST_HOURS} hours")
        await run_in_threadpool(self._nights.lend, word.owner, word.hours, self._clock)
        return Response(status_code=204)

    async def give_back(self, request: Request, client: Client) -> Response:
        """Say that a night is over."""
        del client
        word = parse(await read_body(request), Lend, "a lease")
        await run_in_threadpool(self._nights.give_back, word.owner)
        return Response(status_code=204)

    async def _give(self, name: str, file: str, media_type: str) -> Response:
        found = await run_in_threadpool(self._nights.file, name, file)
        if found is None:
            raise ProblemError(404, f"night {name} has no {file}")
        return Response(found, media_type=media_type)


def night_routes(nights: KeptNights, guard: Guard) -> list[Route]:
    """List the addresses."""
    answers = NightAddresses(nights)
    return [
        Route("/v1/nights", guard(READ, answers.names)),
        Route("/v1/nights/lease", guard(WRITE, answers.lend), methods=["POST"]),
        Route("/v1/nights/lease", guard(WRITE, answers.give_back), methods=["DELETE"]),
        Route("/v1/nights/{night}/journal", guard(READ, answers.read)),
        Route("/v1/nights/{night}/journal", guard(WRITE, answers.write), methods=["POST"]),
        Route("/v1/nights/{night}/files/{file}", guard(READ, answers.file)),
        Route("/v1/nights/{night}/files/{file}", guard(WRITE, answers.keep), methods=["PUT"]),
    ]


def is_known(night: Night, line: Begun | StepDone | Ended) -> bool:
    """Tell whether a line says what a journal says already: its answer was lost, and it is sent again."""
    match line:
        case Begun():
            return line == night.begun
        case StepDone():
            return not night.ended and night.latest().get((line.node, line.step)) == line
        case Ended():
            return bool(night.ended)


def _night(request: Request) -> str:
    name: str = request.path_params["night"]
    if not NIGHT_NAME.fullmatch(name):
        raise ProblemError(404, "not a name of a night: write it as 20261130.1")
    return name


def _file(request: Request) -> str:
    name: str = request.path_params["file"]
    if not SAFE_NAME.fullmatch(name) or name == JOURNAL:
        raise ProblemError(404, "not a name of a file")
    return name
