"""One wheel for each way of being hostile, with the refusal that it must meet.

Part of the hostile corpus: `tests/hostile/` shows them to pip, uv and installer too.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable
from dataclasses import dataclass

from builder.wheel.refusal import Refusal
from tests.support.wheels import WheelParts, ZipEntry, ZipShape, deflate, hash_of, make_record, write_zip

DEMO = WheelParts()
INIT = "demo/__init__.py"
INFO = DEMO.dist_info
EVIL = b"print('evil')\n"


@dataclass(frozen=True, kw_only=True)
class Hostile:
    """A hostile wheel."""

    name: str
    """What it does, in a few words."""
    threat: str
    """Row of the threat list, as `A1`."""
    kind: Refusal
    entry: str
    """What the error must name besides the wheel; empty where it is the archive as a whole."""
    make: Callable[[], bytes]
    file_name: str = DEMO.file_name


def _named(raw: bytes, *, flags: int = 0) -> Callable[[], bytes]:
    return lambda: DEMO.pack_with(ZipEntry(name=raw, data=EVIL, flags=flags))


def _shaped(shape: ZipShape) -> Callable[[], bytes]:
    return lambda: write_zip(DEMO.entries(), shape)


def _changed(**changes: object) -> Callable[[], bytes]:
    return lambda: DEMO.pack_changed(INIT, **changes)


def _parts(**changes: object) -> Callable[[], bytes]:
    return lambda: WheelParts(**changes).pack()  # type: ignore[arg-type]


def _with_file(name: str, data: bytes = EVIL) -> Callable[[], bytes]:
    return lambda: WheelParts(files={**DEMO.files, name: data}).pack()


def _recorded(change: Callable[[dict[str, bytes]], bytes]) -> Callable[[], bytes]:
    """Pack with a RECORD made by `change` from all other files."""

    def make() -> bytes:
        files = {name: data for name, data in DEMO.contents().items() if not name.endswith("/RECORD")}
        return WheelParts(record=change(files)).pack()

    return make


def _true_record(files: dict[str, bytes]) -> bytes:
    return make_record(files, f"{INFO}/RECORD")


def _tag_lie() -> bytes:
    return WheelParts(wheel=b"Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: cp313-cp313-linux_x86_64\n").pack()


def _hidden_local_name() -> bytes:
    return DEMO.pack_changed(INIT, local={"name": b"demo/__evil__.py"})


def _duplicate() -> bytes:
    entries = DEMO.entries()
    return write_zip([ZipEntry(name=INIT.encode(), data=EVIL), *entries])


def _two_archives() -> bytes:
    other = WheelParts(files={INIT: EVIL}).pack()
    return write_zip(DEMO.entries(), ZipShape(prepended=other))


def _overlap() -> bytes:
    """Two names for one body: the second entry points at the first one's local header."""
    entries = DEMO.entries()
    twin = ZipEntry(name=INIT.encode(), data=entries[0].data, central={"name": b"demo/again.py", "offset": 0})
    return write_zip([*entries, twin])


def _quoted_bomb() -> bytes:
    """Many entries over one kernel of compressed bytes, each reaching into the next."""
    kernel = deflate(bytes(1 << 20))
    first = ZipEntry(name=b"demo/a", data=bytes(1 << 20), packed=kernel)
    others = [
        ZipEntry(
            name=f"demo/{n}".encode(),
            data=bytes(1 << 20),
            packed=b"",
            central={"packed_size": len(kernel), "offset": 0},
        )
        for n in range(10)
    ]
    return write_zip([first, *others, *DEMO.entries()])


def _ratio_bomb() -> bytes:
    return WheelParts(files={"demo/zeros.bin": bytes(64 << 20)}).pack()


def _size_lie_bomb() -> bytes:
    """Says 10 bytes, inflates to 256 MB: a reader that trusts the stream holds them all."""
    piece = zlib.compressobj(9, zlib.DEFLATED, -15)
    packed = b"".join(piece.compress(bytes(1 << 20)) for _ in range(256)) + piece.flush()
    return DEMO.pack_changed(INIT, packed=packed, size=10, data=bytes(10))


def _declared_huge() -> bytes:
    return DEMO.pack_changed(INIT, size=(4 << 30) - 2)


def _many_entries() -> bytes:
    entries = [ZipEntry(name=f"demo/{n}".encode(), method=0) for n in range(60_001)]
    return write_zip([*entries, *DEMO.entries()])


def _zip64_end() -> bytes:
    record = struct.pack("<4sQ2H2L4Q", b"PK\x06\x06", 44, 45, 45, 0, 0, 4, 4, 100, 100)
    locator = struct.pack("<4sLQL", b"PK\x06\x07", 0, 0, 1)
    return write_zip(DEMO.entries(), ZipShape(before_end=record + locator))


def _unicode_path() -> bytes:
    value = struct.pack("<BL", 1, zlib.crc32(INIT.encode())) + b"demo/__evil__.py"
    extra = struct.pack("<2H", 0x7075, len(value)) + value
    return DEMO.pack_changed(INIT, central_extra=extra)


A1 = tuple(
    Hostile(name=name, threat="A1", kind=kind, entry=entry, make=make)
    for name, kind, entry, make in (
        ("climbs by ../", Refusal.NAME_TRAVERSAL, "../evil.py", _named(b"../evil.py")),
        ("climbs from a folder", Refusal.NAME_TRAVERSAL, "demo/../../evil.py", _named(b"demo/../../evil.py")),
        ("ends in ..", Refusal.NAME_TRAVERSAL, "demo/..", _named(b"demo/..")),
        ("absolute", Refusal.NAME_ABSOLUTE, "/tmp/evil.py", _named(b"/tmp/evil.py")),  # noqa: S108
        ("absolute by two slashes", Refusal.NAME_ABSOLUTE, "//evil.py", _named(b"//evil.py")),
        ("backslashes", Refusal.NAME_BACKSLASH, "..\\evil.py", _named(b"..\\evil.py")),
        ("drive letter", Refusal.NAME_DRIVE, "C:/evil.py", _named(b"C:/evil.py")),
        ("NUL in the name", Refusal.NAME_CONTROL, "demo/evil.py", _named(b"demo/evil.py\x00.txt")),
        ("newline in the name", Refusal.NAME_CONTROL, "demo/evil", _named(b"demo/evil\n.py")),
        ("right-to-left override", Refusal.NAME_CONTROL, "demo/evil", _named("demo/evil\u202eyp.txt".encode(), flags=0x800)),
        ("a dot part", Refusal.NAME_NOT_NORMAL, "demo/./evil.py", _named(b"demo/./evil.py")),
        ("an empty part", Refusal.NAME_NOT_NORMAL, "demo//evil.py", _named(b"demo//evil.py")),
        ("no name", Refusal.NAME_NOT_NORMAL, "''", _named(b"")),
        ("climbs out of .data", Refusal.NAME_TRAVERSAL, "demo-1.0.data/data/../../evil.py", _named(b"demo-1.0.data/data/../../evil.py")),
        ("unknown .data scheme", Refusal.DATA_SCHEME, "demo-1.0.data/elsewhere/evil.py", _named(b"demo-1.0.data/elsewhere/evil.py")),
        (".data of another project", Refusal.DATA_SCHEME, "other-1.0.data/data/x", _named(b"other-1.0.data/data/x")),
        ("data into site-packages", Refusal.RESERVED_PATH, "sitecustomize.py", _named(b"demo-1.0.data/data/lib/python3.13/site-packages/sitecustomize.py")),
        ("data over pyvenv.cfg", Refusal.RESERVED_PATH, "pyvenv.cfg", _named(b"demo-1.0.data/data/pyvenv.cfg")),
        ("script in a folder", Refusal.RESERVED_PATH, "scripts/a/b", _named(b"demo-1.0.data/scripts/a/b")),
        ("script over the interpreter", Refusal.RESERVED_PATH, "scripts/python3", _named(b"demo-1.0.data/scripts/python3")),
        ("entry point over the interpreter", Refusal.RESERVED_PATH, "python3", _parts(entry_points=b"[console_scripts]\npython3 = demo:x\n")),
        ("entry point climbs", Refusal.SCRIPT_NAME, "entry_points.txt", _parts(entry_points=b"[console_scripts]\n../../evil = demo:x\n")),
        ("entry point holds code", Refusal.ENTRY_POINTS, "entry_points.txt", _parts(entry_points=b"[console_scripts]\nevil = os;import evil:x\n")),
        ("whiteout", Refusal.WHITEOUT, "demo/.wh.other.py", _named(b"demo/.wh.other.py")),
        ("opaque whiteout", Refusal.WHITEOUT, ".wh..wh..opq", _named(b"demo/.wh..wh..opq")),
    )
)  # fmt: skip

A2 = tuple(
    Hostile(name=name, threat="A2", kind=kind, entry=entry, make=make)
    for name, kind, entry, make in (
        ("not a zip", Refusal.NOT_A_ZIP, "", lambda: b"#!/bin/sh\n" * 10),
        ("empty file", Refusal.NOT_A_ZIP, "", lambda: b""),
        ("cut short", Refusal.NOT_A_ZIP, "", lambda: DEMO.pack()[:-30]),
        ("local name differs", Refusal.HEADERS_DIFFER, INIT, _hidden_local_name),
        ("local sizes differ", Refusal.HEADERS_DIFFER, INIT, _changed(local={"size": 1})),
        ("local checksum differs", Refusal.HEADERS_DIFFER, INIT, _changed(local={"crc": 1})),
        ("local method differs", Refusal.HEADERS_DIFFER, INIT, _changed(local={"method": 0})),
        ("local flags differ", Refusal.HEADERS_DIFFER, INIT, _changed(local={"flags": 0x800})),
        ("two archives, one after the other", Refusal.PREPENDED_BYTES, INIT, _two_archives),
        ("two end records", Refusal.TWO_DIRECTORIES, "", _shaped(ZipShape(before_end=struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, 0, 0, 0, 0, 0)))),
        ("prepended bytes, offsets shifted", Refusal.PREPENDED_BYTES, INIT, _shaped(ZipShape(prepended=b"#!/bin/sh\n"))),
        ("prepended bytes, offsets not", Refusal.PREPENDED_BYTES, "", _shaped(ZipShape(prepended=b"#!/bin/sh\n", shift_offsets=False))),
        ("trailing bytes", Refusal.TRAILING_BYTES, "", _shaped(ZipShape(trailing=b"evil"))),
        ("archive comment", Refusal.COMMENT, "", _shaped(ZipShape(comment=b"evil"))),
        ("comment that holds an end record", Refusal.TWO_DIRECTORIES, "", _shaped(ZipShape(comment=b"PK\x05\x06" + bytes(18)))),
        ("comment that holds one and more", Refusal.TRAILING_BYTES, "", _shaped(ZipShape(comment=b"PK\x05\x06" + bytes(18) + b"xx"))),
        ("entry comment", Refusal.COMMENT, INIT, _changed(comment=b"evil")),
        ("bytes between entries", Refusal.GAP, f"{INFO}/METADATA", lambda: DEMO.pack_changed(f"{INFO}/METADATA", gap=b"evil")),
        ("bytes before the directory", Refusal.GAP, "", _shaped(ZipShape(before_directory=b"evil"))),
        ("bytes after the directory", Refusal.GAP, "", _shaped(ZipShape(before_end=b"evil"))),
        ("bytes after a deflated stream", Refusal.GAP, INIT, _changed(packed=deflate(DEMO.files[INIT]) + b"evil")),
        ("entry that the directory hides", Refusal.GAP, f"{INFO}/METADATA", lambda: DEMO.pack_changed(f"{INFO}/METADATA", gap=write_zip([ZipEntry(name=b"demo/evil.py", data=EVIL)])[:-22])),
        ("fewer entries announced", Refusal.GAP, "", _shaped(ZipShape(end={"count_here": 3, "count": 3}))),
        ("one body for two names", Refusal.OVERLAP, "demo/again.py", _overlap),
        ("duplicate names", Refusal.DUPLICATE, INIT, _duplicate),
        ("false data descriptor", Refusal.DATA_DESCRIPTOR, INIT, _changed(flags=8, descriptor=b"PK\x07\x08" + bytes(12))),
        ("no data descriptor where promised", Refusal.DATA_DESCRIPTOR, INIT, _changed(flags=8, descriptor=b"")),
        ("unneeded zip64 end record", Refusal.ZIP64, "", _zip64_end),
        ("zip64 sizes in the directory", Refusal.ZIP64, INIT, _changed(central={"size": 0xFFFFFFFF}, central_extra=struct.pack("<2HQ", 1, 8, 12))),
        ("zip64 sizes that differ", Refusal.HEADERS_DIFFER, INIT, _changed(local_extra=struct.pack("<2H2Q", 1, 16, 1, 1), local={"size": 0xFFFFFFFF, "packed_size": 0xFFFFFFFF})),
        ("another name in an extra field", Refusal.EXTRA_FIELD, INIT, _unicode_path),
        ("extra field cut short", Refusal.EXTRA_FIELD, INIT, _changed(central_extra=b"\x55\x54\xff\xff")),
        ("several disks", Refusal.MULTI_DISK, "", _shaped(ZipShape(end={"disk": 1}))),
        ("entry on another disk", Refusal.MULTI_DISK, INIT, _changed(disk=1)),
        ("encrypted", Refusal.ENCRYPTED, INIT, _changed(flags=1)),
        ("masked headers", Refusal.FLAGS, INIT, _changed(flags=0x2000)),
        ("bzip2", Refusal.METHOD, INIT, _changed(method=12, packed=b"BZh9")),
        ("needs a later format", Refusal.METHOD, INIT, _changed(needed=63)),
        ("wrong checksum", Refusal.CHECKSUM, INIT, _changed(crc=1)),
        ("wrong size", Refusal.SIZE, INIT, _changed(size=5)),
        ("stored with two sizes", Refusal.SIZE, INIT, _changed(method=0, size=5)),
        ("damaged stream", Refusal.CORRUPT, INIT, _changed(packed=b"\xff" * 20)),
        ("stream without end", Refusal.CORRUPT, INIT, _changed(packed=zlib.compressobj(0, zlib.DEFLATED, -15).compress(b"") + b"\x00\x0c\x00\xf3\xff" + DEMO.files[INIT])),
        ("name neither ASCII nor UTF-8", Refusal.NAME_ENCODING, "demo/", _named("demo/\u00e9.py".encode("latin-1"))),
        ("UTF-8 name that is not marked", Refusal.NAME_ENCODING, "demo/", _named("demo/\u00e9.py".encode())),
        ("UTF-8 mark on other bytes", Refusal.NAME_ENCODING, "demo/", _named(b"demo/\xff.py", flags=0x800)),
    )
)  # fmt: skip

A3 = tuple(
    Hostile(name=name, threat="A3", kind=kind, entry=entry, make=make)
    for name, kind, entry, make in (
        ("no RECORD", Refusal.RECORD_MISSING, f"{INFO}/RECORD", _parts(without=("RECORD",))),
        ("RECORD misses a file", Refusal.RECORD_UNLISTED_FILE, INIT, _recorded(lambda files: _true_record({k: v for k, v in files.items() if k != INIT}))),
        ("RECORD lists an absent file", Refusal.RECORD_ABSENT_FILE, "demo/gone.py", _recorded(lambda files: _true_record({**files, "demo/gone.py": b""}))),
        ("RECORD has a wrong hash", Refusal.RECORD_HASH, INIT, _recorded(lambda files: _true_record(files).replace(hash_of(files[INIT]).encode(), hash_of(EVIL).encode()))),
        ("RECORD has a wrong size", Refusal.RECORD_SIZE, INIT, _recorded(lambda files: _true_record(files).replace(b",12\n", b",13\n"))),
        ("RECORD has no hash", Refusal.RECORD_HASH, INIT, _recorded(lambda files: _true_record(files).replace(hash_of(files[INIT]).encode(), b""))),
        ("RECORD has no size", Refusal.RECORD_SIZE, INIT, _recorded(lambda files: _true_record(files).replace(b",12\n", b",\n"))),
        ("RECORD trusts md5", Refusal.RECORD_WEAK_HASH, INIT, _recorded(lambda files: _true_record(files).replace(hash_of(files[INIT]).encode(), hash_of(files[INIT], "md5").encode()))),
        ("RECORD lists a file twice", Refusal.RECORD_DUPLICATE, INIT, _recorded(lambda files: f"{INIT},{hash_of(files[INIT])},12\n".encode() + _true_record(files))),
        ("RECORD is no table", Refusal.RECORD_SYNTAX, INIT, _recorded(lambda files: INIT.encode() + b"\n" + _true_record(files))),
        ("RECORD is not UTF-8", Refusal.RECORD_SYNTAX, f"{INFO}/RECORD", _recorded(lambda files: b"\xff" + _true_record(files))),
        ("RECORD climbs", Refusal.RECORD_ABSENT_FILE, "../../etc/passwd", _recorded(lambda files: _true_record({**files, "../../etc/passwd": b""}))),
        ("no .dist-info", Refusal.DIST_INFO_MISSING, "", lambda: write_zip([ZipEntry(name=b"demo/x.py")])),
        ("two .dist-info", Refusal.DIST_INFO_SEVERAL, "other-1.0.dist-info", _with_file("other-1.0.dist-info/METADATA")),
        ("no METADATA", Refusal.METADATA, f"{INFO}/METADATA", _parts(without=("METADATA",))),
        ("no WHEEL", Refusal.WHEEL_FILE, f"{INFO}/WHEEL", _parts(without=("WHEEL",))),
        ("wheel format 2", Refusal.WHEEL_VERSION, f"{INFO}/WHEEL", _parts(wheel=b"Wheel-Version: 2.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")),
    )
)  # fmt: skip

A4 = tuple(
    Hostile(name=name, threat="A4", kind=kind, entry=entry, make=make)
    for name, kind, entry, make in (
        ("inflates 1000 to 1", Refusal.RATIO, "demo/zeros.bin", _ratio_bomb),
        ("inflates past its size", Refusal.SIZE, INIT, _size_lie_bomb),
        ("announces 4 GB", Refusal.TOO_LARGE, INIT, _declared_huge),
        ("overlapping kernel", Refusal.OVERLAP, "demo/0", _quoted_bomb),
        ("60,000 entries and more", Refusal.TOO_MANY_ENTRIES, "", _many_entries),
        ("name of 2000 bytes", Refusal.NAME_TOO_LONG, "demo/", _named(b"demo/" + (b"a" * 199 + b"/") * 10 + b"x")),
        ("part of 300 bytes", Refusal.NAME_TOO_LONG, "demo/", _named(b"demo/" + b"a" * 300)),
    )
)  # fmt: skip

A5 = tuple(
    Hostile(name=name, threat="A5", kind=kind, entry=entry, make=make)
    for name, kind, entry, make in (
        ("symbolic link", Refusal.SPECIAL_FILE, INIT, _changed(data=b"/etc/passwd", attributes=0o120777 << 16)),
        ("character device", Refusal.SPECIAL_FILE, INIT, _changed(attributes=0o020666 << 16)),
        ("block device", Refusal.SPECIAL_FILE, INIT, _changed(attributes=0o060666 << 16)),
        ("fifo", Refusal.SPECIAL_FILE, INIT, _changed(attributes=0o010666 << 16)),
        ("socket", Refusal.SPECIAL_FILE, INIT, _changed(attributes=0o140666 << 16)),
        ("folder named as a file", Refusal.SPECIAL_FILE, INIT, _changed(attributes=(0o040755 << 16) | 0x10)),
        ("set-user-id", Refusal.SETUID, INIT, _changed(attributes=0o104755 << 16)),
        ("set-group-id", Refusal.SETUID, INIT, _changed(attributes=0o102755 << 16)),
    )
)  # fmt: skip

A6 = tuple(
    Hostile(name=name, threat="A6", kind=kind, entry=entry, make=make)
    for name, kind, entry, make in (
        ("names that differ in case", Refusal.CASE_COLLISION, "demo/__INIT__.py", lambda: WheelParts(files={**DEMO.files, "demo/__INIT__.py": EVIL}).pack()),
        ("names that differ in Unicode form", Refusal.CASE_COLLISION, "demo/", lambda: WheelParts(files={"demo/\u00e9.py": b"", "demo/e\u0301.py": EVIL}).pack()),
        ("file and folder", Refusal.FILE_AND_DIRECTORY, "demo", lambda: WheelParts(files={"demo": b"", **DEMO.files}).pack()),
        ("sitecustomize.py", Refusal.STARTUP_HOOK, "sitecustomize.py", _with_file("sitecustomize.py")),
        ("sitecustomize package", Refusal.STARTUP_HOOK, "sitecustomize/__init__.py", _with_file("sitecustomize/__init__.py")),
        ("usercustomize extension", Refusal.STARTUP_HOOK, "usercustomize.abi3.so", _with_file("usercustomize.abi3.so")),
        ("sitecustomize through purelib", Refusal.STARTUP_HOOK, "sitecustomize.py", _with_file("demo-1.0.data/purelib/sitecustomize.py")),
        ("purelib over its own root", Refusal.SAME_DESTINATION, f"demo-1.0.data/purelib/{INIT}", _with_file(f"demo-1.0.data/purelib/{INIT}")),
        ("script over its own entry point", Refusal.SAME_DESTINATION, "demo-1.0.data/scripts/run", lambda: WheelParts(files={"demo-1.0.data/scripts/run": EVIL}, entry_points=b"[console_scripts]\nrun = demo:x\n").pack()),
        ("data over its own script", Refusal.SAME_DESTINATION, "demo-1.0.data/data/bin/run", lambda: WheelParts(files={"demo-1.0.data/scripts/run": b"", "demo-1.0.data/data/bin/run": EVIL}).pack()),
        ("data among headers", Refusal.RESERVED_PATH, "demo-1.0.data/data/include/site/x.h", _with_file("demo-1.0.data/data/include/site/x.h")),
        ("one script twice", Refusal.ENTRY_POINTS, "entry_points.txt", _parts(entry_points=b"[console_scripts]\nrun = demo:x\n[gui_scripts]\nrun = demo:y\n")),
    )
)  # fmt: skip

A7 = (
    *(
        Hostile(name=name, threat="A7", kind=kind, entry=entry, make=make)
        for name, kind, entry, make in (
            ("METADATA of another project", Refusal.NAME_LIE, f"{INFO}/METADATA", _parts(metadata=b"Metadata-Version: 2.1\nName: requests\nVersion: 1.0\n")),
            ("METADATA of another version", Refusal.VERSION_LIE, f"{INFO}/METADATA", _parts(metadata=b"Metadata-Version: 2.1\nName: demo\nVersion: 2.0\n")),
            ("two names in METADATA", Refusal.METADATA, f"{INFO}/METADATA", _parts(metadata=b"Metadata-Version: 2.1\nName: demo\nName: requests\nVersion: 1.0\n")),
            ("tags that the file name does not have", Refusal.TAGS_LIE, f"{INFO}/WHEEL", _tag_lie),
            ("no tags", Refusal.TAGS_LIE, f"{INFO}/WHEEL", _parts(wheel=b"Wheel-Version: 1.0\nRoot-Is-Purelib: true\n")),
        )
    ),
    Hostile(name="file name of another project", threat="A7", kind=Refusal.DIST_INFO_NAME, entry=INFO, make=DEMO.pack, file_name="requests-1.0-py3-none-any.whl"),
    Hostile(name="file name of another version", threat="A7", kind=Refusal.DIST_INFO_NAME, entry=INFO, make=DEMO.pack, file_name="demo-2.0-py3-none-any.whl"),
    Hostile(name="no wheel's file name", threat="A7", kind=Refusal.FILE_NAME, entry="", make=DEMO.pack, file_name="demo.whl"),
)  # fmt: skip

HOSTILE: tuple[Hostile, ...] = (*A1, *A2, *A3, *A4, *A5, *A6, *A7)
