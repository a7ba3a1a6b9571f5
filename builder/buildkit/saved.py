"""What docker gives out as a tar file, made blobs of a layout.

Two kinds: what `docker save` writes (its list of layers as plain tars), and what BuildKit exports (an OCI layout, compressed).
Either way each layer is known by its diff_id: those that were ours come back as the very blobs that we built; the others are
compressed as ours are, and nothing is tarred anew.

Source: moby, image/spec/v1.2 (manifest.json); opencontainers/image-spec, image-layout.md.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import tarfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Final

from builder.canonical import dump_json
from builder.digest import Digest
from builder.errors import IntegrityError
from builder.image.compress import decompress, make_compressor
from builder.oci import media
from builder.oci.descriptor import Descriptor, describe, descriptor_to_json, verify_bytes
from builder.oci.index import parse_index
from builder.oci.layout import INDEX_FILE, blob_path
from builder.oci.manifest import parse_manifest
from builder.platform import Platform

_CHUNK: Final = 1 << 20
_DOCKER_FILE: Final = "manifest.json"
Known = Mapping[Digest, tuple[Descriptor, Path]]
"""Blobs that stand for layers in the layout, by diff_id."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Saved:
    config: bytes
    layers: tuple[tuple[str, str], ...]
    """Name in the tar, and compression."""


def convert(archive: Path, known: Known, platform: Platform, folder: Path) -> Descriptor:
    """Make blobs of an image that docker saved or BuildKit exported.

    Args:
        archive: the tar file.
        known: layers that were ours.
        platform: of the image.
        folder: takes the blobs.

    Returns:
        The descriptor of the manifest.

    Raises:
        IntegrityError: a layer is not what the image's config says, or it is no image.
    """
    (folder / "blobs/sha256").mkdir(parents=True, exist_ok=True)
    with tarfile.open(archive) as tar:
        saved = _read_docker(tar) if _DOCKER_FILE in tar.getnames() else _read_layout(tar)
        diff_ids = [Digest.parse(text) for text in json.loads(saved.config)["rootfs"]["diff_ids"]]
        if len(saved.layers) != len(diff_ids):
            raise IntegrityError("layers and diff_ids are not as many", context="docker's image")
        layers = [
            _copy(known[diff_id], folder) if diff_id in known else _compress(tar, name, compression, diff_id, folder)
            for (name, compression), diff_id in zip(saved.layers, diff_ids, strict=True)
        ]
    manifest = dump_json(
        {
            "schemaVersion": 2,
            "mediaType": media.MANIFEST,
            "config": descriptor_to_json(describe(media.CONFIG, saved.config)),
            "layers": [descriptor_to_json(layer) for layer in layers],
        }
    )
    for document in (saved.config, manifest):
        (folder / blob_path(Digest.of(document))).write_bytes(document)
    plain = describe(media.MANIFEST, manifest)
    return Descriptor(media_type=plain.media_type, digest=plain.digest, size=plain.size, platform=platform)


def _read_docker(tar: tarfile.TarFile) -> _Saved:
    listed: list[dict[str, Any]] = json.loads(_member(tar, _DOCKER_FILE))
    layers = tuple((name, "none") for name in listed[0]["Layers"])
    return _Saved(config=_member(tar, listed[0]["Config"]), layers=layers)


def _read_layout(tar: tarfile.TarFile) -> _Saved:
    def read(descriptor: Descriptor) -> bytes:
        return verify_bytes(descriptor, _member(tar, blob_path(descriptor.digest)))

    listed = parse_index(_member(tar, INDEX_FILE), context=INDEX_FILE).manifests
    if len(listed) != 1 or listed[0].media_type != media.MANIFEST:
        raise IntegrityError("does not name exactly one image", context=f"BuildKit's {INDEX_FILE}")
    manifest = parse_manifest(read(listed[0]))
    layers = tuple((blob_path(layer.digest), media.COMPRESSION_OF[layer.media_type]) for layer in manifest.layers)
    return _Saved(config=read(manifest.config), layers=layers)


def _copy(blob: tuple[Descriptor, Path], folder: Path) -> Descriptor:
    descriptor, path = blob
    shutil.copyfile(path, folder / blob_path(descriptor.digest))
    return descriptor


def _compress(tar: tarfile.TarFile, name: str, compression: str, diff_id: Digest, folder: Path) -> Descriptor:
    """Compress a layer as it is; what docker calls a link to an equal layer is followed."""
    inner, outer, size = hashlib.sha256(), hashlib.sha256(), 0

    def plain(stream: IO[bytes]) -> Iterator[bytes]:
        for chunk in decompress(compression, iter(lambda: stream.read(_CHUNK), b"")):
            inner.update(chunk)
            yield chunk

    temporary = folder / "blobs/sha256/.new"
    with _open(tar, name) as stream, temporary.open("wb") as target:
        for chunk in make_compressor("zstd").compress(plain(stream)):
            outer.update(chunk)
            size += target.write(chunk)
    if inner.hexdigest() != diff_id.hex:
        raise IntegrityError(
            f"is sha256:{inner.hexdigest()}, the config says {diff_id}", context=f"docker's image: {name}"
        )
    digest = Digest(outer.hexdigest())
    temporary.rename(folder / blob_path(digest))
    return Descriptor(media_type=media.LAYER_ZSTD, digest=digest, size=size)


def _member(tar: tarfile.TarFile, name: str) -> bytes:
    with _open(tar, name) as stream:
        return stream.read()


def _open(tar: tarfile.TarFile, name: str) -> IO[bytes]:
    try:
        stream = tar.extractfile(name)
    except KeyError:
        stream = None
    if stream is None:
        raise IntegrityError("is no file", context=f"docker's image: {name}")
    return stream
