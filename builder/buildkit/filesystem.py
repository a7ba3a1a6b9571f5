"""The file system that layers make, one over another: what two images are compared by."""

from __future__ import annotations

import hashlib
import tarfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from builder.entry import EntryKind
from builder.errors import IntegrityError
from builder.image.base_tree import Node as TreeNode
from builder.image.base_tree import TreeBuilder, normal_path
from builder.image.tar_reader import OpenContent, read_members

BUILT_BY_BUILDKIT: Final = "built by BuildKit"
"""Comment in the history of an image whose layers are BuildKit's. A hint for people: nothing is believed for it."""
_READ: Final = 1 << 20
_ATTRIBUTE: Final = "SCHILY.xattr."
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
    attributes: tuple[tuple[str, str], ...] = ()
    """Extended ones, by name; images of ours have none."""
    layer: str = field(default="", compare=False)
    """That brought it, where layers have names."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Content:
    """What a layer's tree does not hold of a member."""

    sha256: str = ""
    attributes: tuple[tuple[str, str], ...] = ()


_NOTHING: Final = _Content()
"""Of folders that no layer states."""


def flatten(layers: Iterable[Iterable[bytes]]) -> Mapping[str, Node]:
    """Lay layers over one another.

    Args:
        layers: their tars, unpacked, lowest first.

    Returns:
        What lies at each path, relative to the root, without the root itself.

    Raises:
        IntegrityError: a layer holds what two readers might take for different things: see builder.image.base_tree.
    """
    tree = TreeBuilder()
    contents: dict[tuple[int, str], _Content] = {}
    for number, chunks in enumerate(layers):
        where = f"layer {number}"
        tree.begin(number)
        for member, open_content in read_members(chunks, where=where):
            tree.add(member, where)
            path = normal_path(member.name, where)
            if member.islnk():
                _check_link(member, tree.nodes[path], f"{where}: {path}")
            else:
                contents[number, path] = _read(member, open_content)
    return {path: _node(node, contents.get((node.layer, node.member), _NOTHING)) for path, node in tree.nodes.items()}


def flatten_some(layers: Iterable[tuple[str, Iterable[bytes]]]) -> Mapping[str, Node]:
    """Lay some of an image's layers over one another, by name: others, between and below them, are not looked at.

    For showing what changed, not for believing anything: without the other layers nothing can be held against them.
    A hard link to what another layer holds is of the kind `hardlink`, what hides something of a layer below of the kind
    `whiteout`; folders may be there in other layers, too.

    Raises:
        IntegrityError: a layer is no tar of files, folders and links.
    """
    nodes: dict[str, Node] = {}
    for name, chunks in layers:
        _apply_some(name, chunks, nodes)
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


_SHOWN: Final = (
    ("kind", str),
    ("mode", "{:04o}".format),
    ("owner", str),
    ("target", str),
    ("size", str),
    ("attributes", str),
)


def _describe(mine: Node, other: Node) -> str:
    for name, show in _SHOWN:
        expected, found = getattr(mine, name), getattr(other, name)
        if expected != found:
            return f"{name} is {show(found)}, the engine gives {show(expected)}"
    return f"bytes differ: sha256 is {other.sha256}, the engine gives {mine.sha256}"


def _apply_some(layer: str, chunks: Iterable[bytes], nodes: dict[str, Node]) -> None:
    below = frozenset(nodes)
    for member, open_content in read_members(chunks, where=layer):
        path = normal_path(member.name, layer)
        if not path:
            continue
        folder, _, name = path.rpartition("/")
        if name == _OPAQUE:
            _remove_below(folder, nodes, below)
        elif name.startswith(_WHITEOUT):
            gone = f"{folder}/{name.removeprefix(_WHITEOUT)}".lstrip("/")
            _remove_below(gone, nodes, below)
            nodes[gone] = Node(kind="whiteout", mode=0, owner="", layer=layer)
        else:
            node = replace(_some_node(member, open_content, nodes, layer), layer=layer)
            old = nodes.get(path)
            if old is not None and old.kind == "directory" != node.kind:
                _remove_below(path, nodes, below)
            nodes[path] = node


def _remove_below(folder: str, nodes: dict[str, Node], below: frozenset[str]) -> None:
    prefix = f"{folder}/" if folder else ""
    for path in [path for path in nodes if path.startswith(prefix) and path in below]:
        del nodes[path]


def _some_node(member: tarfile.TarInfo, open_content: OpenContent, nodes: Mapping[str, Node], layer: str) -> Node:
    mode, owner = member.mode & 0o7777, f"{member.uid}:{member.gid}"
    if member.islnk():
        target = normal_path(member.linkname, layer)
        return nodes.get(target) or Node(kind="hardlink", mode=mode, owner=owner, target=target)
    content = _read(member, open_content)
    if member.issym():
        return Node(kind="symlink", mode=0o777, owner=owner, target=member.linkname, attributes=content.attributes)
    if not member.isdir() and not member.isreg():
        raise IntegrityError("is neither file, folder nor link", context=f"{layer}: {member.name}")
    return Node(
        kind="directory" if member.isdir() else "file",
        mode=mode,
        owner=owner,
        size=0 if member.isdir() else member.size,
        sha256=content.sha256,
        attributes=content.attributes,
    )


def _check_link(member: tarfile.TarInfo, linked: TreeNode, where: str) -> None:
    """Docker gives the file the rights that the link's header states, others do not."""
    stated = (member.mode & 0o7777, member.uid, member.gid)
    if stated != (linked.mode, linked.uid, linked.gid) or _attributes(member):
        raise IntegrityError("a hard link that states other rights than the file that it leads to", context=where)


def _attributes(member: tarfile.TarInfo) -> tuple[tuple[str, str], ...]:
    """List extended attributes: some give rights, as file capabilities do."""
    return tuple(sorted(item for item in member.pax_headers.items() if item[0].startswith(_ATTRIBUTE)))


def _read(member: tarfile.TarInfo, open_content: OpenContent) -> _Content:
    if not member.isreg():
        return _Content(attributes=_attributes(member))
    digest, stream = hashlib.sha256(), open_content()
    while stream and (piece := stream.read(_READ)):
        digest.update(piece)
    return _Content(sha256=digest.hexdigest(), attributes=_attributes(member))


def _node(node: TreeNode, content: _Content) -> Node:
    linked = node.kind is EntryKind.SYMLINK
    return Node(
        kind=node.kind.value,
        # Docker's tars have the kind of file in the mode as well; links have no mode of their own.
        mode=0o777 if linked else node.mode,
        owner=f"{node.uid}:{node.gid}",
        target=node.target,
        size=node.size,
        sha256=content.sha256,
        attributes=content.attributes,
    )
