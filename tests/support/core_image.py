"""Layers of a built image, read by tarfile: what a file system of it would hold, and from which layer.

Nothing of builder.image reads here: what wrote the layers does not vouch for them.
"""

from __future__ import annotations

import gzip
import io
import posixpath
import tarfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import zstandard

from builder.lock.base import parse_base_lock
from builder.lock.model import BaseLock, StackLock
from builder.lock.pylock import parse_stack_lock
from builder.oci.layout import PlatformImage, blob_path
from tests.support.tools import ROOT

SITE = "home/airflow/.local/lib/python{python}/site-packages/"
_MOST_LINKS = 40
_ZSTD = b"\x28\xb5\x2f\xfd"


@dataclass(frozen=True, slots=True, kw_only=True)
class Layers:
    """One platform's layers in a layout folder."""

    folder: Path
    image: PlatformImage

    @property
    def paths(self) -> tuple[Path, ...]:
        """The blobs, base first."""
        return tuple(self.folder / blob_path(layer.digest) for layer in self.image.manifest.layers)

    def headers(self) -> tuple[tuple[tarfile.TarInfo, ...], ...]:
        """List the entries of every layer, in their order there."""
        return tuple(_headers(path) for path in self.paths)

    def tree(self) -> Mapping[str, tarfile.TarInfo]:
        """Stack the layers: the topmost entry of every path."""
        return {entry.name: entry for layer in self.headers() for entry in layer}

    def contents(self, wanted: Callable[[str], bool]) -> Iterator[tuple[str, bytes]]:
        """Give the content of files and hard links whose path is wanted; one layer is in memory at a time."""
        for path in self.paths:
            if not any(wanted(entry.name) and _has_content(entry) for entry in _headers(path)):
                continue
            tar = memoryview(inflate(path))
            files = {entry.name: entry for entry in _headers(path)}
            for name, entry in files.items():
                if wanted(name) and _has_content(entry):
                    held = files[entry.linkname] if entry.islnk() else entry
                    yield name, bytes(tar[held.offset_data : held.offset_data + held.size])


def resolve(tree: Mapping[str, tarfile.TarInfo], path: str) -> str | None:
    """Follow links as the kernel would, from the image's root; None where it leads nowhere."""
    pending = [part for part in path.split("/") if part]
    done: list[str] = []
    followed = 0
    while pending:
        part = pending.pop(0)
        if part == "..":
            done = done[:-1]
            continue
        if part == ".":
            continue
        entry = tree.get("/".join([*done, part]))
        if entry is None:
            return None
        if not entry.issym():
            done.append(part)
            continue
        followed += 1
        if followed > _MOST_LINKS:
            return None
        if posixpath.isabs(entry.linkname):
            done = []
        pending = [*(part for part in entry.linkname.split("/") if part), *pending]
    return "/".join(done)


@cache
def stack_lock(stack: str) -> StackLock:
    """Read the committed lock of a stack."""
    name = f"locks/pylock.{stack}.toml"
    return parse_stack_lock((ROOT / name).read_bytes(), file=name)


@cache
def base_lock(base: str) -> BaseLock:
    """Read the committed lock of a base."""
    name = f"locks/base.{base}.toml"
    return parse_base_lock((ROOT / name).read_bytes(), file=name)


@cache
def _headers(path: Path) -> tuple[tarfile.TarInfo, ...]:
    with tarfile.open(fileobj=io.BytesIO(inflate(path)), mode="r:") as layer:
        return tuple(layer)


def inflate(path: Path) -> bytes:
    """Read the tar that a blob holds, by what its first bytes say."""
    data = path.read_bytes()
    if data.startswith(_ZSTD):
        with zstandard.ZstdDecompressor().stream_reader(data, read_across_frames=True) as stream:
            return stream.read()
    return gzip.decompress(data)


def _has_content(entry: tarfile.TarInfo) -> bool:
    return entry.isreg() or entry.islnk()
