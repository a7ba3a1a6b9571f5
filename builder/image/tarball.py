"""Our own tar writer: the same entries give the same bytes, on any machine.

Invariants:
- ustar headers; a PAX header before an entry whose path, link or numbers do not fit or are not ASCII; never GNU's forms;
- one constant modification time, numeric owners, empty user and group names;
- entries in one order: by path, hard links behind everything that they may point at.

It refuses duplicate paths, hard links to what is not a file of the same call, and directories: those are headers of a
layer, written by `directory_header`.

Source: POSIX.1-2017, pax, "ustar Interchange Format" and "pax Extended Header".
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from builder.entry import Entry, EntryKind
from builder.errors import BuildError

MTIME_EPOCH: Final = 1_790_000_000
"""Of every entry of every layer: part of the layer format, so that an unchanged distribution keeps its bytes."""
BLOCK: Final = 512
END_OF_ARCHIVE: Final = bytes(2 * BLOCK)

_NAME_BYTES = 100
_PREFIX_BYTES = 155
_MAX_ID = 0o7777777
_MAX_SIZE = 0o77777777777
_PAX_NAME = b"././@PaxHeader"
_TYPES = {
    EntryKind.FILE: b"0",
    EntryKind.HARDLINK: b"1",
    EntryKind.SYMLINK: b"2",
    EntryKind.DIRECTORY: b"5",
}
_PADDING = tuple(bytes(count) for count in range(BLOCK))


def sort_entries(entries: Iterable[Entry]) -> tuple[Entry, ...]:
    """Order entries as a segment holds them.

    Raises:
        BuildError: a path stands twice, or a hard link names no file among the entries.
    """
    ordered = tuple(sorted(entries, key=lambda entry: (entry.kind is EntryKind.HARDLINK, entry.path)))
    kinds: dict[str, EntryKind] = {}
    for entry in ordered:
        if entry.path in kinds:
            raise BuildError("the path stands twice", context=entry.path)
        kinds[entry.path] = entry.kind
    for entry in ordered:
        if entry.kind is EntryKind.HARDLINK and kinds.get(entry.target) is not EntryKind.FILE:
            raise BuildError(f"a hard link to {entry.target!r}, no file of the same segment", context=entry.path)
    return ordered


def iter_tar(entries: Sequence[Entry]) -> Iterator[bytes]:
    """Write entries, in the order given; neither parent directories nor an end are added.

    Yields:
        Headers and contents; concatenated they are the tar's bytes, a multiple of 512.
    """
    for entry in entries:
        if entry.kind is EntryKind.DIRECTORY:
            raise BuildError("a directory belongs to a layer's headers, not to a segment", context=entry.path)
        yield _headers(entry, entry.path, len(entry.data))
        if entry.data:
            yield entry.data
            rest = -len(entry.data) % BLOCK
            if rest:
                yield _PADDING[rest]


def directory_header(entry: Entry) -> bytes:
    """Write a directory."""
    return _headers(entry, entry.path + "/", 0)


def file_header(path: str, size: int) -> bytes:
    """Write the header of a root-owned file of mode 0644; content and padding are the caller's."""
    return _headers(Entry(path=path), path, size)


def _headers(entry: Entry, path: str, size: int) -> bytes:
    """Write an entry's header, a PAX header before it where it needs one."""
    name, target = path.encode(), entry.target.encode()
    prefix, short = _split(name)
    extended: dict[bytes, bytes] = {}
    if short is None or not path.isascii():
        extended[b"path"] = name
        prefix, short = b"", path.encode("ascii", "replace")[-_NAME_BYTES:]
    if len(target) > _NAME_BYTES or not entry.target.isascii():
        extended[b"linkpath"] = target
    numbers = {b"size": (size, _MAX_SIZE), b"uid": (entry.uid, _MAX_ID), b"gid": (entry.gid, _MAX_ID)}
    extended |= {key: b"%d" % number for key, (number, most) in numbers.items() if number > most}
    header = _ustar(
        name=short,
        prefix=prefix,
        mode=entry.mode & 0o7777,
        owner=(min(entry.uid, _MAX_ID), min(entry.gid, _MAX_ID)),
        size=min(size, _MAX_SIZE),
        kind=_TYPES[entry.kind],
        target=entry.target.encode("ascii", "replace")[:_NAME_BYTES],
    )
    return _pax(extended) + header if extended else header


def _split(name: bytes) -> tuple[bytes, bytes | None]:
    """Cut a path at a slash into ustar's prefix and name; None where it does not fit."""
    if len(name) <= _NAME_BYTES:
        return b"", name
    cut = name.rfind(b"/", 0, _PREFIX_BYTES + 1)
    # A directory's own slash is part of its name: nothing may be left empty.
    if cut <= 0 or not 0 < len(name) - cut - 1 <= _NAME_BYTES:
        return b"", None
    return name[:cut], name[cut + 1 :]


def _ustar(
    *, name: bytes, prefix: bytes, mode: int, owner: tuple[int, int], size: int, kind: bytes, target: bytes
) -> bytes:
    """Write one header block with its checksum."""
    before = b"%b%07o\0%07o\0%07o\0%011o\0%011o\0" % (name.ljust(100, b"\0"), mode, *owner, size, MTIME_EPOCH)
    after = b"%b%bustar\x0000%b%b%b" % (
        kind,
        target.ljust(100, b"\0"),
        bytes(64) + b"0000000\x000000000\0",
        prefix.ljust(155, b"\0"),
        bytes(12),
    )
    # The checksum's own eight bytes count as spaces.
    checksum = sum(before) + sum(after) + 8 * 0x20
    return b"%b%06o\0 %b" % (before, checksum, after)


def _pax(values: dict[bytes, bytes]) -> bytes:
    """Write an extended header for the entry behind it."""
    body = b"".join(_record(key, value) for key, value in sorted(values.items()))
    header = _ustar(name=_PAX_NAME, prefix=b"", mode=0o644, owner=(0, 0), size=len(body), kind=b"x", target=b"")
    return header + body + _PADDING[-len(body) % BLOCK]


def _record(key: bytes, value: bytes) -> bytes:
    r"""Write `<length> <key>=<value>\n`; the length counts its own digits."""
    rest = len(key) + len(value) + 3
    length = rest + len(str(rest))
    if len(str(length)) != len(str(rest)):
        length = rest + len(str(length))
    return b"%d %b=%b\n" % (length, key, value)
