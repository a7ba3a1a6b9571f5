"""An image manifest: one platform's config and layers.

Source: opencontainers/image-spec, manifest.md.
"""

from __future__ import annotations

from dataclasses import dataclass

from builder.canonical import dump_json
from builder.errors import IntegrityError
from builder.oci import media
from builder.oci.descriptor import Descriptor, descriptor_from_fields, descriptor_to_json
from builder.oci.fields import Fields, parse_object


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """One platform's image."""

    config: Descriptor
    layers: tuple[Descriptor, ...]
    """Base first."""
    annotations: tuple[tuple[str, str], ...] = ()


def dump_manifest(manifest: Manifest) -> bytes:
    """Write a manifest; bytes are stable."""
    return dump_json(
        {
            "schemaVersion": 2,
            "mediaType": media.MANIFEST,
            "config": descriptor_to_json(manifest.config),
            "layers": [descriptor_to_json(layer) for layer in manifest.layers],
            "annotations": dict(manifest.annotations),
        },
    )


def parse_manifest(raw: bytes) -> Manifest:
    """Read a manifest; keep `raw` for its digest.

    Raises:
        IntegrityError: it is no image manifest, or names layers of unknown media types.
    """
    fields = Fields(parse_object(raw, context="manifest"), context="manifest")
    fields.only(("schemaVersion", "mediaType", "config", "layers", "annotations"))
    fields.exactly("schemaVersion", 2)
    fields.exactly("mediaType", media.MANIFEST)
    config = descriptor_from_fields(fields.child("config"))
    if config.media_type != media.CONFIG:
        raise IntegrityError(f"not an image config: {config.media_type}", context="manifest: config")
    layers = tuple(descriptor_from_fields(layer) for layer in fields.objects("layers"))
    for number, layer in enumerate(layers):
        if layer.media_type not in media.COMPRESSION_OF:
            raise IntegrityError(f"not a layer: {layer.media_type}", context=f"manifest: layers[{number}]")
    return Manifest(config=config, layers=layers, annotations=fields.text_map("annotations"))
