from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from builder.image.stream import ChunkStream


@given(st.lists(st.binary(max_size=9)), st.integers(1, 7))
def test_reading_gives_every_byte_once_and_in_order(chunks: list[bytes], size: int) -> None:
    stream = ChunkStream(chunks)
    parts = list(iter(lambda: stream.read(size), b""))
    assert b"".join(parts) == b"".join(chunks)
    assert all(len(part) == size for part in parts[:-1])


def test_draining_reads_to_the_end() -> None:
    chunks = iter([b"a", b"b", b"c"])
    stream = ChunkStream(chunks)
    assert stream.read(1) == b"a"
    stream.drain()
    assert list(chunks) == []
