"""Chunks as a file-like object, which tarfile's streaming mode wants."""

from __future__ import annotations

from collections.abc import Iterable


class ChunkStream:
    """Reads chunks as a file; holds no more than what was asked for and one chunk."""

    def __init__(self, chunks: Iterable[bytes]) -> None:
        self._chunks = iter(chunks)
        self._rest = b""

    def read(self, size: int) -> bytes:
        """Give exactly so many bytes, fewer only at the end."""
        parts = [self._rest]
        held = len(self._rest)
        while held < size and (chunk := next(self._chunks, None)) is not None:
            parts.append(chunk)
            held += len(chunk)
        data = b"".join(parts)
        self._rest = data[size:]
        return data[:size]

    def drain(self) -> None:
        """Read to the end, so that whoever watches the chunks has seen all of them."""
        for _ in self._chunks:
            pass
