"""A shipment: manifests and the blobs below them, gathered from a layout or a registry before anything is moved.

Invariants: a document is read only where its descriptor says that it is no longer than documents may be, and no further than
that; an image has so many manifests and so many bytes of them at the most: more is somebody's trap.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final, Protocol

from builder.digest import Digest
from builder.errors import DigestMismatchError, IntegrityError
from builder.oci.descriptor import Descriptor, verify_bytes
from builder.oci.fields import MAX_DOCUMENT_BYTES
from builder.oci.layout import blob_path
from builder.registry.documents import INDEXES, MANIFESTS, media_type_of, parse_links
from builder.registry.model import ManifestBytes

MOST_MANIFESTS: Final = 1000
"""Of one image, with its referrers."""
MOST_BYTES: Final = 64 << 20
"""Of all manifests of one image: they are held in memory together."""
_DEEPEST: Final = 4


class BlobSource(Protocol):
    """Where blobs and manifests to be pushed lie."""

    def open_at(self, descriptor: Descriptor, offset: int) -> Iterator[bytes]:
        """Iterate over a blob's bytes from an offset; raises MissingBlobError."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shipment:
    """Manifests and the blobs below them."""

    root: ManifestBytes
    manifests: tuple[ManifestBytes, ...]
    """Children before parents, the root among them, referrers last."""
    blobs: tuple[Descriptor, ...]
    """Each once, in the order of the manifests."""


def read_document(source: BlobSource, descriptor: Descriptor) -> bytes:
    """Read a manifest or config whole.

    Raises:
        IntegrityError: it is longer than documents may be, or than its descriptor says, or is not what that names.
        MissingBlobError: it is not there.
    """
    where = blob_path(descriptor.digest)
    if descriptor.size > MAX_DOCUMENT_BYTES:
        raise IntegrityError(
            f"a manifest or config of {descriptor.size} bytes; the most are {MAX_DOCUMENT_BYTES}", context=where
        )
    data = bytearray()
    for chunk in source.open_at(descriptor, 0):
        data += chunk
        if len(data) > descriptor.size:
            raise DigestMismatchError(f"is longer than the {descriptor.size} bytes of its descriptor", context=where)
    return verify_bytes(descriptor, bytes(data))


def collect(root: Descriptor, source: BlobSource) -> Shipment:
    """Gather what hangs below a manifest or index of a layout; every document is checked against its descriptor.

    Raises:
        IntegrityError: a document is damaged, too long or of an unknown kind.
        MissingBlobError: one is not there.
    """

    def read(descriptor: Descriptor) -> ManifestBytes:
        data = read_document(source, descriptor)
        kind = media_type_of(data, descriptor.media_type, context=str(descriptor.digest))
        return ManifestBytes(data=data, media_type=kind, digest=descriptor.digest)

    return gather(read(root), read)


def gather(
    root: ManifestBytes,
    read: Callable[[Descriptor], ManifestBytes],
    *,
    most: int = MOST_MANIFESTS,
    most_bytes: int = MOST_BYTES,
) -> Shipment:
    """Gather what hangs below a manifest, given what reads its children.

    Args:
        root: the manifest.
        read: reads a child, checked against its descriptor.
        most: manifests.
        most_bytes: of all manifests.

    Raises:
        IntegrityError: there is more than that, or a manifest says something impossible.
    """
    manifests: dict[Digest, ManifestBytes] = {}
    blobs: dict[Digest, Descriptor] = {}
    count = size = 0

    def visit(manifest: ManifestBytes, depth: int) -> None:
        nonlocal count, size
        count += 1
        size += len(manifest.data)
        if depth > _DEEPEST or count > most or size > most_bytes:
            raise IntegrityError(
                f"more indexes below indexes than an image has: the most are {most} manifests of {most_bytes} bytes",
                context=str(root.digest),
            )
        links = parse_links(manifest.data, manifest.media_type, context=str(manifest.digest))
        for child in links.manifests:
            # Indexes may list what is no manifest: that is a blob then.
            if child.media_type not in (*INDEXES, *MANIFESTS):
                blobs.setdefault(child.digest, child)
            elif child.digest not in manifests:
                visit(read(child), depth + 1)
        blobs.update((blob.digest, blob) for blob in links.blobs if blob.digest not in blobs)
        manifests[manifest.digest] = manifest

    visit(root, 0)
    return Shipment(root=root, manifests=tuple(manifests.values()), blobs=tuple(blobs.values()))
