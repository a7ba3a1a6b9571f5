"""Compressors whose output is the same on every CPU: zstd, and gzip by zlib-ng. Never isal for written bytes.

Each call makes one member (a zstd frame, a gzip member) that stands alone: concatenated members unpack to concatenated
contents, which is how layers are put together from segments that were compressed once.

A name records library, version and level, since another library version may give other bytes.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator
from typing import Any, Final, Protocol, cast

from builder.errors import BuildError, InvalidInputError

ZSTD_LEVEL: Final = 3
GZIP_LEVEL: Final = 6
CHUNK: Final = 1 << 20
"""Compressors are fed pieces of exactly this size, so that their output depends on the bytes alone."""
_INPUT = 4096
"""Bytes that a decoder gets at a time. It gives back all of their output at once, and four bytes of zstd can stand for
128 KiB: so a bomb costs 300 MB of memory at most, and honest layers half a millisecond for each megabyte."""
_GZIP_HEADER = b"\x1f\x8b\x08\x00" + bytes(4) + b"\x00\xff"
"""Deflate, no name, no time, no extra flags, system 255 (unknown)."""


class Compressor(Protocol):
    """One way to compress."""

    compression: str
    """`zstd` or `gzip`: the word of locks and media types."""
    name: str
    """Library, version and level: part of every cache key."""

    def compress(self, chunks: Iterable[bytes]) -> Iterator[bytes]:
        """Make one member of all the chunks."""

    def decompress(self, chunks: Iterable[bytes]) -> Iterator[bytes]:
        """Unpack any number of members; raises BuildError for damaged or cut ones."""


class ZstdCompressor:
    """zstd by python-zstandard."""

    compression = "zstd"

    def __init__(self, level: int = ZSTD_LEVEL) -> None:
        import zstandard

        self._zstandard = zstandard
        self._level = level
        version = ".".join(map(str, zstandard.ZSTD_VERSION))
        self.name = f"zstd-{level} libzstd-{version} python-zstandard-{zstandard.__version__}"

    def compress(self, chunks: Iterable[bytes]) -> Iterator[bytes]:
        """Make one frame."""
        encoder = self._zstandard.ZstdCompressor(level=self._level)
        pieces = rechunk(chunks)
        first = next(pieces, b"")
        if len(first) < CHUNK:
            # All there is: the encoder tunes itself to small inputs when it knows their size.
            yield encoder.compress(first)
            return
        stream = encoder.compressobj()
        yield stream.compress(first)
        for piece in pieces:
            yield stream.compress(piece)
        yield stream.flush()

    def decompress(self, chunks: Iterable[bytes]) -> Iterator[bytes]:
        """Unpack any number of frames."""
        decoder = self._zstandard.ZstdDecompressor()
        try:
            yield from _iter_members(decoder.decompressobj, chunks)
        except self._zstandard.ZstdError as exc:
            raise BuildError(f"not zstd: {exc}") from exc


class GzipCompressor:
    """gzip by zlib-ng, without name and time."""

    compression = "gzip"

    def __init__(self, level: int = GZIP_LEVEL) -> None:
        from importlib.metadata import version

        from zlib_ng import zlib_ng

        self._zlib = zlib_ng
        self._level = level

        self.name = f"gzip-{level} zlib-ng-{zlib_ng.ZLIBNG_VERSION} python-zlib-ng-{version('zlib-ng')}"

    def compress(self, chunks: Iterable[bytes]) -> Iterator[bytes]:
        """Make one member."""
        encoder = self._zlib.compressobj(self._level, self._zlib.DEFLATED, -15)
        checksum, size = 0, 0
        yield _GZIP_HEADER
        for piece in rechunk(chunks):
            checksum = self._zlib.crc32(piece, checksum)
            size += len(piece)
            yield encoder.compress(piece)
        yield encoder.flush()
        yield struct.pack("<II", checksum, size & 0xFFFFFFFF)

    def decompress(self, chunks: Iterable[bytes]) -> Iterator[bytes]:
        """Unpack any number of members."""
        try:
            yield from _iter_members(lambda: self._zlib.decompressobj(31), chunks)
        except cast("type[Exception]", self._zlib.error) as exc:
            raise BuildError(f"not gzip: {exc}") from exc


def make_compressor(compression: str) -> Compressor:
    """Make the compressor for a lock's word.

    Raises:
        InvalidInputError: the word is not known.
    """
    match compression:
        case "zstd":
            return ZstdCompressor()
        case "gzip":
            return GzipCompressor()
    raise InvalidInputError(f"unknown compression {compression!r}", hint="known: zstd, gzip")


def decompress(compression: str, chunks: Iterable[bytes]) -> Iterator[bytes]:
    """Unpack a layer by its compression's name, `none` included."""
    if compression == "none":
        return iter(chunks)
    return make_compressor(compression).decompress(chunks)


def rechunk(chunks: Iterable[bytes], size: int = CHUNK) -> Iterator[bytes]:
    """Cut a stream into pieces of one size, the last one shorter; the stream's own cuts leave no trace."""
    pending: list[bytes | memoryview] = []
    held = 0
    for chunk in chunks:
        view: bytes | memoryview = chunk
        while held + len(view) >= size:
            take = size - held
            yield b"".join((*pending, view[:take]))
            view, pending, held = memoryview(view)[take:], [], 0
        if view:
            pending.append(view)
            held += len(view)
    if held:
        yield b"".join(pending)


def _small(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """Cut big chunks, so that what a decoder gives back at once stays small."""
    for chunk in chunks:
        if len(chunk) <= _INPUT:
            yield chunk
        else:
            for start in range(0, len(chunk), _INPUT):
                yield chunk[start : start + _INPUT]


def _iter_members(make_decoder: Any, chunks: Iterable[bytes]) -> Iterator[bytes]:
    """Unpack concatenated members with a decoder for each, as zlib and zstandard objects work alike."""
    decoder: Any = None
    for piece in _small(chunks):
        rest = piece
        while rest:
            decoder = decoder or make_decoder()
            yield decoder.decompress(rest)
            rest = decoder.unused_data if decoder.eof else b""
            if decoder.eof:
                decoder = None
    if decoder is not None:
        raise BuildError("the compressed stream ends too early")
