"""What is gathered before anything moves: no document and no image makes us read or hold without end."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from builder.digest import Digest
from builder.errors import IntegrityError
from builder.oci import media
from builder.oci.descriptor import Descriptor, describe
from builder.oci.fields import MAX_DOCUMENT_BYTES
from builder.oci.layout import blob_path
from builder.registry.folder import FolderBlobs
from builder.registry.model import ManifestBytes
from builder.registry.shipment import collect, gather
from tests.support.registry_images import Memory


def sparse(folder: Path, size: int) -> Descriptor:
    """Lay a file of zeros where a manifest should be."""
    descriptor = Descriptor(media_type=media.MANIFEST, digest=Digest.of(b"x"), size=size)
    place = folder / blob_path(descriptor.digest)
    place.parent.mkdir(parents=True)
    with place.open("wb") as stream:
        stream.truncate(64 << 20)
    return descriptor


def test_manifest_that_is_said_to_be_longer_than_documents_are_is_not_read(tmp_path: Path) -> None:
    descriptor = sparse(tmp_path, 64 << 20)
    with pytest.raises(IntegrityError) as caught:
        collect(descriptor, FolderBlobs(tmp_path))
    assert str(caught.value).startswith(
        f"{blob_path(descriptor.digest)}: a manifest or config of {64 << 20} bytes; the most are {MAX_DOCUMENT_BYTES}"
    )


def test_manifest_is_read_no_further_than_its_descriptor_says(tmp_path: Path) -> None:
    descriptor = sparse(tmp_path, 500)
    with pytest.raises(IntegrityError, match="is longer than the 500 bytes of its descriptor") as caught:
        collect(descriptor, FolderBlobs(tmp_path))
    assert caught.value.context == blob_path(descriptor.digest)


def test_child_that_is_listed_a_thousand_times_is_read_once() -> None:
    memory = Memory()
    child = memory.add_image(b"layer")
    entry = {"mediaType": media.MANIFEST, "digest": str(child.digest), "size": child.size}
    value = {"schemaVersion": 2, "mediaType": media.INDEX, "manifests": [entry] * 1000}
    root = memory.add(media.INDEX, json.dumps(value).encode())
    opened: list[Digest] = []

    class Counted(Memory):
        def open_at(self, descriptor: Descriptor, offset: int) -> Iterator[bytes]:
            opened.append(descriptor.digest)
            return memory.open_at(descriptor, offset)

    assert len(collect(root, Counted()).manifests) == 2
    assert opened == [root.digest, child.digest]


def test_manifests_of_one_image_are_limited_in_number_and_bytes() -> None:
    memory = Memory()
    root = memory.add_index(*(memory.add_image(bytes([number])) for number in range(3)))

    def read(descriptor: Descriptor) -> ManifestBytes:
        data = memory.held[str(descriptor.digest)]
        return ManifestBytes(data=data, media_type=descriptor.media_type, digest=descriptor.digest)

    whole = gather(read(root), read).manifests
    size = sum(len(manifest.data) for manifest in whole)
    assert gather(read(root), read, most=len(whole), most_bytes=size).manifests == whole
    for limit in ({"most": len(whole) - 1}, {"most_bytes": size - 1}):
        with pytest.raises(IntegrityError, match="more indexes below indexes than an image has: the most are"):
            gather(read(root), read, **limit)


def test_shipment_of_a_plain_manifest_is_itself() -> None:
    memory = Memory()
    image = memory.add_image(b"layer")
    shipment = collect(image, memory)
    assert [manifest.digest for manifest in shipment.manifests] == [image.digest]
    assert describe(media.LAYER_TAR, b"layer") in shipment.blobs
