"""Who asks, and how much: what the addresses for workers share."""

from __future__ import annotations

import datetime as dt
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from builder.errors import BuildError, InvalidInputError, LedgerMovedError
from builder.service.wire import MOST_BYTES
from builder.web.problem import ProblemError

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

    from builder.web.tokens import Client, Tokens

Handler = Callable[["Request", "Client"], Awaitable["Response"]]


@dataclass(frozen=True, slots=True)
class Guard:
    """Lets in who has a token for it.

    Args:
        tokens: of clients; None where the service only reads.
        today: in UTC.
    """

    tokens: Tokens | None
    today: Callable[[], dt.date] = lambda: dt.datetime.now(dt.UTC).date()

    def __call__(self, right: str, handler: Handler) -> Callable[[Request], Awaitable[Response]]:
        """Make a handler that is for clients with a right, an empty one for all of them; trouble of theirs is told as such."""

        async def guarded(request: Request) -> Response:
            client = self._known(request, right)
            try:
                return await handler(request, client)
            except InvalidInputError as error:
                raise ProblemError(422, error.message) from error
            except (LedgerMovedError, BuildError) as error:
                raise ProblemError(409, f"{error.message}; {error.hint}" if error.hint else error.message) from error

        return guarded

    def _known(self, request: Request, right: str) -> Client:
        if self.tokens is None:
            raise ProblemError(403, "this service is for reading: it was not started with --tokens")
        client = self.tokens.find(request.headers.get("authorization", ""), self.today())
        if client is None:
            raise ProblemError(401, "needs a token that is known here and has not expired")
        if right and right not in client.may:
            raise ProblemError(403, f"the token of {client.name} is not for {right}")
        return client


async def read_body(request: Request, most: int = MOST_BYTES) -> bytes:
    """Read a body that is no larger than it may be."""
    found = bytearray()
    async for chunk in request.stream():
        found += chunk
        if len(found) > most:
            raise ProblemError(413, f"more than {most} bytes")
    return bytes(found)
