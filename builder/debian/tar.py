"""A strict reader of the tar members inside debs.

Own, because the standard library's stops silently at a damaged header, and because a deb needs so little of tar:

- ustar and GNU headers, GNU long names; no pax records, no base-256 numbers (dpkg-deb writes neither);
- files, directories, symbolic and hard links; no devices, fifos or sparse files;
- the archive ends in two zero blocks, and only zeros follow.

Source: tar(5) of libarchive; dpkg's lib/dpkg/tarfn.c for what a deb may hold.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

from builder.entry import EntryKind
from builder.errors import IntegrityError

_BLOCK = 512
_ZEROS = bytes(_BLOCK)
_MAX_LONG_NAME = 4096
"""PATH_MAX of Linux, the terminating NUL included."""
_KINDS = {
    b"0": EntryKind.FILE,
    b"\0": EntryKind.FILE,
    b"1": EntryKind.HARDLINK,
    b"2": EntryKind.SYMLINK,
    b"5": EntryKind.DIRECTORY,
}
_REFUSED = {
    b"3": "a character device",
    b"4": "a block device",
    b"6": "a fifo",
    b"7": "a contiguous file",
    b"x": "a pax record",
    b"g": "a global pax record",
    b"S": "a sparse file",
}


class Reader(Protocol):
    """Where tar bytes come from: already inflated, already limited."""

    def read(self, size: int) -> bytes:
        """Give exactly `size` bytes, fewer only at the end."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """One member, names as they stand in the archive."""

    name: str
    kind: EntryKind
    link: str
    mode: int
    """All twelve bits."""
    uid: int
    gid: int
    data: bytes


def iter_members(reader: Reader, *, where: str, max_members: int) -> Iterator[Member]:
    """Read a tar archive to its end.

    Args:
        reader: the archive's bytes.
        where: names the archive in errors.
        max_members: more than these are refused.

    Raises:
        IntegrityError: anything that this page does not allow, naming the member.
    """
    long_name = long_link = ""
    count = 0
    while (header := _read_exactly(reader, _BLOCK, where)) != _ZEROS:
        _check_header(header, where)
        kind_byte, size = header[156:157], _octal(header[124:136], where)
        if kind_byte in {b"L", b"K"}:
            text = _long_text(reader, size, where)
            long_name, long_link = (text, long_link) if kind_byte == b"L" else (long_name, text)
            continue
        count += 1
        if count > max_members:
            raise IntegrityError(f"more than {max_members} members", context=where)
        yield _member(reader, header, size=size, names=(long_name, long_link), where=where)
        long_name = long_link = ""
    if long_name or long_link:
        raise IntegrityError("a long name without a member", context=where)
    _check_end(reader, where)


def _member(reader: Reader, header: bytes, *, size: int, names: tuple[str, str], where: str) -> Member:
    name = names[0] or _short_name(header, where)
    here = f"{where}: {name}"
    kind_byte = header[156:157]
    if kind_byte not in _KINDS:
        raise IntegrityError(f"{_REFUSED.get(kind_byte, f'a member of type {kind_byte!r}')} is refused", context=here)
    kind = _KINDS[kind_byte]
    if size and kind is not EntryKind.FILE:
        raise IntegrityError(f"a {kind} with content", context=here)
    data = _read_exactly(reader, size, here)
    padding = _read_exactly(reader, -size % _BLOCK, here)
    if padding.strip(b"\0"):
        raise IntegrityError("data after the end of the file's content", context=here)
    return Member(
        name=name,
        kind=kind,
        link=names[1] or _text(header[157:257], here),
        mode=_octal(header[100:108], here) & 0o7777,
        uid=_octal(header[108:116], here),
        gid=_octal(header[116:124], here),
        data=data,
    )


def _check_header(header: bytes, where: str) -> None:
    """Compare the checksum, and the magic of ustar or of GNU."""
    unsigned = sum(header[:148]) + 8 * 0x20 + sum(header[156:])
    if unsigned != _octal(header[148:156], where):
        raise IntegrityError("a tar header with a wrong checksum", context=where)
    if header[257:265] not in {b"ustar\00000", b"ustar  \0"}:
        raise IntegrityError("a tar header that is neither ustar nor GNU", context=where)


def _short_name(header: bytes, where: str) -> str:
    name = _text(header[:100], where)
    prefix = _text(header[345:500], where) if header[257:265] == b"ustar\00000" else ""
    return f"{prefix}/{name}" if prefix else name


def _long_text(reader: Reader, size: int, where: str) -> str:
    if not 1 < size <= _MAX_LONG_NAME:
        raise IntegrityError(f"a long name of {size} bytes", context=where)
    text = _read_exactly(reader, size, where)
    _read_exactly(reader, -size % _BLOCK, where)
    if text.find(b"\0") != size - 1:
        raise IntegrityError("a long name that does not end in its only NUL", context=where)
    return _text(text, where)


def _text(field: bytes, where: str) -> str:
    try:
        return field.split(b"\0", 1)[0].decode()
    except UnicodeDecodeError as exc:
        raise IntegrityError(f"a name that is not UTF-8: {field!r}", context=where) from exc


def _octal(field: bytes, where: str) -> int:
    digits = field.strip(b" \0")
    if digits.strip(b"01234567"):
        raise IntegrityError(f"not an octal number in a tar header: {field!r}", context=where)
    return int(digits or b"0", 8)


def _read_exactly(reader: Reader, size: int, where: str) -> bytes:
    data = reader.read(size) if size else b""
    if len(data) != size:
        raise IntegrityError("the tar archive ends too early", context=where)
    return data


def _check_end(reader: Reader, where: str) -> None:
    if _read_exactly(reader, _BLOCK, where) != _ZEROS:
        raise IntegrityError("one zero block inside a tar archive", context=where)
    while rest := reader.read(1 << 16):
        if rest.strip(b"\0"):
            raise IntegrityError("data after the end of the tar archive", context=where)
