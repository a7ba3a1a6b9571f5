"""Layers of a base that is an image: put under ours as they are, by digest; nothing of ours may stand on a file of theirs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from builder.canonical import dump_json
from builder.digest import Digest
from builder.entry import Entry, EntryKind, directory_entry
from builder.errors import BuildError, IssuesError, MissingBlobError
from builder.image.base_tree import BaseTree, Node, read_tree
from builder.image.layer import Layer
from builder.image.sealed import seal, unseal
from builder.lock.model import BaseLock, LockedFile, LockedImage
from builder.recent import Recent
from builder.store.model import ArtefactStore, FileStore

_KIND: Final = "base-tree"
_FORMAT: Final = 1
_CHUNK: Final = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class BaseImage:
    """A platform's layers, and what they come to."""

    layers: tuple[Layer, ...]
    media_types: tuple[str, ...]
    tree: BaseTree

    def directories(self) -> Mapping[str, Entry]:
        """List its folders, as every layer above must state them."""
        return {
            path: directory_entry(path, mode=node.mode, uid=node.uid, gid=node.gid)
            for path, node in self.tree.nodes.items()
            if node.kind is EntryKind.DIRECTORY
        }


Trees = Recent[str, BaseTree]
"""Of images, by the hashes of their layers."""


def open_base_image(
    base: BaseLock, image: LockedImage, files: FileStore, artefacts: ArtefactStore, trees: Trees
) -> BaseImage:
    """Open the layers of a platform; their tree is read once and kept.

    Args:
        base: the base's lock.
        image: the platform's.
        files: holds the layers.
        artefacts: where the tree is kept.
        trees: those that this process has at hand.

    Raises:
        MissingBlobError: the store does not hold a layer.
        IntegrityError: a layer is refused.
    """
    for layer in image.layers:
        if not files.has(layer.file.sha256):
            hint = f"run `airflow-kubler fetch`, or `airflow-kubler lock --base {base.name}`"
            raise MissingBlobError(
                f"the store does not hold a layer of base {base.name} ({layer.file.sha256})", hint=hint
            )
    layers = tuple(
        Layer(
            key=layer.file.sha256.hex,
            path=files.path(layer.file.sha256),
            digest=layer.file.sha256,
            diff_id=layer.diff_id,
            size=layer.file.size,
        )
        for layer in image.layers
    )
    return BaseImage(
        layers=layers,
        media_types=tuple(layer.media_type for layer in image.layers),
        tree=_tree(image, files, artefacts, trees, where=f"base {base.name}"),
    )


def _tree(image: LockedImage, files: FileStore, artefacts: ArtefactStore, trees: Trees, *, where: str) -> BaseTree:
    key = " ".join(layer.file.sha256.hex for layer in image.layers)
    tree = trees.get(key) or ensure_tree(image, files, artefacts, where=where)
    trees.put(key, tree)
    return tree


def ensure_tree(image: LockedImage, files: FileStore, artefacts: ArtefactStore, *, where: str) -> BaseTree:
    """Read the tree of an image's layers, or find it in the cache."""
    key = Digest.of(dump_json([_FORMAT, *(layer.file.sha256.hex for layer in image.layers)])).hex
    path = artefacts.get(_KIND, key)
    if path is not None:
        value = unseal(path.read_bytes())
        if value is not None:
            return _tree_from(value)
        path.unlink(missing_ok=True)
    tree = read_tree(image.layers, lambda file: iter_file(files, file), where=where)
    artefacts.put(_KIND, key, (seal(_tree_to(tree)),))
    return tree


def iter_file(files: FileStore, file: LockedFile) -> Iterator[bytes]:
    """Read a file of the store piecewise, unchecked; raises MissingBlobError."""
    try:
        with files.path(file.sha256).open("rb") as stream:
            while chunk := stream.read(_CHUNK):
                yield chunk
    except FileNotFoundError:
        raise MissingBlobError(
            f"the store does not hold {file.name} ({file.sha256})", hint="run `airflow-kubler fetch`"
        ) from None


def check_base_ownership(
    tree: BaseTree, owned: Iterable[tuple[str, Sequence[str], Iterable[str]]], *, replaced: frozenset[str]
) -> None:
    """Refuse what would hide a file of the base.

    Args:
        tree: the base's.
        owned: for each input its name, its files, and its folders.
        replaced: files that ours replace on purpose.

    Raises:
        IssuesError: each path.
    """
    issues = []
    for name, paths, folders in owned:
        issues += [
            BuildError(f"is in the base already, {name} would replace it", context=path, hint=_way_out(path))
            for path in paths
            if path in tree.nodes and path not in replaced
        ]
        issues += [
            BuildError(f"is no folder in the base, {name} needs one there", context=path)
            for path in folders
            if (node := tree.nodes.get(path)) is not None and node.kind is not EntryKind.DIRECTORY
        ]
    if issues:
        raise IssuesError(issues)


def _way_out(path: str) -> str:
    if path.startswith("home/airflow/.local/"):
        return "the base brings Python distributions of its own there: take one without Airflow in it"
    return "remove it from the base, in a [dockerfile] over it"


def _tree_to(tree: BaseTree) -> object:
    return [
        [path, node.kind, node.mode, node.uid, node.gid, node.size, node.target, node.layer, node.member]
        for path, node in sorted(tree.nodes.items())
    ]


def _tree_from(rows: list[list[object]]) -> BaseTree:
    # What is sealed was written here: its types are known.
    return BaseTree(nodes={str(row[0]): Node(**dict(zip(_FIELDS, _typed(row[1:]), strict=True))) for row in rows})  # type: ignore[arg-type]


_FIELDS: Final = ("kind", "mode", "uid", "gid", "size", "target", "layer", "member")


def _typed(row: list[object]) -> list[object]:
    return [EntryKind(str(row[0])), *row[1:]]
