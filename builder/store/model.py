"""The store as its consumers see it: content by sha256, and derived artefacts by key."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from builder.digest import Digest

if TYPE_CHECKING:
    from builder.lock.model import LockedFile


class FileStore(Protocol):
    """Content-addressed files. Every read checks the hash; every write is atomic; many processes may share it."""

    def has(self, digest: Digest) -> bool:
        """Tell whether a file is held, by name only: reading checks it."""

    def read(self, file: LockedFile) -> bytes:
        """Read a file whole; raises MissingBlobError, or DigestMismatchError after setting the bad copy aside."""

    def path(self, digest: Digest) -> Path:
        """Name the place where a file lies or would lie; bytes read from it are unverified."""

    def add(self, data: bytes) -> Digest:
        """Keep bytes; idempotent."""


class ArtefactStore(Protocol):
    """Derived things (segments, layers), by kind and key; any of them may vanish and is then made again."""

    def get(self, kind: str, key: str) -> Path | None:
        """Find one, None where it was never made or was collected."""

    def put(self, kind: str, key: str, chunks: Iterable[bytes]) -> Path:
        """Keep one atomically; the first of several writers wins."""


Progress = Callable[[int], None]
"""Told the number of bytes that have just come in."""
