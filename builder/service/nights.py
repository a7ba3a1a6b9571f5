"""Nights that a service keeps: journals, reports, and the word that lets one run at a time, for tasks without a common folder."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import msgspec

from builder.errors import BuildError, InvalidInputError, LedgerUnavailableError
from builder.nightly.journal import dump_line, parse_journal
from builder.service.caller import Question
from builder.service.wire import Lend, Values, parse

if TYPE_CHECKING:
    from builder.nightly.journal import Ended
    from builder.nightly.model import Begun, Night, StepDone
    from builder.service.caller import Caller, Reply

REPORT = "report.json"


class RemoteNights:
    """A NightShelf over HTTP.

    Args:
        caller: asks the service.
    """

    def __init__(self, caller: Caller) -> None:
        self._caller = caller

    def names(self) -> tuple[str, ...]:
        """List nights, oldest first."""
        reply = self._checked(self._caller.ask(Question(method="GET", path="/v1/nights")))
        return tuple(parse(reply.body, Values, "an answer").values)

    def read(self, name: str) -> Night:
        """Read a night; raises InvalidInputError where it is damaged or not there."""
        reply = self._caller.ask(Question(method="GET", path=f"/v1/nights/{name}/journal"))
        if reply.status == 404:
            raise InvalidInputError(f"no night {name[:80]!r}", context=self._caller.url)
        return parse_journal(self._checked(reply).body, file=f"{self._caller.url}: night {name}")

    def report(self, name: str) -> bytes | None:
        """Read a night's report.json; None where it is not over."""
        return self.file(name, REPORT)

    def unfinished(self) -> Night | None:
        """Find the last night, where it has not ended."""
        names = self.names()
        night = self.read(names[-1]) if names else None
        return night if night is not None and not night.ended else None

    @contextmanager
    def journal(self, name: str) -> Iterator[Callable[[Begun | StepDone | Ended], None]]:
        """Open a night's journal to append to."""

        def write(line: Begun | StepDone | Ended) -> None:
            path = f"/v1/nights/{name}/journal"
            self._done(self._caller.ask(Question(method="POST", path=path, body=dump_line(line), is_json=False)))

        yield write

    def lend(self, owner: str, hours: int, now: Callable[[], int]) -> None:
        """Say that a night runs, by the service's clock; raises BuildError where another one does."""
        del now
        self._done(self._say("POST", Lend(owner=owner, hours=hours)))

    def give_back(self, owner: str) -> None:
        """Say that a night that was lent is over."""
        self._done(self._say("DELETE", Lend(owner=owner)))

    def file(self, name: str, file: str) -> bytes | None:
        """Read a file of a night; None where it is not there."""
        reply = self._caller.ask(Question(method="GET", path=f"/v1/nights/{name}/files/{file}"))
        return None if reply.status == 404 else self._checked(reply).body

    def keep(self, name: str, file: str, data: bytes) -> None:
        """Keep a file of a night, in place of what was there."""
        path = f"/v1/nights/{name}/files/{file}"
        self._done(self._caller.ask(Question(method="PUT", path=path, body=data, is_json=False)))

    def place(self, name: str) -> str:
        """Say where a night's files are."""
        return f"{self._caller.url}/v1/nights/{name}/files/"

    def _say(self, method: str, word: Lend) -> Reply:
        return self._caller.ask(Question(method=method, path="/v1/nights/lease", body=msgspec.json.encode(word)))

    def _done(self, reply: Reply) -> None:
        if reply.status == 409:
            hint = "wait until it ends or expires; where it is dead: DELETE /v1/nights/lease, with its owner"
            raise BuildError(reply.title, context=self._caller.url, hint=hint)
        if reply.status not in {200, 204}:
            raise LedgerUnavailableError(reply.title, context=self._caller.url)

    def _checked(self, reply: Reply) -> Reply:
        if reply.status != 200:
            raise LedgerUnavailableError(reply.title, context=self._caller.url)
        return reply
