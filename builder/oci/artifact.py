"""Manifests of artifacts that stand beside an image: one blob, and what it is about.

Source: opencontainers/image-spec, manifest.md, "Guidelines for Artifact Usage".
"""

from __future__ import annotations

from collections.abc import Mapping

from builder.canonical import dump_json
from builder.oci import media
from builder.oci.descriptor import Descriptor, describe, descriptor_to_json

CREATED = "org.opencontainers.image.created"


def dump_artifact(blob: Descriptor, subject: Descriptor, annotations: Mapping[str, str]) -> bytes:
    """Write the manifest of an artifact of one blob, whose media type is the artifact's own; bytes are stable.

    Args:
        blob: the one layer.
        subject: what it is about.
        annotations: of the manifest.
    """
    plain = Descriptor(media_type=subject.media_type, digest=subject.digest, size=subject.size)
    return dump_json(
        {
            "schemaVersion": 2,
            "mediaType": media.MANIFEST,
            "artifactType": blob.media_type,
            "config": descriptor_to_json(describe(media.EMPTY, media.EMPTY_BYTES)),
            "layers": [descriptor_to_json(blob)],
            "subject": descriptor_to_json(plain),
            "annotations": dict(annotations),
        }
    )
