"""Finds size and sha256 of wheels where an index does not say them: HTML indexes, find-links folders.

Size alone is asked for by the head of an answer; a missing sha256 needs the whole file.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from builder.digest import Digest
from builder.errors import PackageIndexError
from builder.lock.model import LockedFile
from builder.snapshot.model import OfferedFile
from builder.store.transport import Response, Transport, TransportError, redact

_WORKERS = 8
_TRIES = 3


class TransportProbe:
    """A WheelProbe over a Transport."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def measure(self, wheels: Sequence[OfferedFile]) -> tuple[LockedFile, ...]:
        """Name, size and sha256 of each wheel, in the order given."""
        with ThreadPoolExecutor(_WORKERS) as pool:
            return tuple(pool.map(self._measure, wheels))

    def _measure(self, wheel: OfferedFile) -> LockedFile:
        size, sha256 = wheel.size, wheel.sha256
        if size is None or sha256 is None:
            size, sha256 = self._ask(wheel)
        return LockedFile(name=wheel.name, size=size, sha256=Digest(sha256))

    def _ask(self, wheel: OfferedFile) -> tuple[int, str]:
        for left in reversed(range(_TRIES)):
            try:
                with self._transport.open(wheel.url, {}) as response:
                    return _read(response, wheel)
            except TransportError as error:
                if not (left and error.temporary):
                    raise PackageIndexError(error.message, context=redact(wheel.url), hint="try again") from error
        raise AssertionError  # pragma: no cover - the last try returns or raises


def _read(response: Response, wheel: OfferedFile) -> tuple[int, str]:
    if response.status != 200:
        hint = "look at the index: it lists this file and does not have it"
        raise PackageIndexError(f"answered with status {response.status}", context=redact(wheel.url), hint=hint)
    length = response.headers.get("content-length", "")
    if wheel.sha256 and length.isdecimal():
        return int(length), wheel.sha256
    hasher, size = hashlib.sha256(), 0
    for chunk in response.chunks():
        hasher.update(chunk)
        size += len(chunk)
    return size, hasher.hexdigest()
