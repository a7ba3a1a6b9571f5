"""Makes wheels for tests: good ones, and every part of one wrong at will."""

from __future__ import annotations

import base64
import hashlib
import struct
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace


@dataclass(frozen=True, kw_only=True)
class ZipEntry:
    """One entry, with every field of both headers open to lies."""

    name: bytes
    data: bytes = b""
    method: int = 8
    flags: int = 0
    attributes: int = 0o100644 << 16
    crc: int | None = None
    size: int | None = None
    packed: bytes | None = None
    central_extra: bytes = b""
    local_extra: bytes = b""
    comment: bytes = b""
    needed: int = 20
    disk: int = 0
    descriptor: bytes | None = None
    """Bytes after the body; with flag 0x8 and None, a true descriptor with zeros in the local header."""
    gap: bytes = b""
    """Bytes before the local header."""
    local: Mapping[str, object] = field(default_factory=dict)
    """Fields that the local header tells otherwise: name, flags, method, crc, packed_size, size."""
    central: Mapping[str, object] = field(default_factory=dict)
    """Fields that the central directory tells otherwise: the same, and offset."""


@dataclass(frozen=True, kw_only=True)
class ZipShape:
    """What stands around the entries."""

    prepended: bytes = b""
    shift_offsets: bool = True
    """Offsets count the prepended bytes, as for a self-extracting archive."""
    before_directory: bytes = b""
    before_end: bytes = b""
    comment: bytes = b""
    trailing: bytes = b""
    end: Mapping[str, int] = field(default_factory=dict)
    """Fields of the end record told otherwise: disk, start_disk, count_here, count, size, start."""


def deflate(data: bytes, level: int = 9) -> bytes:
    packer = zlib.compressobj(level, zlib.DEFLATED, -15)
    return packer.compress(data) + packer.flush()


def write_zip(entries: Sequence[ZipEntry], shape: ZipShape | None = None) -> bytes:
    shape = shape or ZipShape()
    body = bytearray(shape.prepended)
    directory = bytearray()
    skipped = 0 if shape.shift_offsets else len(shape.prepended)
    for entry in entries:
        body += entry.gap
        offset = len(body) - skipped
        packed = entry.packed if entry.packed is not None else deflate(entry.data) if entry.method == 8 else entry.data
        truth: dict[str, object] = {
            "name": entry.name,
            "flags": entry.flags,
            "method": entry.method,
            "crc": zlib.crc32(entry.data) if entry.crc is None else entry.crc,
            "packed_size": len(packed),
            "size": len(entry.data) if entry.size is None else entry.size,
            "offset": offset,
        }
        described = bool(entry.flags & 8)
        zeros = {"crc": 0, "packed_size": 0, "size": 0} if described and entry.descriptor is None else {}
        body += _local_header({**truth, **zeros, **entry.local}, entry) + packed
        if described:
            true = b"PK\x07\x08" + struct.pack("<3L", truth["crc"], truth["packed_size"], truth["size"])
            body += true if entry.descriptor is None else entry.descriptor
        directory += _central_header({**truth, **entry.central}, entry)
    body += shape.before_directory
    end = {
        "disk": 0,
        "start_disk": 0,
        "count_here": len(entries),
        "count": len(entries),
        "size": len(directory),
        "start": len(body) - skipped,
        **shape.end,
    }
    return bytes(
        body + directory + shape.before_end
        + struct.pack("<4s4H2LH", b"PK\x05\x06", *end.values(), len(shape.comment)) + shape.comment + shape.trailing
    )  # fmt: skip


def _local_header(says: Mapping[str, object], entry: ZipEntry) -> bytes:
    name = says["name"]
    assert isinstance(name, bytes)
    fields = (entry.needed, 0, says["flags"], says["method"], 0, 0x21, says["crc"], says["packed_size"], says["size"])
    head = struct.pack("<4s2B4HL2L2H", b"PK\x03\x04", *fields, len(name), len(entry.local_extra))
    return head + name + entry.local_extra


def _central_header(says: Mapping[str, object], entry: ZipEntry) -> bytes:
    name = says["name"]
    assert isinstance(name, bytes)
    fields = (20, 3, entry.needed, 0, says["flags"], says["method"], 0, 0x21)
    sizes = (says["crc"], says["packed_size"], says["size"])
    lengths = (len(name), len(entry.central_extra), len(entry.comment))
    tail = (entry.disk, 0, entry.attributes, says["offset"])
    head = struct.pack("<4s4B4HL2L5H2L", b"PK\x01\x02", *fields, *sizes, *lengths, *tail)
    return head + name + entry.central_extra + entry.comment


@dataclass(frozen=True, kw_only=True)
class WheelParts:
    """A wheel before it is packed. RECORD is made from the files unless `record` is given."""

    name: str = "demo"
    version: str = "1.0"
    tag: str = "py3-none-any"
    files: Mapping[str, bytes] = field(default_factory=lambda: {"demo/__init__.py": b"ANSWER = 42\n"})
    metadata: bytes | None = None
    wheel: bytes | None = None
    entry_points: bytes | None = None
    record: bytes | None = None
    without: tuple[str, ...] = ()
    """Files of .dist-info to leave out: METADATA, WHEEL, RECORD."""
    executable: tuple[str, ...] = ()

    @property
    def file_name(self) -> str:
        return f"{self.name}-{self.version}-{self.tag}.whl"

    @property
    def dist_info(self) -> str:
        return f"{self.name}-{self.version}.dist-info"

    def contents(self) -> dict[str, bytes]:
        """Every file by name, RECORD last."""
        tags = "".join(f"Tag: {tag}\n" for tag in expand(self.tag))
        says_wheel = f"Wheel-Version: 1.0\nGenerator: made up\nRoot-Is-Purelib: true\n{tags}".encode()
        says_metadata = f"Metadata-Version: 2.1\nName: {self.name}\nVersion: {self.version}\n\nBody: none\n".encode()
        info = {
            "METADATA": says_metadata if self.metadata is None else self.metadata,
            "WHEEL": says_wheel if self.wheel is None else self.wheel,
            "entry_points.txt": self.entry_points,
        }
        files = dict(self.files)
        for name, data in info.items():
            if data is not None and name not in self.without:
                files[f"{self.dist_info}/{name}"] = data
        if "RECORD" not in self.without:
            record = f"{self.dist_info}/RECORD"
            files[record] = make_record(files, record) if self.record is None else self.record
        return files

    def entries(self) -> list[ZipEntry]:
        """The same as entries of a zip."""
        return [
            ZipEntry(
                name=name.encode("utf-8", "surrogateescape"),
                data=data,
                flags=0 if name.isascii() else 0x800,
                attributes=(0o100755 if name in self.executable else 0o100644) << 16,
            )
            for name, data in self.contents().items()
        ]

    def pack(self) -> bytes:
        return write_zip(self.entries())

    def pack_with(self, *more: ZipEntry, shape: ZipShape | None = None) -> bytes:
        """Pack with entries that RECORD lists too, so that nothing but the entry itself is wrong."""
        names = {entry.name.decode("utf-8", "surrogateescape"): entry.data for entry in more}
        files = {name: data for name, data in names.items() if not name.endswith("/")}
        listed = replace(self, files={**self.files, **files})
        plain = [entry for entry in listed.entries() if entry.name.decode("utf-8", "surrogateescape") not in files]
        return write_zip([*more, *plain], shape)

    def pack_changed(self, name: str, **changes: object) -> bytes:
        """Pack with fields of one entry changed."""
        entries = [
            replace(entry, **changes) if entry.name.decode() == name else entry  # type: ignore[arg-type]
            for entry in self.entries()
        ]
        return write_zip(entries)


def expand(tag: str) -> list[str]:
    """Expand `py2.py3-none-any`."""
    pythons, abis, platforms = (part.split(".") for part in tag.split("-"))
    return [f"{python}-{abi}-{platform}" for python in pythons for abi in abis for platform in platforms]


def make_record(files: Mapping[str, bytes], record: str) -> bytes:
    rows = [f"{_quote(name)},{hash_of(data)},{len(data)}\n" for name, data in files.items()]
    return "".join([*rows, f"{record},,\n"]).encode("utf-8", "surrogateescape")


def _quote(name: str) -> str:
    return '"' + name.replace('"', '""') + '"' if any(char in name for char in ',"\r\n') else name


def hash_of(data: bytes, algorithm: str = "sha256") -> str:
    digest = hashlib.new(algorithm, data).digest()
    return f"{algorithm}={base64.urlsafe_b64encode(digest).rstrip(b'=').decode()}"
