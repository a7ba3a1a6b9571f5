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
from typing import Final

from builder.entry import EntryKind
from builder.errors import DigestMismatchError, IntegrityError
from builder.image.compress import decompress
from builder.image.tar_reader import MOST_CONTENT, Content, read_members
from builder.lock.model import LockedFile, LockedLayer
from builder.oci import media

OpenLayer = Callable[[LockedFile], Iterable[bytes]]
"""Gives a layer's compressed bytes, unchecked."""

_CHUNK: Final = 1 << 20
_MOST_MEMBERS: Final = 2_000_000
_MOST_BYTES: Final = MOST_CONTENT
"""Of one layer, unpacked: more is a bomb."""
_MOST_RATIO: Final = 100
_RATIO_FREE_BYTES: Final = 512 << 20
"""Of one layer, unpacked, below which it does not matter how well it is compressed."""
_MOST_LINKS: Final = 40
_LONGEST_PATH: Final = 4096
_DEEPEST: Final = 256
_MOST_CONTENT: Final = 1 << 30
"""Of one file that is read: no library or program that a base is known by is larger."""
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
    most = min(_MOST_BYTES, max(_RATIO_FREE_BYTES, _MOST_RATIO * layer.file.size))
    for member, open_content in read_members(_hashed(unpacked, inner, most, where), where=where):
        yield member, lambda open_content=open_content: _content(open_content())  # type: ignore[misc]
    for found, wanted in ((outer.hexdigest(), layer.file.sha256), (inner.hexdigest(), layer.diff_id)):
        if found != wanted.hex:
            raise DigestMismatchError(f"got sha256:{found}, expected {wanted}", context=where)


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


def _content(content: Content | None) -> bytes:
    return content.read() if content is not None else b""


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
