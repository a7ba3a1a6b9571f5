"""Compressors: members stand alone, bytes depend on the content alone, damage is found."""

from __future__ import annotations

import gzip

import pytest
import zstandard

from builder.errors import BuildError, InvalidInputError
from builder.image.compress import CHUNK, Compressor, make_compressor, rechunk

WORDS = b" ".join(str(number).encode() for number in range(400_000))
"""More than two chunks of what compresses well."""


@pytest.fixture(params=["zstd", "gzip"])
def compressor(request: pytest.FixtureRequest) -> Compressor:
    return make_compressor(str(request.param))


def _one(compressor: Compressor, *chunks: bytes) -> bytes:
    return b"".join(compressor.compress(chunks))


def test_concatenated_members_unpack_to_concatenated_contents(compressor: Compressor) -> None:
    whole = _one(compressor, b"one") + _one(compressor, b"") + _one(compressor, WORDS)
    for size in (1 << 20, 4099):
        chunks = [whole[start : start + size] for start in range(0, len(whole), size)]
        assert b"".join(compressor.decompress(chunks)) == b"one" + WORDS


def test_the_cuts_of_the_input_leave_no_trace(compressor: Compressor) -> None:
    places = sorted(number * 7919 % len(WORDS) for number in range(1, 300))
    pieces = [WORDS[start:end] for start, end in zip([0, *places], [*places, len(WORDS)], strict=True)]
    assert _one(compressor, *pieces) == _one(compressor, WORDS)


@pytest.mark.parametrize("size", [0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 2 * CHUNK])
def test_other_readers_read_them(size: int) -> None:
    data = WORDS[:size]
    assert gzip.decompress(_one(make_compressor("gzip"), data)) == data
    frame = _one(make_compressor("zstd"), data)
    assert zstandard.ZstdDecompressor().stream_reader(frame).read() == data


def test_gzip_names_no_time_and_no_system() -> None:
    assert _one(make_compressor("gzip"), b"x")[:10] == b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff"


def test_cut_and_damaged_streams_are_found(compressor: Compressor) -> None:
    whole = _one(compressor, WORDS)
    with pytest.raises(BuildError, match="ends too early"):
        list(compressor.decompress([whole[:-9]]))
    with pytest.raises(BuildError, match="not "):
        list(compressor.decompress([b"no such thing as this"]))


def test_a_bomb_is_given_piece_by_piece() -> None:
    run = ((128 << 10) << 3 | 1 << 1).to_bytes(3, "little") + b"\0"  # RFC 8878: a block of one byte, 128 KiB times
    bomb = bytes.fromhex("28b52ffd0058") + 4000 * run + b"\x01\0\0"
    assert max(len(piece) for piece in make_compressor("zstd").decompress([bomb])) < 200 << 20


def test_names_say_library_version_and_level(compressor: Compressor) -> None:
    assert compressor.name.startswith(("zstd-3 libzstd-1.", "gzip-6 zlib-ng-2."))


def test_an_unknown_compression_is_refused() -> None:
    with pytest.raises(InvalidInputError, match="unknown compression 'isal'"):
        make_compressor("isal")


def test_pieces_have_one_size() -> None:
    assert [len(piece) for piece in rechunk([b"abc", b"defgh", b"", b"i"], 4)] == [4, 4, 1]
