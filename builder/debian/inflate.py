"""Inflating a member of a deb, with limits enforced while the bytes come.

A deb's members are xz, zstd or gzip streams: one stream each, nothing after it.
"""

from __future__ import annotations

import lzma
import zlib
from collections.abc import Iterator

from builder.errors import IntegrityError

_CHUNK = 1 << 18
_XZ_MEMORY = 128 << 20
"""Bytes; xz -9 needs 65 MiB to be read."""
_WINDOW = 128 << 20
"""Bytes; zstd --ultra -22 uses this much."""


class InflatingReader:
    """Reads the inflated bytes of one member; refuses to give more than `limit` of them."""

    def __init__(self, data: memoryview, *, suffix: str, limit: int, where: str) -> None:
        self._chunks = _CODECS[suffix](data, where)
        self._left = limit
        self._limit = limit
        self._where = where
        self._pending = b""

    def read(self, size: int) -> bytes:
        """Give exactly `size` bytes, fewer only at the end."""
        parts = [self._pending]
        have = len(self._pending)
        while have < size and (chunk := next(self._chunks, b"")):
            self._left -= len(chunk)
            if self._left < 0:
                raise IntegrityError(f"inflates to more than {self._limit} bytes", context=self._where)
            parts.append(chunk)
            have += len(chunk)
        whole = b"".join(parts)
        self._pending = whole[size:]
        return whole[:size]


def _iter_xz(data: memoryview, where: str) -> Iterator[bytes]:
    inflater = lzma.LZMADecompressor(format=lzma.FORMAT_XZ, memlimit=_XZ_MEMORY)
    feed: bytes | memoryview = data
    try:
        while not inflater.eof:
            if inflater.needs_input and not len(feed):
                raise IntegrityError("the xz stream ends too early", context=where)
            chunk = inflater.decompress(feed, _CHUNK)
            feed = b""
            if chunk:
                yield chunk
    except lzma.LZMAError as exc:
        raise IntegrityError(f"not an xz stream: {exc}", context=where) from exc
    _refuse_rest(inflater.unused_data, where)


def _iter_gzip(data: memoryview, where: str) -> Iterator[bytes]:
    inflater = zlib.decompressobj(wbits=31)
    feed: bytes | memoryview = data
    try:
        while not inflater.eof:
            chunk = inflater.decompress(feed, _CHUNK)
            feed = inflater.unconsumed_tail
            if chunk:
                yield chunk
            elif not inflater.eof:
                raise IntegrityError("the gzip stream ends too early", context=where)
    except zlib.error as exc:
        raise IntegrityError(f"not a gzip stream: {exc}", context=where) from exc
    _refuse_rest(inflater.unused_data, where)


def _iter_zstd(data: memoryview, where: str) -> Iterator[bytes]:
    import zstandard

    try:
        end = _zstd_frame_end(data, where)
        _refuse_rest(bytes(data[end : end + 1]), where)
        with zstandard.ZstdDecompressor(max_window_size=_WINDOW).stream_reader(data) as stream:
            while chunk := stream.read(_CHUNK):
                yield chunk
    except zstandard.ZstdError as exc:
        raise IntegrityError(f"not a zstd stream: {exc}", context=where) from exc


def _zstd_frame_end(data: memoryview, where: str) -> int:
    """Walk the blocks of the first frame, since the library tells neither truncation nor what follows.

    Source: RFC 8878, 3.1.1.
    """
    import zstandard

    position = zstandard.frame_header_size(data)
    last = False
    while not last:
        header = int.from_bytes(data[position : position + 3], "little")
        last = bool(header & 1)
        run_length = (header >> 1) & 3 == 1
        position += 3 + (1 if run_length else header >> 3)
        if position > len(data):
            raise IntegrityError("the zstd stream ends too early", context=where)
    position += 4 if zstandard.get_frame_parameters(data).has_checksum else 0
    if position > len(data):
        raise IntegrityError("the zstd stream ends too early", context=where)
    return position


def _refuse_rest(rest: bytes, where: str) -> None:
    if rest:
        raise IntegrityError("data after the end of the compressed stream", context=where)


_CODECS = {"xz": _iter_xz, "gz": _iter_gzip, "zst": _iter_zstd}
SUFFIXES = tuple(_CODECS)
