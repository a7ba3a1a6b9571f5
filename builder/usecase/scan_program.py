"""The scanner's program out of an image: pulled by digest, one file taken, nothing of it started.

So a scanner that comes as an image is run as any other: shut in, pinned by the hash of its program, and without a container engine.
"""

from __future__ import annotations

import os
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any, Final, cast

from builder.errors import IntegrityError, RegistryError
from builder.image.compress import decompress
from builder.image.stream import ChunkStream
from builder.oci.descriptor import Descriptor
from builder.oci.fields import Fields, parse_object
from builder.platform import Platform
from builder.registry.documents import INDEXES
from builder.registry.model import ManifestBytes, Reference, Registry
from builder.sizes import render_size

LARGEST: Final = 1 << 30
_CHUNK: Final = 1 << 20


def extract_program(registry: Registry, reference: Reference, path: str, platform: Platform, target: Path) -> None:
    """Write a program of an image as a file.

    Args:
        registry: that holds the image.
        reference: of it, by digest.
        path: of the program in the image, relative to its root.
        platform: of this machine.
        target: the file to write; not there yet.

    Raises:
        RegistryError: the image is not there, or the registry fails.
        IntegrityError: it has no such file, or not for this platform.
    """
    manifest = _choose(registry, reference, platform)
    fields = Fields(parse_object(manifest.data, context=str(reference)), context=str(reference))
    layers = [
        Descriptor(media_type=row.text("mediaType"), digest=row.digest("digest"), size=row.count("size"))
        for row in fields.objects("layers")
    ]
    # The uppermost one counts.
    for layer in reversed(layers):
        chunks = registry.read_blob(reference.repository, layer)
        if _extract(_inflate(layer, chunks), path, target, context=f"{reference}: {layer.digest}"):
            target.chmod(0o555)
            return
    raise IntegrityError(
        f"holds no {path}", context=str(reference), hint="name its place by image-path in stacks/scan.toml"
    )


def _choose(registry: Registry, reference: Reference, platform: Platform) -> ManifestBytes:
    root = _read(registry, reference)
    if root.media_type not in INDEXES:
        return root
    fields = Fields(parse_object(root.data, context=str(reference)), context=str(reference))
    for child in fields.objects("manifests"):
        said: Any = child.child("platform") if child.has("platform") else None
        if said and (said.optional_text("os"), said.optional_text("architecture")) == ("linux", platform.architecture):
            return _read(registry, reference.repository.at(child.digest("digest")))
    raise IntegrityError(f"is not there for {platform}", context=str(reference))


def _read(registry: Registry, reference: Reference) -> ManifestBytes:
    found = registry.manifest(reference)
    if found is None:
        raise RegistryError("there is no such image", context=str(reference))
    return found


def _inflate(layer: Descriptor, chunks: Iterator[bytes]) -> Iterator[bytes]:
    kind = next((name for name in ("gzip", "zstd") if layer.media_type.endswith((f"+{name}", f".{name}"))), "none")
    return decompress(kind, chunks)


def _extract(chunks: Iterator[bytes], path: str, target: Path, *, context: str) -> bool:
    """Take a file out of a layer; what was taken counts only once the layer was read, and checked, to its end."""
    stream = ChunkStream(chunks)
    found = False
    try:
        with tarfile.open(fileobj=cast("IO[bytes]", stream), mode="r|") as archive:
            for member in archive:
                if os.path.normpath(member.name).lstrip("/") != path or found:
                    continue
                if not member.isreg():
                    raise IntegrityError(f"{path} is no file", context=context)
                if member.size > LARGEST:
                    raise IntegrityError(f"{path} has {render_size(member.size)}", context=context)
                content = archive.extractfile(member)
                with target.open("xb") as writer:
                    while content is not None and (chunk := content.read(_CHUNK)):
                        writer.write(chunk)
                found = True
        stream.drain()
    except (tarfile.TarError, EOFError) as error:
        raise IntegrityError(f"is no tar: {error}", context=context) from error
    return found
