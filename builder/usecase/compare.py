"""Compare: what two images have apart: distributions, Debian packages, layers, bytes to pull, and files.

Files are compared by the layers that are not in both alone; one that both have is never read. A folder that only one side
has in those layers may stand in another layer of the other side as well: such folders are left out. Over a base that is an
image, a file of a changed layer may be hidden by one above that did not change: it is listed all the same.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from builder.digest import Digest
from builder.errors import BuildError, DigestMismatchError, MissingBlobError
from builder.history.contents import Row, debs_of, distributions_of
from builder.history.image import ImageRecord, record_of
from builder.history.layers import LayerPair, PlatformPull, changed_layers, pull_of
from builder.image.view import view_platform
from builder.lock.diff import LockDiff, diff_locks
from builder.oci import media
from builder.oci.descriptor import Descriptor
from builder.oci.layout import INDEX_FILE, PlatformImage
from builder.platform import Platform
from builder.usecase.recorded import find_recorded, open_record

if TYPE_CHECKING:
    from builder.buildkit.filesystem import Node
    from builder.ledger.model import LedgerReader
    from builder.registry.model import Registry

OpenBlob = Callable[[ImageRecord, Descriptor], Iterator[bytes] | None]
"""Opens a layer of an image, wherever it lies; None where it is nowhere."""
Watched = Callable[[int], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class FileChange:
    """A path that two images have differently."""

    path: str
    kind: str
    """`added`, `removed` or `changed`."""
    what: str
    """Of a change, as `mode 0644 -> 0755`."""
    size_before: int
    size_after: int
    layer: str
    """After, or before where it was removed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlatformComparison:
    """What one platform's images have apart."""

    platform: Platform
    pull: PlatformPull
    document_bytes: int
    """Of index, manifest and config, which are pulled too."""
    layers: tuple[LayerPair, ...]
    """Those that are not in both."""
    files: tuple[FileChange, ...] | None = None
    """By path; None where they were not looked at."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageComparison:
    """Two images compared."""

    before: ImageRecord
    after: ImageRecord
    diff: LockDiff | None
    """Of their locks; None where one is not at hand."""
    moved: tuple[tuple[str, str, str], ...]
    """Name, version before and after of what moved, by the images' own history; where `diff` is None."""
    platforms: tuple[PlatformComparison, ...]
    """Of those that both have."""

    @property
    def same(self) -> bool:
        """Whether they are one image."""
        return self.before.digest == self.after.digest


def open_image(ledger: LedgerReader, text: str, registry: Registry | None) -> ImageRecord:
    """Open an image by whatever it is called by.

    Args:
        ledger: that may know it.
        text: the folder of an image layout, or what `find_digest` reads.
        registry: asked for a reference that the ledger has no build of; None to ask nobody.

    Raises:
        LedgerError: the ledger has no build of it.
        RegistryError: the registry has not got it either.
    """
    folder = Path(text)
    if (folder / INDEX_FILE).is_file():
        return _open_layout(ledger, folder, text)
    if registry is not None and "/" in text:
        return _open_shipped(ledger, registry, text)
    return open_record(ledger, find_recorded(ledger, text), name=text)


def compare_images(before: ImageRecord, after: ImageRecord) -> ImageComparison:
    """Compare two images by their documents; no layer is read."""
    diff = None
    if before.lock is not None and after.lock is not None:
        diff = diff_locks(before.lock, after.lock, bases=(before.base, after.base))
    platforms = [
        _compare_platform(other, image, after)
        for image in after.platforms
        if (other := before.platform(image.platform)) is not None
    ]
    return ImageComparison(
        before=before,
        after=after,
        diff=diff,
        moved=() if diff is not None else _moved(before, after),
        platforms=tuple(platforms),
    )


def count_bytes(found: ImageComparison) -> int:
    """Sum the bytes that comparing files reads."""
    return sum(
        layer.size for one in found.platforms for pair in one.layers for layer in (pair.before, pair.after) if layer
    )


def compare_files(
    found: ImageComparison, one: PlatformComparison, open_blob: OpenBlob, watched: Watched = lambda _: None
) -> tuple[FileChange, ...]:
    """Compare the files of one platform's changed layers.

    Raises:
        MissingBlobError: a layer is nowhere at hand.
        DigestMismatchError: one is damaged.
    """
    from builder.buildkit.filesystem import flatten_some

    def read(record: ImageRecord, side: str) -> Mapping[str, Node]:
        image = record.platform(one.platform)
        wanted = {layer.digest: pair.name for pair in one.layers if (layer := getattr(pair, side)) is not None}
        layers = [] if image is None else [layer for layer in image.manifest.layers if layer.digest in wanted]
        return flatten_some((wanted[layer.digest], _unpack(record, layer, open_blob, watched)) for layer in layers)

    return tuple(_iter_files(read(found.before, "before"), read(found.after, "after")))


def _compare_platform(before: PlatformImage, after: PlatformImage, record: ImageRecord) -> PlatformComparison:
    old, new = view_platform(before), view_platform(after)
    return PlatformComparison(
        platform=after.platform,
        pull=pull_of(old, new),
        document_bytes=record.index_size + after.descriptor.size + after.manifest.config.size,
        layers=changed_layers(old, new),
    )


def _moved(before: ImageRecord, after: ImageRecord) -> tuple[tuple[str, str, str], ...]:
    """Compare contents as the images' own history names them."""
    found: list[tuple[str, str, str]] = []
    for rows in (distributions_of, debs_of):
        old, new = (_versions(rows(record)) for record in (before, after))
        found += [
            (name, old.get(name, ""), new.get(name, ""))
            for name in sorted(old.keys() | new.keys())
            if old.get(name) != new.get(name)
        ]
    return tuple(found)


def _versions(rows: tuple[Row, ...]) -> dict[str, str]:
    found: dict[str, str] = {}
    for row in rows:
        found[row.name] = ", ".join(part for part in (found.get(row.name, ""), row.version) if part)
    return found


def _unpack(record: ImageRecord, layer: Descriptor, open_blob: OpenBlob, watched: Watched) -> Iterator[bytes]:
    from builder.image.compress import decompress

    chunks = open_blob(record, layer)
    if chunks is None:
        raise MissingBlobError(
            "a layer that changed is not at hand",
            context=f"{record.name}: {layer.digest}",
            hint="name a layout that holds it by --layout, or let it be pulled by --registry",
        )
    return decompress(media.COMPRESSION_OF[layer.media_type], _verified(layer, chunks, watched))


def _verified(layer: Descriptor, chunks: Iterator[bytes], watched: Watched) -> Iterator[bytes]:
    hashed = hashlib.sha256()
    for chunk in chunks:
        hashed.update(chunk)
        yield chunk
        watched(len(chunk))
    if hashed.hexdigest() != layer.digest.hex:
        raise DigestMismatchError(f"what is there hashes to sha256:{hashed.hexdigest()}", context=str(layer.digest))


def _iter_files(before: Mapping[str, Node], after: Mapping[str, Node]) -> Iterator[FileChange]:
    from builder.buildkit.filesystem import tell_change

    for path in sorted(before.keys() | after.keys()):
        old, new = before.get(path), after.get(path)
        if old == new or (None in (old, new) and "directory" in {node.kind for node in (old, new) if node}):
            continue
        yield FileChange(
            path=path,
            kind="added" if old is None else "removed" if new is None else "changed",
            what=tell_change(old, new) if old and new else "",
            size_before=old.size if old else 0,
            size_after=new.size if new else 0,
            layer=new.layer if new else old.layer if old else "",
        )


def _open_layout(ledger: LedgerReader, folder: Path, text: str) -> ImageRecord:
    from builder.image.layout_reader import FolderLayout
    from builder.oci.layout import parse_layout

    image = parse_layout(FolderLayout(folder))
    if not image.platforms:
        raise BuildError("holds no image", context=text, hint="build it, or name another folder")
    index = image.descriptor
    return record_of(image.platforms, str(index.digest), index.size, ledger.document, name=text)


def _open_shipped(ledger: LedgerReader, registry: Registry, text: str) -> ImageRecord:
    """Open what a reference stands for in its registry now, whatever the ledger says of the tag."""
    from builder.ledger.queries import find_image
    from builder.registry.model import parse_reference
    from builder.usecase.shipped import read_shipped

    shipped = read_shipped(registry, parse_reference(text))
    known = find_image(ledger, str(shipped.root.digest))
    if known is not None:
        return open_record(ledger, known, name=text)
    digest = Digest.of(shipped.root.data)
    return record_of(shipped.platforms, str(digest), len(shipped.root.data), ledger.document, name=text)
