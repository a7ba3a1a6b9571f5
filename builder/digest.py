"""The sha256 value type. Every file, blob and lock is named by one."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass

from builder.errors import InvalidInputError

_HEX = re.compile(r"[0-9a-f]{64}\Z")


@dataclass(frozen=True, slots=True, order=True)
class Digest:
    """A sha256, by its 64 lower-case hexadecimal characters.

    >>> Digest.of(b"").hex[:8]
    'e3b0c442'
    """

    hex: str

    def __post_init__(self) -> None:
        if not _HEX.match(self.hex):
            raise InvalidInputError(f"not a sha256 in lower-case hexadecimal: {self.hex[:80]!r}")

    @classmethod
    def of(cls, data: bytes | bytearray | memoryview) -> Digest:
        """Hash bytes."""
        return cls(hashlib.sha256(data).hexdigest())

    @classmethod
    def parse(cls, text: str) -> Digest:
        """Read the OCI form `sha256:<hex>`; the inverse of `str`."""
        algorithm, _, value = text.partition(":")
        if algorithm != "sha256":
            raise InvalidInputError(
                f"not a sha256 digest: {text[:80]!r}", hint="write it as sha256:<64 hexadecimal characters>"
            )
        return cls(value)

    def __str__(self) -> str:
        return f"sha256:{self.hex}"
