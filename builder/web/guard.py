"""Who asks, and how much: what the addresses for workers share."""

from __future__ import annotations

import datetime as dt
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from starlette.requests import ClientDisconnect

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
        tokens: gives those of clients as they stand; None where the service only reads.
        most: bytes of a body.
        today: in UTC.
    """

    tokens: Callable[[], Tokens] | None
    most: int = MOST_BYTES
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
                raise ProblemError(409, error.message) from error
            except ClientDisconnect:
                raise ProblemError(400, "the body did not come to its end") from None

        return guarded

    def _known(self, request: Request, right: str) -> Client:
        if self.tokens is None:
            raise ProblemError(403, "this service is for reading: it was not started with --tokens")
        client = self.tokens().find(request.headers.get("authorization", ""), self.today())
        if client is None:
            raise ProblemError(401, "needs a token that is known here and has not expired")
        if right and right not in client.may:
            raise ProblemError(403, f"the token of {client.name} is not for {right}")
        return client

    async def read_body(self, request: Request) -> bytes:
        """Read a body that is no larger than it may be."""
        found = bytearray()
        async for chunk in request.stream():
            found += chunk
            if len(found) > self.most:
                raise ProblemError(413, f"more than {self.most} bytes")
        return bytes(found)
