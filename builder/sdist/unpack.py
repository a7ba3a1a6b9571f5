"""Reads sdists strictly: `.tar.gz` and `.zip`, one top folder, plain files below it.

- Names: relative, normalised, no `..`, printable; no file is also a folder; none stands twice.
- Kinds: files and folders. Links are taken where they lead to a file of the same sdist, and become that file; all else is
  refused: devices, fifos, sparse files, links that lead out.
- Modes become 0644 or 0755: set-user-id and the rest go. Owners and times go.
- Nothing is inflated beyond the limits, however little is promised.

Source: PEP 517, PEP 527, PEP 625, the source distribution format of packaging.python.org.
"""

from __future__ import annotations

import io
import posixpath
import tarfile
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import NoReturn

from builder.errors import IntegrityError
from builder.image.tar_reader import BROKEN, BoundedTarInfo
from builder.sdist.errors import Kind, SdistError
from builder.wheel.archive import Limits as ZipLimits
from builder.wheel.archive import read_archive
from builder.wheel.names import check_name

_CHUNK = 1 << 16
_MOST_MEMBERS = 64
"""Of one gzip stream; each costs a copy of the rest, and empty ones count no bytes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How much an sdist may hold; some ten times what pure Python projects have."""

    packed_size: int = 128 << 20
    entries: int = 30_000
    total_size: int = 512 << 20
    """Bytes, inflated, headers of the tar included."""
    ratio: int = 100
    """Inflated bytes for one compressed."""
    ratio_free_size: int = 64 << 20
    """Bytes, inflated, below which the ratio does not matter."""


DEFAULT_LIMITS = Limits()


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceFile:
    """One file of an sdist."""

    path: str
    """Relative to the top folder."""
    data: bytes
    executable: bool


def read_sdist(data: bytes, *, file_name: str, limits: Limits = DEFAULT_LIMITS) -> tuple[SourceFile, ...]:
    """Read an sdist whole.

    Args:
        data: untrusted.
        file_name: tells the format, and names it in errors.
        limits: how much it may hold.

    Returns:
        Files by path.

    Raises:
        SdistError: it breaks one of this module's rules.
    """
    if len(data) > limits.packed_size:
        raise SdistError(Kind.TOO_LARGE, f"{len(data)} bytes, more than {limits.packed_size}", sdist=file_name)
    if file_name.endswith(".tar.gz"):
        files = _read_tar(data, file_name, limits)
    elif file_name.endswith(".zip"):
        files = _read_zip(data, file_name, limits)
    else:
        raise SdistError(Kind.ARCHIVE, "neither .tar.gz nor .zip", sdist=file_name)
    return _below_top(files, file_name)


def _read_zip(data: bytes, file_name: str, limits: Limits) -> dict[str, SourceFile]:
    allowed = ZipLimits(entries=limits.entries, total_size=limits.total_size, entry_size=limits.total_size)
    try:
        members = read_archive(data, file_name=file_name, limits=allowed)
    except IntegrityError as error:
        raise SdistError(Kind.ARCHIVE, error.message, sdist=error.context) from error
    return {
        member.name: SourceFile(path=member.name, data=member.data, executable=member.executable) for member in members
    }


def _read_tar(data: bytes, file_name: str, limits: Limits) -> dict[str, SourceFile]:
    plain = io.BytesIO(_inflate(data, file_name, limits))
    files: dict[str, SourceFile] = {}
    links: dict[str, str] = {}
    folders: set[str] = set()
    try:
        with tarfile.open(fileobj=plain, mode="r:", errorlevel=2, tarinfo=BoundedTarInfo) as archive:
            for count, member in enumerate(archive):
                if count >= limits.entries:
                    raise SdistError(Kind.TOO_LARGE, f"more than {limits.entries} entries", sdist=file_name)
                path = _checked_name(member, file_name)
                if member.isdir():
                    folders.add(path)
                elif path in files or path in links:
                    _refuse("it is there twice", file_name, path)
                elif member.issym() or member.islnk():
                    links[path] = _target(member, path)
                else:
                    files[path] = _read_member(archive, member, path, file_name)
    except BROKEN as error:
        raise SdistError(Kind.ARCHIVE, f"the tar is damaged: {error}", sdist=file_name) from error
    return files | dict(_resolved(links, files, file_name))


def _inflate(data: bytes, file_name: str, limits: Limits) -> bytes:
    """Inflate one or several gzip members, up to the limit."""
    chunks: list[bytes] = []
    size, rest, members = 0, data, 0
    most = min(limits.total_size, max(limits.ratio_free_size, limits.ratio * len(data)))
    try:
        while rest:
            members += 1
            if members > _MOST_MEMBERS:
                _refuse(f"more than {_MOST_MEMBERS} gzip members", file_name)
            inflater = zlib.decompressobj(wbits=31)
            while not inflater.eof:
                chunk = inflater.decompress(rest, _CHUNK * 16)
                size += len(chunk)
                if size > most:
                    raise SdistError(Kind.TOO_LARGE, f"inflates to more than {most} bytes", sdist=file_name)
                rest = inflater.unconsumed_tail
                if not chunk and not rest and not inflater.eof:
                    _refuse("the gzip stream breaks off", file_name)
                chunks.append(chunk)
            rest = inflater.unused_data.lstrip(b"\0")
    except zlib.error as error:
        raise SdistError(Kind.ARCHIVE, f"the gzip stream is damaged: {error}", sdist=file_name) from error
    return b"".join(chunks)


def _checked_name(member: tarfile.TarInfo, file_name: str) -> str:
    name = member.name.removeprefix("./") or "."
    if name == "." and member.isdir():
        return name
    try:
        check_name(name, name.encode("utf-8", "surrogateescape"), wheel=file_name)
    except IntegrityError as error:
        raise SdistError(Kind.ARCHIVE, error.message, sdist=error.context) from error
    except UnicodeEncodeError:
        _refuse("its name is no text", file_name)
    return name


def _target(member: tarfile.TarInfo, path: str) -> str:
    """Name what a link leads to, relative to the archive's root; a hard link says that itself."""
    if member.islnk():
        return posixpath.normpath(member.linkname)
    if member.linkname.startswith("/"):
        return member.linkname
    return posixpath.normpath(posixpath.join(posixpath.dirname(path), member.linkname))


def _read_member(archive: tarfile.TarFile, member: tarfile.TarInfo, path: str, file_name: str) -> SourceFile:
    if not member.isreg() or member.issparse():
        _refuse("neither file, folder nor link", file_name, path)
    content = archive.extractfile(member)
    data = content.read() if content else b""
    if len(data) != member.size:
        _refuse(f"{len(data)} bytes of {member.size}", file_name, path)
    return SourceFile(path=path, data=data, executable=bool(member.mode & 0o100))


def _resolved(
    links: Mapping[str, str], files: Mapping[str, SourceFile], file_name: str
) -> Iterator[tuple[str, SourceFile]]:
    """Turn links into copies of what they lead to; a link to a link, a folder or out of the sdist is refused."""
    for path, target in sorted(links.items()):
        found = files.get(target)
        if found is None or target.partition("/")[0] != path.partition("/")[0]:
            _refuse("a link that leads to no file of this sdist", file_name, path)
        yield path, SourceFile(path=path, data=found.data, executable=found.executable)


def _below_top(files: Mapping[str, SourceFile], file_name: str) -> tuple[SourceFile, ...]:
    """Take the one top folder off."""
    tops = {path.partition("/")[0] for path in files}
    if len(tops) != 1 or any("/" not in path for path in files):
        _refuse(f"it has {len(tops)} top folders or files, not one folder", file_name)
    for path in files:
        parent = posixpath.dirname(path)
        while parent:
            if parent in files:
                _refuse("a file, and a folder too", file_name, parent)
            parent = posixpath.dirname(parent)
    return tuple(
        SourceFile(path=path.partition("/")[2], data=file.data, executable=file.executable)
        for path, file in sorted(files.items())
    )


def _refuse(message: str, file_name: str, entry: str = "") -> NoReturn:
    raise SdistError(Kind.ARCHIVE, message, sdist=file_name, entry=entry)
