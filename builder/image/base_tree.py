"""The layers of a base that is an image, read as one tree: what a file system of them would hold, without writing it.

Somebody else's layers: each byte is hashed against digest and diff_id, and what no build of ours could stand on is refused
by name: paths that lead out, members below links, devices, links to nothing, whiteouts that are none.

Source: opencontainers/image-spec, layer.md: whiteouts `.wh.<name>` and `.wh..wh..opq`.
"""

from __future__ import annotations

import hashlib
import posixpath
import tarfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import IO, Final, Self, cast

from builder.entry import EntryKind
from builder.errors import BuildError, DigestMismatchError, IntegrityError
from builder.image.compress import decompress
from builder.image.stream import ChunkStream
from builder.lock.model import LockedFile, LockedLayer
from builder.oci import media

OpenLayer = Callable[[LockedFile], Iterable[bytes]]
"""Gives a layer's compressed bytes, unchecked."""

_CHUNK: Final = 1 << 20
_MOST_MEMBERS: Final = 2_000_000
_MOST_BYTES: Final = 64 << 30
"""Of one base, unpacked: more is a bomb."""
_MOST_LINKS: Final = 40
_LONGEST_PATH: Final = 4096
_DEEPEST: Final = 256
_MOST_CONTENT: Final = 1 << 30
"""Of one file that is read: no library or program that a base is known by is larger."""
_LARGEST_HEADER: Final = 1 << 20
_EXTENDED: Final = (
    tarfile.XHDTYPE,
    tarfile.XGLTYPE,
    tarfile.SOLARIS_XHDTYPE,
    tarfile.GNUTYPE_LONGNAME,
    tarfile.GNUTYPE_LONGLINK,
)
_WHITEOUT: Final = ".wh."
_OPAQUE: Final = ".wh..wh..opq"


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """One path of the tree."""

    kind: EntryKind
    mode: int
    uid: int
    gid: int
    size: int
    target: str
    """Of a symbolic link."""
    layer: int
    """Number of the layer that holds the content."""
    member: str
    """Path of the content in that layer: another one where it is a hard link."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BaseTree:
    """All paths of a base, links not followed."""

    nodes: Mapping[str, Node]

    def find(self, path: str) -> str | None:
        """Follow links from a path to what is none; None where that is nothing.

        Args:
            path: with or without a leading slash.
        """
        wanted, done, links = path.strip("/").split("/"), "", 0
        while wanted:
            part = wanted.pop(0)
            if part in {"", "."}:
                continue
            if part == "..":
                done = posixpath.dirname(done)
                continue
            here = f"{done}/{part}" if done else part
            node = self.nodes.get(here)
            if node is None:
                return None
            if node.kind is EntryKind.SYMLINK:
                links += 1
                if links > _MOST_LINKS:
                    return None
                if node.target.startswith("/"):
                    done = ""
                wanted = [*node.target.strip("/").split("/"), *wanted]
            else:
                done = here
        return done

    def find_file(self, path: str) -> str | None:
        """Follow links to a file; None where there is none."""
        found = self.find(path)
        return found if found and self.nodes[found].kind is EntryKind.FILE else None


def read_tree(layers: Sequence[LockedLayer], open_layer: OpenLayer, *, where: str) -> BaseTree:
    """Read all layers of a base.

    Args:
        layers: lowest first.
        open_layer: gives their bytes.
        where: names the base in errors.

    Raises:
        DigestMismatchError: a layer is not what its digest or diff_id says.
        IntegrityError: a layer holds what no image may hold.
    """
    builder = TreeBuilder()
    for number, layer in enumerate(layers):
        here = f"{where}: layer {number} ({layer.file.sha256})"
        builder.begin(number)
        for member, _ in iter_members(layer, open_layer(layer.file), where=here):
            builder.add(member, here)
    return BaseTree(nodes=builder.nodes)


def read_contents(
    tree: BaseTree,
    layers: Sequence[LockedLayer],
    open_layer: OpenLayer,
    paths: Iterable[str],
    *,
    where: str,
    most: int = _MOST_CONTENT,
) -> Iterator[tuple[str, bytes]]:
    """Give the content of files of the tree, layer by layer; raises as `read_tree`, and for one longer than `most`."""
    by_layer: dict[int, dict[str, list[str]]] = {}
    for path in sorted(set(paths)):
        node = tree.nodes[path]
        by_layer.setdefault(node.layer, {}).setdefault(node.member, []).append(path)
    for number, members in sorted(by_layer.items()):
        layer = layers[number]
        here = f"{where}: layer {number} ({layer.file.sha256})"
        for member, read in iter_members(layer, open_layer(layer.file), where=here):
            wanted = members.get(normal_path(member.name, here)) if member.isreg() else None
            if wanted:
                if member.size > most:
                    raise IntegrityError(
                        f"has {member.size} bytes, more than is read of one file", context=f"{here}: {wanted[0]}"
                    )
                data = read()
                for path in wanted:
                    yield path, data


def iter_members(
    layer: LockedLayer, chunks: Iterable[bytes], *, where: str
) -> Iterator[tuple[tarfile.TarInfo, Callable[[], bytes]]]:
    """Iterate over a layer's members with what reads their content; at the end the layer is what it should be.

    Raises:
        DigestMismatchError: it is not; whoever used members before must forget them.
        IntegrityError: it is no tar, or endless.
    """
    outer, inner = hashlib.sha256(), hashlib.sha256()
    unpacked = decompress(media.COMPRESSION_OF[layer.media_type], _hashed(chunks, outer, layer.file.size, where))
    for member, open_content in read_members(_hashed(unpacked, inner, _MOST_BYTES, where), where=where):
        yield member, lambda open_content=open_content: _content(open_content())  # type: ignore[misc]
    for found, wanted in ((outer.hexdigest(), layer.file.sha256), (inner.hexdigest(), layer.diff_id)):
        if found != wanted.hex:
            raise DigestMismatchError(f"got sha256:{found}, expected {wanted}", context=where)


def read_members(
    chunks: Iterable[bytes], *, where: str
) -> Iterator[tuple[tarfile.TarInfo, Callable[[], IO[bytes] | None]]]:
    """Iterate over the members of an unpacked layer, with what opens their content; all of it is read.

    Raises:
        IntegrityError: it is no tar, or goes on behind its end, where another reader might find more.
    """
    watched = _Watched(chunks)
    reader = ChunkStream(watched)
    try:
        # Names may be any bytes: what is no UTF-8 is written out, so that the tree can be kept as JSON.
        with tarfile.open(
            fileobj=cast("IO[bytes]", reader),
            mode="r|",
            bufsize=_CHUNK,
            errorlevel=2,
            encoding="utf-8",
            errors="backslashreplace",
            tarinfo=_Member,
        ) as archive:
            for member in archive:
                if archive.pax_headers.keys() - {"comment"}:
                    raise IntegrityError("a global header, which not all readers heed", context=where)
                yield member, lambda member=member: archive.extractfile(member)  # type: ignore[misc]
            end = archive.offset
        reader.drain()
    except (tarfile.TarError, BuildError, EOFError) as error:
        raise IntegrityError(f"cannot be unpacked: {error}", context=where) from error
    if watched.last > end:
        raise IntegrityError("goes on behind the end of its tar", context=where)


class _Watched:
    """Chunks on their way, and how far they went before nothing but zeros came."""

    def __init__(self, chunks: Iterable[bytes]) -> None:
        self._chunks = chunks
        self.last = 0
        """Offset behind the last byte that is not zero."""

    def __iter__(self) -> Iterator[bytes]:
        size = 0
        for chunk in self._chunks:
            kept = len(chunk.rstrip(b"\0"))
            self.last = size + kept if kept else self.last
            size += len(chunk)
            yield chunk


class _Member(tarfile.TarInfo):
    """A member whose extended header is no bomb: tarfile reads one into memory whole."""

    @classmethod
    def frombuf(cls, buf: bytes | bytearray, encoding: str, errors: str) -> Self:
        """Read a header."""
        member = super().frombuf(buf, encoding, errors)
        if member.type in _EXTENDED and member.size > _LARGEST_HEADER:
            message = f"an extended header of {member.size} bytes"
            raise tarfile.ReadError(message)
        return member


def normal_path(name: str, where: str) -> str:
    """Read a member's name as a path below the root; empty for the root itself.

    Raises:
        IntegrityError: it leads out, or is no name.
    """
    parts = [part for part in name.split("/") if part not in {"", "."}]
    if name.startswith("/") or ".." in parts or "\0" in name:
        raise IntegrityError("a path that leads out of the image", context=f"{where}: {name[:200]}")
    if len(name) > _LONGEST_PATH or len(parts) > _DEEPEST:
        raise IntegrityError("a path that no file system takes", context=f"{where}: {name[:200]}")
    return "/".join(parts)


def _content(stream: IO[bytes] | None) -> bytes:
    return stream.read() if stream is not None else b""


def _hashed(chunks: Iterable[bytes], into: hashlib._Hash, most: int, where: str) -> Iterator[bytes]:
    size = 0
    for chunk in chunks:
        size += len(chunk)
        if size > most:
            raise IntegrityError(f"is longer than {most} bytes", context=where)
        into.update(chunk)
        yield chunk


class TreeBuilder:
    """Puts layers upon each other."""

    def __init__(self) -> None:
        self.nodes: dict[str, Node] = {}
        self._children: dict[str, set[str]] = {"": set()}
        self._layer = 0
        self._count = 0
        self._own: set[str] = set()
        """Paths that this very layer brought: its whiteouts do not speak of them."""

    def begin(self, layer: int) -> None:
        """Take the next layer."""
        self._layer = layer
        self._own = set()

    def add(self, member: tarfile.TarInfo, where: str) -> None:
        """Take one member of the layer."""
        self._count += 1
        if self._count > _MOST_MEMBERS:
            raise IntegrityError(f"more than {_MOST_MEMBERS} members", context=where)
        path = normal_path(member.name, where)
        here = f"{where}: {path}"
        if not path:
            if not member.isdir():
                raise IntegrityError("replaces the root", context=where)
            return
        parent, _, name = path.rpartition("/")
        self._ensure_folder(parent, here)
        if name.startswith(_WHITEOUT):
            self._white_out(parent, name, here)
            return
        node = self._node(member, path, here)
        before = self.nodes.get(path)
        if before is not None and path in self._own and EntryKind.DIRECTORY not in {before.kind, node.kind}:
            raise IntegrityError("is there twice", context=here)
        if before is not None and (before.kind is not EntryKind.DIRECTORY or node.kind is not EntryKind.DIRECTORY):
            self._remove(path)
        self._put(path, node)

    def _node(self, member: tarfile.TarInfo, path: str, here: str) -> Node:
        target, layer, content, size = "", self._layer, path, 0
        mode, uid, gid = member.mode & 0o7777, member.uid, member.gid
        if member.isdir():
            kind = EntryKind.DIRECTORY
        elif member.issym():
            kind, target = EntryKind.SYMLINK, member.linkname
            if not target or "\0" in target:
                raise IntegrityError("a link to nothing", context=here)
        elif member.islnk():
            linked = self.nodes.get(normal_path(member.linkname, here))
            if linked is None or linked.kind is EntryKind.DIRECTORY:
                raise IntegrityError(f"a hard link to what is no file: {member.linkname[:200]}", context=here)
            return linked
        elif member.isreg():
            kind, size = EntryKind.FILE, member.size
        else:
            what = (
                "a device" if member.ischr() or member.isblk() else "a fifo" if member.isfifo() else "of no known kind"
            )
            raise IntegrityError(f"is {what}, which no image needs", context=here)
        return Node(kind=kind, mode=mode, uid=uid, gid=gid, size=size, target=target, layer=layer, member=content)

    def _ensure_folder(self, path: str, here: str) -> None:
        """Make sure that a member's parents are folders; those that no layer states are made, as every engine does."""
        if not path:
            return
        node = self.nodes.get(path)
        if node is None:
            self._ensure_folder(path.rpartition("/")[0], here)
            plain = Node(
                kind=EntryKind.DIRECTORY, mode=0o755, uid=0, gid=0, size=0, target="", layer=self._layer, member=path
            )
            self._put(path, plain)
        elif node.kind is not EntryKind.DIRECTORY:
            kind = "link" if node.kind is EntryKind.SYMLINK else "file"
            raise IntegrityError(f"lies below {path}, which is a {kind}", context=here)

    def _white_out(self, parent: str, name: str, here: str) -> None:
        if name == _OPAQUE:
            for child in sorted(self._children.get(parent, ())):
                self._remove_lower(child)
            return
        hidden = name.removeprefix(_WHITEOUT)
        if hidden in {"", ".", ".."} or hidden.startswith(_WHITEOUT):
            raise IntegrityError("a whiteout of nothing that may be hidden", context=here)
        path = f"{parent}/{hidden}" if parent else hidden
        if path in self._own:
            raise IntegrityError("hides what its own layer brings", context=here)
        if path in self.nodes:
            self._remove(path)

    def _remove_lower(self, path: str) -> None:
        """Remove what lower layers brought."""
        if path not in self._own:
            self._remove(path)
            return
        for child in sorted(self._children.get(path, ())):
            self._remove_lower(child)

    def _put(self, path: str, node: Node) -> None:
        self.nodes[path] = node
        self._own.add(path)
        self._children.setdefault(path.rpartition("/")[0], set()).add(path)

    def _remove(self, path: str) -> None:
        waiting = [path]
        while waiting:
            one = waiting.pop()
            waiting += self._children.pop(one, ())
            self.nodes.pop(one, None)
            self._own.discard(one)
        self._children.get(path.rpartition("/")[0], set()).discard(path)
