"""A strict zip reader over bytes: what it accepts, every other reader reads in the same way.

Invariants of an accepted archive:

- local entries, then the central directory, then its end record tile the file exactly: nothing before, between or after;
- central directory and local headers agree on name, flags, method, checksum and sizes; data descriptors too, where used;
- entries are files or directories, stored or deflated, with relative normalised names that are unique even when case
  and Unicode normalisation are ignored;
- what is inflated has the size and checksum that the headers promise, and stays below the limits: nothing is inflated
  before all declared sizes are known to, and inflating stops at the declared size.

It refuses zip64 end records, comments, encryption, links, devices and set-user-id bits. Local zip64 extra fields are
accepted where they repeat the central directory: real wheels have them (protobuf).

Source: PKWARE APPNOTE 6.3.10, sections 4.3 and 4.4.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable
from dataclasses import dataclass
from typing import NoReturn, cast

from zlib_ng import zlib_ng

from builder.wheel.names import check_collisions, check_name
from builder.wheel.refusal import Refusal, WheelRefusedError

_END = struct.Struct("<4s4H2LH")
_CENTRAL = struct.Struct("<4s4B4HL2L5H2L")
_LOCAL = struct.Struct("<4s2B4HL2L2H")
_END_SIGNATURE = b"PK\x05\x06"
_CENTRAL_SIGNATURE = b"PK\x01\x02"
_LOCAL_SIGNATURE = b"PK\x03\x04"
_DESCRIPTOR_SIGNATURE = b"PK\x07\x08"
_ZIP64_LOCATOR_SIGNATURE = b"PK\x06\x07"
_ZIP64_LOCATOR_SIZE = 20

_STORED = 0
_DEFLATED = 8
_FLAG_ENCRYPTED = 0x0001
_FLAG_LEVEL = 0x0006  # How hard the compressor tried: says nothing about the content.
_FLAG_DESCRIPTOR = 0x0008
_FLAG_UTF8 = 0x0800
_FLAGS_KNOWN = _FLAG_LEVEL | _FLAG_DESCRIPTOR | _FLAG_UTF8
_MAX_32 = 0xFFFFFFFF

_INFLATE_ERROR = cast("type[Exception]", zlib_ng.error)  # Its stub says an instance.

_EXTRA_ZIP64 = 0x0001
_EXTRAS_HARMLESS = frozenset({0x000A, 0x5455, 0x5855, 0x7855, 0x7875})  # Times and owners, of NTFS and Info-ZIP.

_DOS_VOLUME = 0x08
_DOS_DIRECTORY = 0x10
_TYPE_MASK = 0o170000
_TYPE_REGULAR = 0o100000
_TYPE_DIRECTORY = 0o040000
_SPECIAL_BITS = 0o7000


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How much a wheel may hold. The defaults are some ten times what real plugins need."""

    entries: int = 60_000
    total_size: int = 2 << 30
    """Bytes, inflated, all entries."""
    entry_size: int = 1 << 30
    """Bytes, inflated, one entry."""
    ratio: int = 100
    """Inflated bytes for one compressed, over the whole archive."""
    ratio_free_size: int = 16 << 20
    """Bytes, inflated, below which the ratio does not matter."""


DEFAULT_LIMITS = Limits()


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """One file of an archive; directories are checked and left out."""

    name: str
    data: bytes
    executable: bool
    """Its mode has an execute bit for the owner."""


@dataclass(frozen=True, slots=True)
class _Header:
    """One entry of the central directory."""

    name: str
    raw_name: bytes
    flags: int
    method: int
    crc: int
    packed_size: int
    size: int
    offset: int
    mode: int


def read_archive(data: bytes, *, file_name: str, limits: Limits = DEFAULT_LIMITS) -> tuple[Member, ...]:
    """Read every file of a zip archive.

    Args:
        data: the archive, whole; untrusted.
        file_name: how errors name it.
        limits: how much it may hold.

    Returns:
        The files in the order of their local entries.

    Raises:
        WheelRefusedError: the archive breaks one of this module's rules.
    """
    try:
        return _Reader(data, file_name, limits).read()
    except struct.error as error:
        message = "the archive ends in the middle of a header"
        raise WheelRefusedError(Refusal.NOT_A_ZIP, message, wheel=file_name) from error


class _Reader:
    """One reading of one archive."""

    def __init__(self, data: bytes, file_name: str, limits: Limits) -> None:
        self._data = data
        self._view = memoryview(data)
        self._file_name = file_name
        self._limits = limits

    def read(self) -> tuple[Member, ...]:
        start, end, count = self._locate_directory()
        headers = self._read_directory(start, end, count)
        check_collisions([header.name for header in headers], wheel=self._file_name)
        self._check_limits(headers)
        # Local order: every byte before the directory must belong to an entry.
        headers.sort(key=lambda header: header.offset)
        bodies = self._locate_bodies(headers, start)
        return tuple(
            Member(name=header.name, data=self._inflate(header, body), executable=bool(header.mode & 0o100))
            for header, body in zip(headers, bodies, strict=True)
            if not header.name.endswith("/")
        )

    def _refuse(self, kind: Refusal, message: str, entry: str = "") -> NoReturn:
        raise WheelRefusedError(kind, message, wheel=self._file_name, entry=entry)

    def _locate_directory(self) -> tuple[int, int, int]:
        """Find the central directory: start, end, number of entries."""
        data = self._data
        at = len(data) - _END.size
        if at < 0 or data[at : at + 4] != _END_SIGNATURE:
            self._refuse_without_end()
        _, disk, start_disk, count_here, count, size, start, comment_size = _END.unpack_from(data, at)
        if comment_size:
            self._refuse(Refusal.COMMENT, "the archive's end record announces a comment")
        if data[at - _ZIP64_LOCATOR_SIZE : at - _ZIP64_LOCATOR_SIZE + 4] == _ZIP64_LOCATOR_SIGNATURE:
            self._refuse(Refusal.ZIP64, "the archive has a zip64 end record, which no wheel within the limits needs")
        if disk or start_disk or count_here != count:
            self._refuse(Refusal.MULTI_DISK, "the archive claims to be one part of several")
        if _MAX_32 in {start, size} or count == 0xFFFF:
            self._refuse(Refusal.ZIP64, "the archive's end record defers to a zip64 record that is not there")
        if start + size > at:
            self._refuse(Refusal.NOT_A_ZIP, "the central directory lies outside of the archive")
        if start + size < at:
            self._refuse_gap_before_end(start + size, at)
        if count > self._limits.entries:
            self._refuse(Refusal.TOO_MANY_ENTRIES, f"{count} entries, more than {self._limits.entries}")
        return start, at, count

    def _refuse_without_end(self) -> NoReturn:
        at = self._data.rfind(_END_SIGNATURE)
        if at < 0 or not self._data:
            self._refuse(Refusal.NOT_A_ZIP, "not a zip archive: it has no end record")
        if len(self._data) >= at + _END.size:
            comment_size = _END.unpack_from(self._data, at)[-1]
            if comment_size and at + _END.size + comment_size == len(self._data):
                self._refuse(Refusal.COMMENT, f"the archive has a comment of {comment_size} bytes")
        self._refuse(Refusal.TRAILING_BYTES, "bytes follow the archive's end record")

    def _refuse_gap_before_end(self, after: int, at: int) -> NoReturn:
        gap = self._data[after:at]
        if _END_SIGNATURE in gap:
            self._refuse(Refusal.TWO_DIRECTORIES, "the archive has two end records, readers differ in which they trust")
        if self._data.startswith(_LOCAL_SIGNATURE):
            self._refuse(Refusal.GAP, f"{at - after} bytes between the central directory and its end record")
        self._refuse(Refusal.PREPENDED_BYTES, f"{at - after} bytes stand before the archive")

    def _read_directory(self, start: int, end: int, count: int) -> list[_Header]:
        headers = []
        at = start
        for _ in range(count):
            header, at = self._read_central(at, end)
            headers.append(header)
        if at != end:
            extra = end - at
            self._refuse(Refusal.GAP, f"{extra} bytes follow the {count} entries that the central directory announces")
        return headers

    def _read_central(self, at: int, end: int) -> tuple[_Header, int]:
        if at + _CENTRAL.size > end:
            self._refuse(Refusal.NOT_A_ZIP, "the central directory ends in the middle of an entry")
        fields = _CENTRAL.unpack_from(self._data, at)
        signature, _, _, needed, _, flags, method, _, _, crc, packed_size, size = fields[:12]
        name_size, extra_size, comment_size, disk, _, attributes, offset = fields[12:]
        name_at = at + _CENTRAL.size
        next_at = name_at + name_size + extra_size + comment_size
        if signature != _CENTRAL_SIGNATURE or next_at > end:
            self._refuse(Refusal.NOT_A_ZIP, "the central directory is damaged")
        raw_name = self._data[name_at : name_at + name_size]
        name = self._decode_name(raw_name, flags)
        check_name(name, raw_name, wheel=self._file_name)
        if comment_size:
            self._refuse(Refusal.COMMENT, "the entry has a comment", name)
        if disk:
            self._refuse(Refusal.MULTI_DISK, "the entry claims to lie on another disk", name)
        if needed > 45:  # 4.5 is zip64; later versions bring other compressors and encryption.
            self._refuse(Refusal.METHOD, f"the entry needs version {needed / 10} of the format", name)
        if _MAX_32 in {packed_size, size, offset}:
            self._refuse(Refusal.ZIP64, "the central directory defers to a zip64 field", name)
        if extra_size:
            extra_at = name_at + name_size
            for kind, _value in self._iter_extra(extra_at, extra_at + extra_size, name):
                if kind == _EXTRA_ZIP64:
                    self._refuse(
                        Refusal.ZIP64, "the central directory has a zip64 field that its sizes do not need", name
                    )
        self._check_flags(flags, method, packed_size, size, name)
        self._check_attributes(attributes, name)
        mode = attributes >> 16
        return _Header(name, raw_name, flags, method, crc, packed_size, size, offset, mode), next_at

    def _decode_name(self, raw: bytes, flags: int) -> str:
        if not flags & _FLAG_UTF8 and not raw.isascii():
            shown = raw.decode("utf-8", "backslashreplace")
            self._refuse(Refusal.NAME_ENCODING, "the name is not ASCII and not marked as UTF-8", shown)
        try:
            return raw.decode("utf-8")
        except UnicodeDecodeError:
            self._refuse(Refusal.NAME_ENCODING, "the name is not UTF-8", raw.decode("utf-8", "backslashreplace"))

    def _iter_extra(self, at: int, end: int, name: str) -> Iterable[tuple[int, bytes]]:
        while at < end:
            if at + 4 > end:
                self._refuse(Refusal.EXTRA_FIELD, "an extra field is cut short", name)
            kind, size = struct.unpack_from("<2H", self._data, at)
            at += 4 + size
            if at > end:
                self._refuse(Refusal.EXTRA_FIELD, "an extra field is cut short", name)
            if kind not in _EXTRAS_HARMLESS and kind != _EXTRA_ZIP64:
                self._refuse(Refusal.EXTRA_FIELD, f"extra field 0x{kind:04x} may change what the entry is", name)
            yield kind, self._data[at - size : at]

    def _check_flags(self, flags: int, method: int, packed_size: int, size: int, name: str) -> None:
        if flags & _FLAG_ENCRYPTED:
            self._refuse(Refusal.ENCRYPTED, "the entry is encrypted", name)
        if flags & ~_FLAGS_KNOWN:
            self._refuse(Refusal.FLAGS, f"unknown flags 0x{flags:04x}", name)
        if method not in {_STORED, _DEFLATED}:
            self._refuse(Refusal.METHOD, f"compression method {method} is neither stored nor deflated", name)
        if method == _STORED and packed_size != size:
            self._refuse(Refusal.SIZE, f"stored in {packed_size} bytes, yet {size} long", name)

    def _check_attributes(self, attributes: int, name: str) -> None:
        mode = attributes >> 16
        kind = mode & _TYPE_MASK
        directory = name.endswith("/")
        if kind not in ({0, _TYPE_DIRECTORY} if directory else {0, _TYPE_REGULAR}):
            self._refuse(Refusal.SPECIAL_FILE, f"not a plain file or directory: mode 0{mode:o}", name)
        if attributes & _DOS_VOLUME or (attributes & _DOS_DIRECTORY and not directory):
            self._refuse(Refusal.SPECIAL_FILE, "marked as a volume or a directory, and named as a file", name)
        if mode & _SPECIAL_BITS:
            self._refuse(Refusal.SETUID, f"set-user-id, set-group-id or sticky: mode 0{mode:o}", name)

    def _check_limits(self, headers: list[_Header]) -> None:
        limits = self._limits
        total = 0
        for header in headers:
            total += header.size
            if header.size > limits.entry_size:
                self._refuse(Refusal.TOO_LARGE, f"{header.size} bytes, more than {limits.entry_size}", header.name)
            if total > limits.total_size:
                self._refuse(
                    Refusal.TOO_LARGE, f"more than {limits.total_size} bytes together with those before", header.name
                )
        packed = sum(header.packed_size for header in headers)
        if total > max(limits.ratio_free_size, limits.ratio * packed):
            worst = max(headers, key=lambda header: header.size / (header.packed_size + 1))
            self._refuse(Refusal.RATIO, f"{total} bytes out of {packed}, more than {limits.ratio} for one", worst.name)

    def _locate_bodies(self, headers: list[_Header], directory: int) -> list[memoryview]:
        bodies = []
        at = 0
        for header in headers:
            if header.offset != at:
                self._refuse_untiled(header, at)
            body_at = self._check_local(header, directory)
            at = body_at + header.packed_size
            if at > directory:
                self._refuse(Refusal.OVERLAP, "the entry reaches into the central directory", header.name)
            bodies.append(self._view[body_at:at])
            if header.flags & _FLAG_DESCRIPTOR:
                at = self._check_descriptor(header, at)
        if at != directory:
            self._refuse(Refusal.GAP, f"{directory - at} bytes between the last entry and the central directory")
        return bodies

    def _refuse_untiled(self, header: _Header, at: int) -> NoReturn:
        if header.offset < at:
            self._refuse(Refusal.OVERLAP, "the entry shares bytes with the one before", header.name)
        kind = Refusal.GAP if at else Refusal.PREPENDED_BYTES
        self._refuse(kind, f"{header.offset - at} bytes before the entry belong to none", header.name)

    def _check_local(self, header: _Header, directory: int) -> int:
        """Compare a local header with the central one; returns where the body starts."""
        at = header.offset
        if at + _LOCAL.size > directory:
            self._refuse(Refusal.OVERLAP, "the entry reaches into the central directory", header.name)
        signature, _, _, flags, method, _, _, crc, packed_size, size, name_size, extra_size = _LOCAL.unpack_from(
            self._data, at
        )
        name_at = at + _LOCAL.size
        extra_at = name_at + name_size
        body_at: int = extra_at + extra_size
        if signature != _LOCAL_SIGNATURE or body_at > directory:
            self._refuse(Refusal.HEADERS_DIFFER, "no local header where the central directory says", header.name)
        if self._data[name_at:extra_at] != header.raw_name:
            local = self._data[name_at:extra_at].decode("utf-8", "backslashreplace")
            self._refuse(Refusal.HEADERS_DIFFER, f"its local header says {local[:200]!r}", header.name)
        if flags != header.flags or method != header.method:
            self._refuse(
                Refusal.HEADERS_DIFFER, "central directory and local header differ in flags or method", header.name
            )
        if extra_size:
            for kind, value in self._iter_extra(extra_at, body_at, header.name):
                if kind == _EXTRA_ZIP64:
                    packed_size, size = self._resolve_zip64(value, packed_size, size, header)
        found = (crc, packed_size, size)
        expected = (header.crc, header.packed_size, header.size)
        # With a descriptor the local header may leave all three to it, as zeros.
        if found != expected and not (header.flags & _FLAG_DESCRIPTOR and found == (0, 0, 0)):
            self._refuse(
                Refusal.HEADERS_DIFFER, "central directory and local header differ in checksum or sizes", header.name
            )
        return body_at

    def _resolve_zip64(self, value: bytes, packed_size: int, size: int, header: _Header) -> tuple[int, int]:
        if len(value) != 16:
            self._refuse(Refusal.ZIP64, "the local header has a zip64 field of an unexpected length", header.name)
        large: int
        small: int
        large, small = struct.unpack("<2Q", value)
        if size not in {_MAX_32, large} or packed_size not in {_MAX_32, small}:
            self._refuse(Refusal.HEADERS_DIFFER, "the local header and its zip64 field differ in sizes", header.name)
        return small, large

    def _check_descriptor(self, header: _Header, at: int) -> int:
        """Compare a data descriptor, with or without signature, with the central directory; returns its end."""
        expected = struct.pack("<3L", header.crc, header.packed_size, header.size)
        descriptor = _DESCRIPTOR_SIGNATURE + expected if self._data.startswith(_DESCRIPTOR_SIGNATURE, at) else expected
        if not self._data.startswith(descriptor, at):
            self._refuse(Refusal.DATA_DESCRIPTOR, "its data descriptor differs from the central directory", header.name)
        return at + len(descriptor)

    def _inflate(self, header: _Header, body: memoryview) -> bytes:
        content = bytes(body) if header.method == _STORED else self._inflate_deflated(header, body)
        if zlib_ng.crc32(content) != header.crc:
            self._refuse(Refusal.CHECKSUM, "the content does not have the promised CRC-32", header.name)
        return content

    def _inflate_deflated(self, header: _Header, body: memoryview) -> bytes:
        inflater = zlib_ng.decompressobj(-15)
        try:
            # One byte more than promised shows a lie without inflating the rest of it.
            content: bytes = inflater.decompress(body, header.size + 1)
        except _INFLATE_ERROR as error:
            message = f"the deflated stream is damaged: {error}"
            raise WheelRefusedError(Refusal.CORRUPT, message, wheel=self._file_name, entry=header.name) from error
        if len(content) != header.size:
            self._refuse(Refusal.SIZE, f"inflates to another size than the {header.size} bytes promised", header.name)
        if not inflater.eof:
            self._refuse(Refusal.CORRUPT, "the deflated stream does not end", header.name)
        if inflater.unused_data:
            self._refuse(Refusal.GAP, f"{len(inflater.unused_data)} bytes follow the deflated stream", header.name)
        return content
