"""What differs between two layers, file by file: mode, owner, size, bytes, link, order."""

from __future__ import annotations

import hashlib
import tarfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from builder.errors import BuilderError
from builder.image.stream import ChunkStream
from builder.image.tar_reader import BROKEN, BoundedTarInfo

_READ = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """One thing that is not what the lock gives."""

    where: str
    """As `linux/amd64: layer 12 (core-botocore)`."""
    path: str
    """In the image; empty where no single file is to blame."""
    what: str
    """As `mode is 0644, the lock gives 0755`."""

    def __str__(self) -> str:
        return f"{self.where}: {self.path}: {self.what}" if self.path else f"{self.where}: {self.what}"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Member:
    kind: str
    mode: str
    owner: str
    size: int
    time: float
    link: str
    sha256: str


def compare_layers(expected: Iterable[bytes], found: Iterable[bytes], *, where: str) -> Difference:
    """Name the first difference of two tars that are known to differ.

    Args:
        expected: what the lock gives, unpacked.
        found: what lies there, unpacked; it may raise while it is read.
        where: names the layer.
    """
    ours = dict(_members(expected))
    try:
        theirs = dict(_members(found))
    except (*BROKEN, BuilderError) as error:
        return Difference(where=where, path="", what=f"cannot be unpacked: {error}")
    for path in sorted(ours.keys() | theirs.keys()):
        if path not in theirs:
            return Difference(where=where, path=path, what="is missing")
        if path not in ours:
            return Difference(where=where, path=path, what="is not in what the lock gives")
        if ours[path] != theirs[path]:
            return Difference(where=where, path=path, what=_describe(ours[path], theirs[path]))
    if list(ours) != list(theirs):
        first = next(path for path, other in zip(theirs, ours, strict=True) if path != other)
        return Difference(where=where, path=first, what="stands at another place in the layer")
    return Difference(
        where=where, path="", what="holds the same files in other bytes: another compressor or tar writer"
    )


def _describe(ours: _Member, theirs: _Member) -> str:
    for field in ("kind", "mode", "owner", "size", "link", "time"):
        expected, found = getattr(ours, field), getattr(theirs, field)
        if expected != found:
            return f"{field} is {found}, the lock gives {expected}"
    return f"bytes differ: sha256 is {theirs.sha256}, the lock gives {ours.sha256}"


def _members(chunks: Iterable[bytes]) -> Iterator[tuple[str, _Member]]:
    with tarfile.open(fileobj=ChunkStream(chunks), mode="r|", bufsize=_READ, tarinfo=BoundedTarInfo) as tar:  # type: ignore[call-overload]
        for member in tar:
            content = tar.extractfile(member) if member.isreg() else None
            digest = hashlib.sha256()
            while content and (piece := content.read(_READ)):
                digest.update(piece)
            yield (
                member.name,
                _Member(
                    kind=_kind(member),
                    mode=f"{member.mode:04o}",
                    owner=f"{member.uid}:{member.gid}",
                    size=member.size,
                    time=member.mtime,
                    link=member.linkname,
                    sha256=digest.hexdigest(),
                ),
            )


def _kind(member: tarfile.TarInfo) -> str:
    if member.isdir():
        return "directory"
    if member.issym():
        return "symlink"
    return "hardlink" if member.islnk() else "file"
