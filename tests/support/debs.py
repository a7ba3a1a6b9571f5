"""Debs made by hand, byte by byte, so that tests can make wrong ones too."""

from __future__ import annotations

import gzip
import io
import lzma
import tarfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import zstandard

CONTROL = """\
Package: hello
Version: 1.0-1
Architecture: amd64
Maintainer: Nobody <nobody@example.org>
Description: says hello
 At length.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """A member of a tar archive."""

    name: str
    data: bytes = b""
    type: bytes = tarfile.REGTYPE
    link: str = ""
    mode: int = 0o644
    uid: int = 0
    gid: int = 0


def folder(name: str, mode: int = 0o755) -> Item:
    return Item(name=name, type=tarfile.DIRTYPE, mode=mode)


def symlink(name: str, target: str) -> Item:
    return Item(name=name, type=tarfile.SYMTYPE, link=target)


def hardlink(name: str, target: str) -> Item:
    return Item(name=name, type=tarfile.LNKTYPE, link=target)


def make_tar(items: Sequence[Item], *, tar_format: int = tarfile.GNU_FORMAT) -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w", format=tar_format) as archive:
        for item in items:
            info = tarfile.TarInfo(item.name)
            info.type, info.linkname, info.mode = item.type, item.link, item.mode
            info.uid, info.gid, info.size = item.uid, item.gid, len(item.data)
            archive.addfile(info, io.BytesIO(item.data))
    return stream.getvalue()


def compress(data: bytes, suffix: str) -> bytes:
    return {
        "xz": lambda: lzma.compress(data),
        "gz": lambda: gzip.compress(data, mtime=0),
        "zst": lambda: zstandard.ZstdCompressor(write_content_size=False).compress(data),
    }[suffix]()


def make_ar(members: Sequence[tuple[str, bytes]]) -> bytes:
    parts = [b"!<arch>\n"]
    for name, data in members:
        parts += [
            f"{name:<16}{0:<12}{0:<6}{0:<6}{'100644':<8}{len(data):<10}`\n".encode(),
            data,
            b"\n" * (len(data) % 2),
        ]
    return b"".join(parts)


def make_deb(
    items: Sequence[Item] = (),
    *,
    control: str = CONTROL,
    control_files: Mapping[str, str] | None = None,
    suffix: str = "xz",
    data_tar: bytes | None = None,
) -> bytes:
    files = {"control": control, **(control_files or {})}
    control_items = [folder("./"), *(Item(name=f"./{name}", data=text.encode()) for name, text in files.items())]
    data = make_tar(items) if data_tar is None else data_tar
    return make_ar(
        [
            ("debian-binary", b"2.0\n"),
            (f"control.tar.{suffix}", compress(make_tar(control_items), suffix)),
            (f"data.tar.{suffix}", compress(data, suffix)),
        ]
    )
