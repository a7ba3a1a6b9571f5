"""An image layout: the files that an image lies in, and what makes them a valid image.

Invariants that `validate_layout` holds to:
- `oci-layout` states version 1.0.0; `index.json` names exactly one image index, by `ref.name`;
- every blob that is referred to is there, of the size and sha256 that refer to it, and no other;
- platforms are unique; configs agree with their manifests on the platform and the number of layers;
- every layer's uncompressed bytes hash to its diff_id.

Source: opencontainers/image-spec, image-layout.md.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Final, Protocol

from builder.canonical import dump_json
from builder.digest import Digest
from builder.errors import BuilderError, DigestMismatchError, IntegrityError, IssuesError
from builder.oci import media
from builder.oci.config import Config, parse_config
from builder.oci.descriptor import Descriptor, verify_bytes
from builder.oci.fields import Fields, parse_object
from builder.oci.index import Index, dump_index, parse_index
from builder.oci.manifest import Manifest, parse_manifest
from builder.platform import Platform

LAYOUT_FILE: Final = "oci-layout"
INDEX_FILE: Final = "index.json"
REF_NAME: Final = "org.opencontainers.image.ref.name"
LAYOUT_BYTES: Final = dump_json({"imageLayoutVersion": "1.0.0"})


class LayoutReader(Protocol):
    """A layout, wherever it lies. Paths are relative, as `blobs/sha256/<hex>`."""

    def read(self, path: str) -> bytes:
        """Read a file whole; raises MissingBlobError."""

    def chunks(self, path: str) -> Iterator[bytes]:
        """Read a file piecewise; raises MissingBlobError."""

    def blobs(self) -> tuple[str, ...]:
        """List the hexadecimal names below blobs/sha256, sorted."""


Decompress = Callable[[str, Iterable[bytes]], Iterator[bytes]]
"""Given a compression's name (`zstd`, `gzip`, `none`) and a layer's bytes, gives the tar's bytes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlatformImage:
    """One platform's objects, parsed; descriptors hold the digests of the bytes they were read from."""

    platform: Platform
    descriptor: Descriptor
    manifest: Manifest
    config: Config


@dataclass(frozen=True, slots=True, kw_only=True)
class LayoutImage:
    """The image that a layout holds."""

    name: str
    """The `ref.name`."""
    descriptor: Descriptor
    """Of the image index."""
    index: Index
    platforms: tuple[PlatformImage, ...]

    def descriptors(self) -> Iterator[Descriptor]:
        """List every descriptor once: index, then for each platform manifest, config, layers."""
        seen: set[Digest] = set()
        for descriptor in self._all():
            if descriptor.digest not in seen:
                seen.add(descriptor.digest)
                yield descriptor

    def _all(self) -> Iterator[Descriptor]:
        yield self.descriptor
        for image in self.platforms:
            yield image.descriptor
            yield image.manifest.config
            yield from image.manifest.layers


def blob_path(digest: Digest) -> str:
    """Name a blob's file.

    >>> blob_path(Digest.of(b""))[:20]
    'blobs/sha256/e3b0c44'
    """
    return f"blobs/sha256/{digest.hex}"


def dump_layout_index(name: str, image_index: Descriptor, *, more: tuple[tuple[str, str], ...] = ()) -> bytes:
    """Write `index.json`: one named image index, and more annotations of it; bytes are stable."""
    named = Descriptor(
        media_type=image_index.media_type,
        digest=image_index.digest,
        size=image_index.size,
        annotations=((REF_NAME, name), *more),
    )
    return dump_index(Index(manifests=(named,)))


def parse_layout(reader: LayoutReader) -> LayoutImage:
    """Read index, manifests and configs, each checked against its descriptor; layers are not read.

    Raises:
        IntegrityError: the layout is not one image index with this project's kinds of objects.
        MissingBlobError: a file is not there.
    """
    marker = Fields(parse_object(reader.read(LAYOUT_FILE), context=LAYOUT_FILE), context=LAYOUT_FILE)
    marker.exactly("imageLayoutVersion", "1.0.0")
    top = parse_index(reader.read(INDEX_FILE), context=INDEX_FILE)
    if len(top.manifests) != 1 or top.manifests[0].media_type != media.INDEX:
        raise IntegrityError("must name exactly one image index", context=INDEX_FILE)
    descriptor = top.manifests[0]
    name = dict(descriptor.annotations).get(REF_NAME, "")
    if not name:
        raise IntegrityError(f"the image index has no {REF_NAME}", context=INDEX_FILE)
    index = parse_index(verify_bytes(descriptor, reader.read(blob_path(descriptor.digest))))
    platforms = tuple(_parse_platform(reader, manifest) for manifest in index.manifests)
    if len({image.platform for image in platforms}) != len(platforms) or not platforms:
        raise IntegrityError("must hold one manifest for each platform", context="index")
    return LayoutImage(name=name, descriptor=descriptor, index=index, platforms=platforms)


def _parse_platform(reader: LayoutReader, descriptor: Descriptor) -> PlatformImage:
    if descriptor.media_type != media.MANIFEST or descriptor.platform is None:
        raise IntegrityError("must be an image manifest with a platform", context=f"index: {descriptor.digest}")
    manifest = parse_manifest(verify_bytes(descriptor, reader.read(blob_path(descriptor.digest))))
    config = parse_config(verify_bytes(manifest.config, reader.read(blob_path(manifest.config.digest))))
    if config.platform != descriptor.platform:
        raise IntegrityError(f"is for {config.platform}, the index says {descriptor.platform}", context="config")
    if len(config.diff_ids) != len(manifest.layers):
        raise IntegrityError(
            f"{len(config.diff_ids)} diff_ids for {len(manifest.layers)} layers", context=f"config of {config.platform}"
        )
    return PlatformImage(platform=config.platform, descriptor=descriptor, manifest=manifest, config=config)


def validate_layout(reader: LayoutReader, decompress: Decompress) -> LayoutImage:
    """Check every byte of a layout against the digests that name it.

    Raises:
        IssuesError: with every blob that is missing, damaged or referred to by nothing.
        IntegrityError: the layout's own structure is wrong.
    """
    image = parse_layout(reader)
    issues: list[BuilderError] = []
    diff_ids: dict[Digest, tuple[Digest, str]] = {}
    for platform in image.platforms:
        for layer, diff_id in zip(platform.manifest.layers, platform.config.diff_ids, strict=True):
            diff_ids[layer.digest] = (diff_id, media.COMPRESSION_OF[layer.media_type])
    for descriptor in image.descriptors():
        try:
            _validate_blob(reader, descriptor, diff_ids.get(descriptor.digest), decompress)
        except BuilderError as exc:
            issues.append(exc)
    known = {descriptor.digest.hex for descriptor in image.descriptors()}
    issues += [
        IntegrityError("nothing refers to this blob", context=f"blobs/sha256/{name}")
        for name in reader.blobs()
        if name not in known
    ]
    if issues:
        raise IssuesError(issues)
    return image


def _validate_blob(
    reader: LayoutReader,
    descriptor: Descriptor,
    layer: tuple[Digest, str] | None,
    decompress: Decompress,
) -> None:
    outer = hashlib.sha256()
    size = 0
    for chunk in reader.chunks(blob_path(descriptor.digest)):
        size += len(chunk)
        outer.update(chunk)
    if size != descriptor.size or outer.hexdigest() != descriptor.digest.hex:
        raise DigestMismatchError(
            f"{size} bytes of sha256:{outer.hexdigest()}, expected {descriptor.size} bytes",
            context=blob_path(descriptor.digest),
        )
    if layer is None:
        return
    diff_id, compression = layer
    inner = hashlib.sha256()
    for chunk in decompress(compression, reader.chunks(blob_path(descriptor.digest))):
        inner.update(chunk)
    if inner.hexdigest() != diff_id.hex:
        raise DigestMismatchError(
            f"unpacks to sha256:{inner.hexdigest()}, the config says {diff_id}", context=blob_path(descriptor.digest)
        )
