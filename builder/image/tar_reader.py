"""Tars from outside, read within bounds: the standard library's reader believes what a header says.

- A size below nothing sends it back to where it was, for ever (CVE-2025-8194), and one of 2^80 bytes is skipped piece by piece;
  a pax record may say either, too. What is too large is refused by its size.
- Extended headers (pax records, GNU's long names) are read into memory whole: they have a limit of their own.
- Sparse files are refused: what they hold is not what they take, and readers differ in how they tell.
"""

from __future__ import annotations

import functools
import tarfile
from collections.abc import Callable, Iterable, Iterator
from typing import IO, Final, Protocol, Self, cast

from builder.errors import BuildError, IntegrityError
from builder.image.stream import ChunkStream

MOST_CONTENT: Final = 64 << 30
"""Bytes of one member."""
_LARGEST_HEADER: Final = 1 << 20
_CHUNK: Final = 1 << 20
_EXTENDED: Final = (
    tarfile.XHDTYPE,
    tarfile.XGLTYPE,
    tarfile.SOLARIS_XHDTYPE,
    tarfile.GNUTYPE_LONGNAME,
    tarfile.GNUTYPE_LONGLINK,
)
BROKEN: Final = (tarfile.TarError, EOFError, ValueError, IndexError, OverflowError, RecursionError)
"""What tarfile raises of archives that lie, although it promises TarError alone."""


class BoundedTarInfo(tarfile.TarInfo):
    """A member whose header is no bomb: for `tarfile.open(tarinfo=...)`."""

    @classmethod
    def frombuf(cls, buf: bytes | bytearray, encoding: str, errors: str) -> Self:
        """Read a header."""
        member = super().frombuf(buf, encoding, errors)
        if member.type in _EXTENDED and member.size > _LARGEST_HEADER:
            raise tarfile.ReadError(f"an extended header of {member.size} bytes")
        if member.type == tarfile.GNUTYPE_SPARSE:
            raise tarfile.ReadError("a sparse file")
        return member

    def _block(self, count: int) -> int:
        """Round up to whole blocks; NOTE: every size passes by here before it is skipped, one from a pax record too."""
        if not 0 <= count <= MOST_CONTENT:
            raise tarfile.ReadError(f"a member of {count} bytes")
        return -(-count // tarfile.BLOCKSIZE) * tarfile.BLOCKSIZE


class Content(Protocol):
    """What a file of a layer holds."""

    def read(self, size: int = -1) -> bytes:
        """Read on; raises IntegrityError where the layer breaks off."""


OpenContent = Callable[[], Content | None]
"""Gives a file's content, None for what has none; while the member is the one in work."""


def read_members(chunks: Iterable[bytes], *, where: str) -> Iterator[tuple[tarfile.TarInfo, OpenContent]]:
    """Iterate over the members of an unpacked layer, with what opens their content; all of it is read.

    Raises:
        IntegrityError: it is no tar, or goes on behind its end, where another reader might find more.
    """

    def content_of(archive: tarfile.TarFile, member: tarfile.TarInfo) -> Content | None:
        stream = archive.extractfile(member) if member.isreg() else None
        return None if stream is None else _TranslatedContent(stream, where)

    watched = _Watched(chunks)
    reader = ChunkStream(watched)
    try:
        # Names may be any bytes: what is no UTF-8 is written out, so that the tree can be kept as JSON.
        with tarfile.open(
            fileobj=cast("IO[bytes]", reader),
            mode="r|",
            bufsize=_CHUNK,
            errorlevel=2,
            encoding="utf-8",
            errors="backslashreplace",
            tarinfo=BoundedTarInfo,
        ) as archive:
            for member in archive:
                if archive.pax_headers.keys() - {"comment"}:
                    raise IntegrityError("a global header, which not all readers heed", context=where)
                if member.issparse():
                    raise IntegrityError("a sparse file, which not all readers unpack alike", context=where)
                yield member, functools.partial(content_of, archive, member)
            end = archive.offset
        reader.drain()
    except (*BROKEN, BuildError) as error:
        raise _broken(error, where) from error
    if watched.last > end:
        raise IntegrityError("goes on behind the end of its tar", context=where)


class _Watched:
    """Chunks on their way, and how far they went before nothing but zeros came."""

    def __init__(self, chunks: Iterable[bytes]) -> None:
        self._chunks = chunks
        self.last = 0
        """Offset behind the last byte that is not zero."""

    def __iter__(self) -> Iterator[bytes]:
        size = 0
        for chunk in self._chunks:
            kept = len(chunk.rstrip(b"\0"))
            self.last = size + kept if kept else self.last
            size += len(chunk)
            yield chunk


class _TranslatedContent:
    """Content whose end may be missing."""

    def __init__(self, stream: IO[bytes], where: str) -> None:
        self._stream = stream
        self._where = where

    def read(self, size: int = -1) -> bytes:
        """Read on."""
        try:
            return self._stream.read(size)
        except (*BROKEN, BuildError) as error:
            raise _broken(error, self._where) from error


def _broken(error: Exception, where: str) -> IntegrityError:
    return IntegrityError(f"cannot be unpacked: {error}", context=where)
