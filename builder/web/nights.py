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

import datetime as dt
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from threading import Lock
from typing import TYPE_CHECKING, Final, Protocol

from starlette.concurrency import run_in_threadpool
from starlette.responses import Response
from starlette.routing import Route

from builder.digest import Digest
from builder.errors import BuildError, InvalidInputError
from builder.nightly.journal import Ended, parse_journal, parse_line
from builder.nightly.model import Begun, Step, StepDone
from builder.service.wire import NAMED_BY_DIGEST, NIGHT_NAME, SAFE_NAME, Lend, Values, kept_as, parse
from builder.web.guard import Guard
from builder.web.problem import ProblemError
from builder.web.tokens import READ, WRITE
from builder.web.writing import json_response

if TYPE_CHECKING:
    from starlette.requests import Request

    from builder.web.tokens import Client

JOURNAL: Final = "journal.jsonl"
_LONGEST_HOURS: Final = 240
_MOST_OWNER: Final = 500


class KeptNights(Protocol):
    """Keeps nights on this machine; may be called by several threads."""

    def names(self) -> tuple[str, ...]:
        """List nights, oldest first."""

    def file(self, name: str, file: str) -> bytes | None:
        """Read a file of a night; None where it is not there."""

    def size(self, name: str) -> int:
        """Tell how many bytes a night's journal has; 0 where there is none."""

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
        guard: reads bodies.
        clock: seconds since the epoch: leases are by this machine's clock, whatever workers' say.
    """

    def __init__(self, nights: KeptNights, guard: Guard, clock: Callable[[], int] = lambda: int(time.time())) -> None:
        self._nights = nights
        self._guard = guard
        self._clock = clock
        self._writing = Lock()
        """From the look at a journal to the line that is written for it: two tries of a task may come at once."""
        self._known: dict[str, tuple[int, _Known]] = {}
        """Of journals: how long the file was, and what was in it."""

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
        await run_in_threadpool(self.append, _night(request), await self._guard.read_body(request))
        return Response(status_code=204)

    def append(self, name: str, data: bytes) -> None:
        """Append a line to a night's journal, where it does not say that already; called by several threads."""
        line = parse_line(data, where="a line of a journal")
        with self._writing:
            night = self._look(name)
            if night is None and not isinstance(line, Begun):
                raise ProblemError(404, f"no night {name}")
            if night is not None and night.says(line):
                return
            if isinstance(line, Begun):
                self._check_begun(name, line, night)
            with self._nights.journal(name) as write:
                write(line)
            if night is not None:
                self._known[name] = (self._nights.size(name), night.told(line))

    def _look(self, name: str) -> _Known | None:
        """See what a journal says: it is read again only where somebody else wrote in it."""
        size = self._nights.size(name)
        kept = self._known.get(name)
        if size and (kept is None or kept[0] != size):
            night = parse_journal(self._nights.file(name, JOURNAL) or b"", file=f"night {name}")
            self._known = {name: (size, _Known(night.begun, night.latest(), night.ended))}
        return self._known[name][1] if size else None

    def _check_begun(self, name: str, line: Begun, night: _Known | None) -> None:
        today = dt.datetime.fromtimestamp(self._clock(), dt.UTC).date()
        days = [(today + dt.timedelta(days=one)).strftime("%Y%m%d") for one in (-1, 0, 1)]
        if night is not None or line.night != name:
            raise BuildError(f"night {name} was begun otherwise")
        if name.partition(".")[0] not in days:
            raise InvalidInputError(f"night {name} is of another day than {days[1]}, by the clock of the service")

    async def file(self, request: Request, client: Client) -> Response:
        """Give a file."""
        del client
        return await self._give(_night(request), _file(request), "application/octet-stream")

    async def keep(self, request: Request, client: Client) -> Response:
        """Keep a file."""
        del client
        await run_in_threadpool(self._keep, _night(request), _file(request), await self._guard.read_body(request))
        return Response(status_code=204)

    def _keep(self, name: str, file: str, data: bytes) -> None:
        if not self._nights.size(name):
            raise ProblemError(404, f"no night {name}")
        if file.startswith(NAMED_BY_DIGEST) and file != kept_as(str(Digest.of(data))):
            raise InvalidInputError(f"{file} is not what it is named for")
        self._nights.keep(name, file, data)

    async def lend(self, request: Request, client: Client) -> Response:
        """Say that a night runs."""
        del client
        word = parse(await self._guard.read_body(request), Lend, "a lease")
        if not 0 < word.hours <= _LONGEST_HOURS or not 0 < len(word.owner) <= _MOST_OWNER:
            raise InvalidInputError(f"a lease has an owner, and 1 to {_LONGEST_HOURS} hours")
        await run_in_threadpool(self._nights.lend, word.owner, word.hours, self._clock)
        return Response(status_code=204)

    async def give_back(self, request: Request, client: Client) -> Response:
        """Say that a night is over."""
        del client
        word = parse(await self._guard.read_body(request), Lend, "a lease")
        await run_in_threadpool(self._nights.give_back, word.owner)
        return Response(status_code=204)

    async def _give(self, name: str, file: str, media_type: str) -> Response:
        found = await run_in_threadpool(self._nights.file, name, file)
        if found is None:
            raise ProblemError(404, f"night {name} has no {file}")
        return Response(found, media_type=media_type)


def night_routes(nights: KeptNights, guard: Guard) -> list[Route]:
    """List the addresses."""
    answers = NightAddresses(nights, guard)
    return [
        Route("/v1/nights", guard(READ, answers.names)),
        Route("/v1/nights/lease", guard(WRITE, answers.lend), methods=["POST"]),
        Route("/v1/nights/lease", guard(WRITE, answers.give_back), methods=["DELETE"]),
        Route("/v1/nights/{night}/journal", guard(READ, answers.read)),
        Route("/v1/nights/{night}/journal", guard(WRITE, answers.write), methods=["POST"]),
        Route("/v1/nights/{night}/files/{file}", guard(READ, answers.file)),
        Route("/v1/nights/{night}/files/{file}", guard(WRITE, answers.keep), methods=["PUT"]),
    ]


@dataclass(frozen=True, slots=True)
class _Known:
    """What a journal says."""

    begun: Begun
    latest: dict[tuple[str, Step], StepDone]
    ended: int

    def says(self, line: Begun | StepDone | Ended) -> bool:
        """Tell whether it says that already: the answer was lost, and it is sent again."""
        match line:
            case Begun():
                return line == self.begun
            case StepDone():
                return self.latest.get((line.node, line.step)) == line
            case Ended():
                return bool(self.ended)

    def told(self, line: Begun | StepDone | Ended) -> _Known:
        """Add a line: the steps of the one before are taken over, not copied."""
        if isinstance(line, StepDone):
            self.latest[line.node, line.step] = line
        return _Known(self.begun, self.latest, line.ended if isinstance(line, Ended) else 0)


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
