"""Lists that come in pages: followed to their end, which a registry need not give them.

Invariants: half a list is never taken for the whole; a list has so many pages, entries and bytes at the most, and none that
was there before.

Source: opencontainers/distribution-spec 1.1, "Listing Tags", "Listing Referrers"; RFC 5988.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final, TypeVar

from builder.registry.answers import RegistryTroubleError, TooLongError, next_page
from builder.registry.session import Call, Session, Settled
from builder.store.transport import TransportError

MOST_PAGES: Final = 1000
MOST_ENTRIES: Final = 200_000
MOST_BYTES: Final = 64 << 20
_K = TypeVar("_K")
_V = TypeVar("_V")


def read_pages(
    session: Session, call: Call, expected: set[int], parse: Callable[[Settled], Mapping[_K, _V] | None]
) -> Mapping[_K, _V] | None:
    """Read a list to its end.

    Args:
        session: that asks.
        call: for the first page.
        expected: statuses of answers that are handed to `parse`.
        parse: reads the entries of a page; None for an answer that is no page.

    Returns:
        All entries; None where the first answer is no page.

    Raises:
        RegistryTroubleError: a page is missing, or the list has no end.
    """
    found: dict[_K, _V] = {}
    seen: set[str] = set()
    size = 0
    for number in range(MOST_PAGES):
        answer = _ask(session, call, expected)
        page = parse(answer)
        if page is None:
            if number:
                raise _trouble(call, f"half a list: page {number + 1} is none, with HTTP {answer.status}")
            return None
        size += len(answer.body)
        had = len(found)
        found.update(page)
        if len(found) > MOST_ENTRIES or size > MOST_BYTES:
            raise _trouble(call, f"the list has more than {MOST_ENTRIES} entries, or {MOST_BYTES} bytes")
        following = _next(answer, call)
        if following is None:
            return found
        seen.add(answer.url)
        if following in seen or (page and len(found) == had):
            raise _trouble(call, f"the list goes round in a circle: page {number + 1} leads back")
        call = Call(repository=call.repository, what=call.what, url=following)
    raise _trouble(call, f"the list has more than {MOST_PAGES} pages")


def _ask(session: Session, call: Call, expected: set[int]) -> Settled:
    try:
        return session.settled(call, expected)
    except TooLongError as error:
        raise _trouble(call, error.message) from error


def _next(answer: Settled, call: Call) -> str | None:
    try:
        return next_page(answer.url, answer.headers)
    except TransportError as error:
        raise _trouble(call, f"half a list: {error.message}") from error


def _trouble(call: Call, message: str) -> RegistryTroubleError:
    registry = call.repository.registry
    return RegistryTroubleError(
        message,
        registry=registry,
        context=call.context,
        hint=f"delete there what nobody needs, or take another repository; if it is not so long, ask whoever runs {registry}",
    )
