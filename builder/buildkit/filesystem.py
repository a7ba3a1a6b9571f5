"""The file system that layers make, one over another: what two images are compared by."""

from __future__ import annotations

import hashlib
import stat
import tarfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from builder.errors import IntegrityError
from builder.image.stream import ChunkStream

BUILT_BY_BUILDKIT: Final = "built by BuildKit"
"""Comment in the history of an image whose layers are BuildKit's: it is compared by its files alone."""
_READ: Final = 1 << 20
_WHITEOUT: Final = ".wh."
_OPAQUE: Final = ".wh..wh..opq"


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """What lies at a path. Times are left out; a hard link is the file that it leads to."""

    kind: str
    mode: int
    owner: str
    """As `50000:0`."""
    target: str = ""
    """Of a symbolic link."""
    size: int = 0
    sha256: str = ""
    """Of a file."""
    layer: str = field(default="", compare=False)
    """That brought it, where layers have names."""


def flatten(layers: Iterable[Iterable[bytes]]) -> Mapping[str, Node]:
    """Lay layers over one another.

    Args:
        layers: their tars, unpacked, lowest first.

    Returns:
        What lies at each path, relative to the root, without the root itself.

    Raises:
        IntegrityError: a layer is no tar of files, folders and links.
    """
    nodes: dict[str, Node] = {}
    for chunks in layers:
        _apply(chunks, nodes)
    return nodes


def flatten_some(layers: Iterable[tuple[str, Iterable[bytes]]]) -> Mapping[str, Node]:
    """Lay some of an image's layers over one another, by name: others, between and below them, are not looked at.

    A hard link to what another layer holds is of the kind `hardlink`, what hides something of a layer below of the kind
    `whiteout`; folders may be there in other layers, too.

    Raises:
        IntegrityError: a layer is no tar of files, folders and links.
    """
    nodes: dict[str, Node] = {}
    for name, chunks in layers:
        _apply(chunks, nodes, layer=name, partial=True)
    return nodes


def name_differences(ours: Mapping[str, Node], theirs: Mapping[str, Node]) -> tuple[str, ...]:
    """Say what differs between two file systems, by path: empty where nothing does."""
    told = []
    for path in sorted(ours.keys() | theirs.keys()):
        mine, other = ours.get(path), theirs.get(path)
        if mine is None:
            told.append(f"/{path}: is not in what the engine gives")
        elif other is None:
            told.append(f"/{path}: is missing")
        elif mine != other:
            told.append(f"/{path}: {_describe(mine, other)}")
    return tuple(told)


def tell_change(before: Node, after: Node) -> str:
    """Say what of a path changed, in one image and in another.

    >>> file = Node(kind="file", mode=0o644, owner="0:0", size=3, sha256="ab")
    >>> tell_change(file, replace(file, mode=0o755)), tell_change(file, replace(file, sha256="cd"))
    ('mode 0644 -> 0755', 'bytes')
    """
    told = [
        f"{name} {show(getattr(before, name))} -> {show(getattr(after, name))}"
        for name, show in _SHOWN
        if getattr(before, name) != getattr(after, name)
    ]
    return ", ".join(told) or "bytes"


_SHOWN: Final = (("kind", str), ("mode", "{:04o}".format), ("owner", str), ("target", str), ("size", str))


def _describe(mine: Node, other: Node) -> str:
    for name, show in _SHOWN:
        expected, found = getattr(mine, name), getattr(other, name)
        if expected != found:
            return f"{name} is {show(found)}, the engine gives {show(expected)}"
    return f"bytes differ: sha256 is {other.sha256}, the engine gives {mine.sha256}"


def _apply(chunks: Iterable[bytes], nodes: dict[str, Node], *, layer: str = "", partial: bool = False) -> None:
    below = frozenset(nodes)
    stream = ChunkStream(chunks)
    try:
        with tarfile.open(fileobj=stream, mode="r|", bufsize=_READ) as tar:  # type: ignore[call-overload]
            for member in tar:
                path = member.name.removeprefix("./").strip("/")
                if path in {"", "."}:
                    continue
                folder, _, name = path.rpartition("/")
                if name == _OPAQUE:
                    _remove_below(folder, nodes, below)
                elif name.startswith(_WHITEOUT):
                    gone = f"{folder}/{name.removeprefix(_WHITEOUT)}".lstrip("/")
                    nodes.pop(gone, None)
                    _remove_below(gone, nodes, below)
                    if partial:
                        nodes[gone] = Node(kind="whiteout", mode=0, owner="", layer=layer)
                else:
                    node = replace(_node(tar, member, nodes, partial=partial), layer=layer)
                    old = nodes.get(path)
                    if old is not None and old.kind == "directory" != node.kind:
                        _remove_below(path, nodes, below)
                    nodes[path] = node
    except tarfile.TarError as error:
        raise IntegrityError(f"cannot be unpacked: {error}", context="layer") from error
    # A tar ends before its bytes do: who checks their hash must see all of them.
    stream.drain()


def _remove_below(folder: str, nodes: dict[str, Node], below: frozenset[str]) -> None:
    prefix = f"{folder}/" if folder else ""
    for path in [path for path in nodes if path.startswith(prefix) and path in below]:
        del nodes[path]


def _node(tar: tarfile.TarFile, member: tarfile.TarInfo, nodes: Mapping[str, Node], *, partial: bool) -> Node:
    owner = f"{member.uid}:{member.gid}"
    # Docker's tars have the kind of file in the mode as well.
    mode = stat.S_IMODE(member.mode)
    if member.islnk():
        target = member.linkname.removeprefix("./").strip("/")
        linked = nodes.get(target)
        if linked is None and partial:
            return Node(kind="hardlink", mode=mode, owner=owner, target=target)
        if linked is None:
            raise IntegrityError(f"a hard link to {member.linkname!r}, which is not there", context=member.name)
        return linked
    if member.isdir():
        return Node(kind="directory", mode=mode, owner=owner)
    if member.issym():
        return Node(kind="symlink", mode=0o777, owner=owner, target=member.linkname)
    if not member.isreg():
        raise IntegrityError("is neither file, folder nor link", context=member.name)
    digest = hashlib.sha256()
    content = tar.extractfile(member)
    while content and (piece := content.read(_READ)):
        digest.update(piece)
    return Node(kind="file", mode=mode, owner=owner, size=member.size, sha256=digest.hexdigest())
