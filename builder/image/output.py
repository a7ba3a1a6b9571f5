"""What is written for an image, wherever it goes: small documents and layers by digest, and the layout's index.json."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from builder.digest import Digest
from builder.errors import BuildError
from builder.image.assemble import BuiltImage
from builder.image.layer import Layer
from builder.oci.layout import dump_layout_index

_CHUNK = 1 << 20


class DamagedLayerError(BuildError):
    """A cached layer is not what its record says."""

    def __init__(self, layer: Layer) -> None:
        super().__init__("the cached layer is damaged", context=str(layer.digest), hint="run the command again")
        self.layer = layer


@dataclass(frozen=True, slots=True, kw_only=True)
class Blobs:
    """All blobs of an image, each once."""

    documents: tuple[tuple[Digest, bytes], ...]
    """Configs, manifests, index; sorted."""
    layers: tuple[Layer, ...]
    """By digest."""
    layout_index: bytes
    """Of `index.json`."""

    def sizes(self) -> tuple[tuple[str, int], ...]:
        """List the hexadecimal name and size of every blob, sorted."""
        documents = [(digest.hex, len(data)) for digest, data in self.documents]
        return tuple(sorted([*documents, *((layer.digest.hex, layer.size) for layer in self.layers)]))


def image_blobs(image: BuiltImage) -> Blobs:
    """List what an image consists of."""
    texts = [image.index, *(text for built in image.platforms for text in (built.config, built.manifest))]
    layers = {layer.layer.digest: layer.layer for built in image.platforms for layer in built.layers}
    return Blobs(
        documents=tuple(sorted({Digest.of(text): text for text in texts}.items())),
        layers=tuple(layers[digest] for digest in sorted(layers)),
        layout_index=dump_layout_index(image.stack, image.descriptor),
    )


def iter_blob(layer: Layer) -> Iterator[bytes]:
    """Read a cached layer piecewise, and raise at its end where it was not what its record says.

    Raises:
        DamagedLayerError: nothing of it may be used.
    """
    actual = hashlib.sha256()
    try:
        with layer.path.open("rb") as stream:
            while chunk := stream.read(_CHUNK):
                actual.update(chunk)
                yield chunk
    except FileNotFoundError:
        raise DamagedLayerError(layer) from None
    if actual.hexdigest() != layer.digest.hex:
        raise DamagedLayerError(layer)


def verify_blob(path: Path, layer: Layer) -> None:
    """Check a copy of a layer; raises DamagedLayerError."""
    with path.open("rb") as stream:
        actual = hashlib.file_digest(stream, "sha256").hexdigest()
    if actual != layer.digest.hex:
        raise DamagedLayerError(layer)
