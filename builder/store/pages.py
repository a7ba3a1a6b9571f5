"""Reads a whole small answer, such as a page of an index, with retries and a limit of its size."""

from __future__ import annotations

import zlib
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field

from builder.errors import PackageIndexError
from builder.store.patience import TEMPORARY_STATUS, Patience, retry_after
from builder.store.transport import Response, Transport, TransportError, shown

LARGEST_PAGE = 64 << 20
"""The largest page of a public index, a project of thousands of releases, has less than half of this."""


_ENCODING = "gzip"


class AnswerTooLargeError(PackageIndexError):
    """An answer is larger than what was ready to be read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """An answer, whole."""

    url: str
    """Where it came from at last; relative links are relative to it."""
    content_type: str
    body: bytes
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    """Names in lower case."""


def read_page(
    url: str,
    transport: Transport,
    *,
    headers: Mapping[str, str] | None = None,
    largest: int = LARGEST_PAGE,
    patience: Patience | None = None,
    accepted: Collection[int] = (200,),
) -> Page | None:
    """Read a page; returns None where there is none (HTTP 404, 410).

    Args:
        url: where.
        transport: asks.
        headers: sent with the question, as `if-none-match` or `range`.
        largest: bytes.
        patience: how often to ask.
        accepted: statuses that are answers; add 304 or 206 to what was asked for.

    Raises:
        PackageIndexError: no answer after all tries, a refusal, or a page too large.
    """
    patience = patience or Patience()
    # A range is one of the packed bytes where they are packed.
    asked_with = {"accept-encoding": "identity" if "range" in (headers or {}) else _ENCODING, **(headers or {})}
    deadline = patience.now() + patience.deadline_s
    for tried in range(1, patience.tries + 1):
        pause = patience.first_pause_s * 2 ** (tried - 1)
        try:
            with transport.open(url, asked_with) as response:
                if response.status not in TEMPORARY_STATUS:
                    return _whole(response, largest, accepted)
                why = f"HTTP {response.status}"
                asked = retry_after(response.headers, patience.wall())
                pause = pause if asked is None else asked
        except TransportError as error:
            if not error.temporary:
                raise _failed(url, error.message) from error
            why = error.message
        pause = min(pause, patience.longest_pause_s)
        if tried < patience.tries and patience.now() + pause < deadline:
            patience.pause(pause)
    raise _failed(url, why)


def _whole(response: Response, largest: int, accepted: Collection[int]) -> Page | None:
    if response.status in {404, 410}:
        return None
    if response.status not in accepted:
        hint = "check the credentials of this index" if response.status in {401, 403} else ""
        raise _failed(response.url, f"HTTP {response.status}", hint=hint)
    chunks: list[bytes] = []
    size = 0
    for chunk in _decoded(response, largest):
        size += len(chunk)
        if size > largest:
            raise AnswerTooLargeError(f"its answer is larger than {largest} bytes", context=shown(response.url))
        chunks.append(chunk)
    return Page(
        url=response.url,
        content_type=response.headers.get("content-type", ""),
        body=b"".join(chunks),
        status=response.status,
        headers=response.headers,
    )


def _decoded(response: Response, largest: int) -> Iterator[bytes]:
    """Unpack an answer piece by piece; nothing grows larger than what was ready to be read, and a chunk."""
    encoding = response.headers.get("content-encoding", "").strip().lower()
    if encoding in {"", "identity"}:
        yield from response.chunks()
        return
    if encoding != _ENCODING:
        raise _failed(response.url, f"its answer is in an encoding that was not asked for: {encoding[:40]!r}")
    inflate = zlib.decompressobj(wbits=31)
    try:
        for chunk in response.chunks():
            yield inflate.decompress(chunk, largest + 1)
        if not inflate.eof or inflate.unused_data:
            raise _failed(response.url, "its answer is cut off, or goes on behind its end")
    except zlib.error as error:
        raise _failed(response.url, f"its answer is not {_ENCODING}: {error}") from error


def _failed(url: str, why: str, *, hint: str = "") -> PackageIndexError:
    return PackageIndexError(why, context=shown(url), hint=hint)
