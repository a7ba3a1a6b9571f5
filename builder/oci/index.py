"""An image index: one image, a manifest for each platform.

Source: opencontainers/image-spec, image-index.md.
"""

from __future__ import annotations

from dataclasses import dataclass

from builder.canonical import dump_json
from builder.oci import media
from builder.oci.descriptor import Descriptor, descriptor_from_fields, descriptor_to_json
from builder.oci.fields import Fields, parse_object


@dataclass(frozen=True, slots=True, kw_only=True)
class Index:
    """Manifests, or in a layout's `index.json` what the layout holds."""

    manifests: tuple[Descriptor, ...]
    annotations: tuple[tuple[str, str], ...] = ()


def dump_index(index: Index) -> bytes:
    """Write an index; bytes are stable."""
    value = {
        "schemaVersion": 2,
        "mediaType": media.INDEX,
        "manifests": [descriptor_to_json(manifest) for manifest in index.manifests],
    }
    return dump_json(value | ({"annotations": dict(index.annotations)} if index.annotations else {}))


def parse_index(raw: bytes, *, context: str = "index") -> Index:
    """Read an index; keep `raw` for its digest.

    Raises:
        IntegrityError: it is no image index.
    """
    fields = Fields(parse_object(raw, context=context), context=context)
    fields.only(("schemaVersion", "mediaType", "manifests", "annotations"))
    fields.exactly("schemaVersion", 2)
    fields.exactly("mediaType", media.INDEX)
    manifests = tuple(descriptor_from_fields(manifest) for manifest in fields.objects("manifests"))
    return Index(manifests=manifests, annotations=fields.text_map("annotations"))
