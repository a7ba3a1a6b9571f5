"""Finds size and sha256 of wheels where an index does not say them: HTML indexes, find-links folders.

Size alone is asked for by the head of an answer, once, since a file of one hash has one; a missing sha256 needs the whole file.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Protocol

from builder.digest import Digest
from builder.errors import PackageIndexError
from builder.lock.model import LockedFile
from builder.snapshot.model import OfferedFile
from builder.store.transport import Response, Transport, TransportError, shown

_WORKERS = 8
_TRIES = 3


class SizeMemory(Protocol):
    """Remembers sizes of files."""

    def sizes(self, files: Sequence[Digest]) -> Mapping[Digest, int]:
        """Read the sizes that are known."""

    def keep_sizes(self, sizes: Mapping[Digest, int]) -> None:
        """Remember sizes."""


class TransportProbe:
    """A WheelProbe over a Transport.

    Args:
        transport: asks where files are.
        memory: keeps sizes by hash.
    """

    def __init__(self, transport: Transport, memory: SizeMemory) -> None:
        self._transport = transport
        self._memory = memory

    def measure(self, wheels: Sequence[OfferedFile]) -> tuple[LockedFile, ...]:
        """Name, size and sha256 of each wheel, in the order given."""
        known = self._memory.sizes([Digest(file.sha256) for file in wheels if file.size is None and file.sha256])
        files = [_known_file(wheel, known) for wheel in wheels]
        unknown = [wheel for wheel, file in zip(wheels, files, strict=True) if file is None]
        if not unknown:
            return tuple(file for file in files if file)
        with ThreadPoolExecutor(_WORKERS) as pool:
            asked = list(pool.map(self._ask_file, unknown))
        self._memory.keep_sizes({file.sha256: file.size for file in asked})
        later = iter(asked)
        return tuple(file or next(later) for file in files)

    def _ask_file(self, wheel: OfferedFile) -> LockedFile:
        size, sha256 = self._ask(wheel)
        return LockedFile(name=wheel.name, size=size, sha256=Digest(sha256))

    def _ask(self, wheel: OfferedFile) -> tuple[int, str]:
        for left in reversed(range(_TRIES)):
            try:
                with self._transport.open(wheel.url, {}) as response:
                    return _read(response, wheel)
            except TransportError as error:
                if not (left and error.temporary):
                    raise PackageIndexError(error.message, context=shown(wheel.url), hint="try again") from error
        raise AssertionError  # pragma: no cover - the last try returns or raises


def _known_file(wheel: OfferedFile, sizes: Mapping[Digest, int]) -> LockedFile | None:
    if wheel.sha256 is None:
        return None
    sha256 = Digest(wheel.sha256)
    size = wheel.size if wheel.size is not None else sizes.get(sha256)
    return None if size is None else LockedFile(name=wheel.name, size=size, sha256=sha256)


def _read(response: Response, wheel: OfferedFile) -> tuple[int, str]:
    if response.status != 200:
        hint = "look at the index: it lists this file and does not have it"
        raise PackageIndexError(f"answered with status {response.status}", context=shown(wheel.url), hint=hint)
    length = response.headers.get("content-length", "")
    if wheel.sha256 and length.isdecimal():
        return int(length), wheel.sha256
    hasher, size = hashlib.sha256(), 0
    for chunk in response.chunks():
        hasher.update(chunk)
        size += len(chunk)
    return size, hasher.hexdigest()
