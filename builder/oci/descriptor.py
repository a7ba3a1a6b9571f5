"""A descriptor: the typed, sized, hashed reference from one OCI object to another.

Source: opencontainers/image-spec, descriptor.md.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from builder.digest import Digest
from builder.errors import DigestMismatchError
from builder.oci.fields import Fields
from builder.oci.platform import platform_from_fields, platform_to_json
from builder.platform import Platform


@dataclass(frozen=True, slots=True, kw_only=True)
class Descriptor:
    """What it is, how big, and its hash."""

    media_type: str
    digest: Digest
    size: int
    """Bytes."""
    platform: Platform | None = None
    annotations: tuple[tuple[str, str], ...] = ()
    """By key."""


def describe(media_type: str, data: bytes) -> Descriptor:
    """Make the descriptor of bytes."""
    return Descriptor(media_type=media_type, digest=Digest.of(data), size=len(data))


def descriptor_to_json(descriptor: Descriptor) -> dict[str, Any]:
    """Make a descriptor's JSON object."""
    value: dict[str, Any] = {
        "mediaType": descriptor.media_type,
        "digest": str(descriptor.digest),
        "size": descriptor.size,
    }
    if descriptor.platform is not None:
        value["platform"] = platform_to_json(descriptor.platform)
    if descriptor.annotations:
        value["annotations"] = dict(sorted(descriptor.annotations))
    return value


def descriptor_from_fields(fields: Fields) -> Descriptor:
    """Read a descriptor's JSON object.

    Raises:
        IntegrityError: a field is missing, unknown or of the wrong kind.
    """
    fields.only(("mediaType", "digest", "size", "platform", "annotations"))
    return Descriptor(
        media_type=fields.text("mediaType"),
        digest=fields.digest("digest"),
        size=fields.count("size"),
        platform=platform_from_fields(fields.child("platform")) if fields.has("platform") else None,
        annotations=fields.text_map("annotations"),
    )


def verify_bytes(descriptor: Descriptor, data: bytes) -> bytes:
    """Give bytes back when they are what the descriptor names.

    Raises:
        DigestMismatchError: size or hash differ.
    """
    if len(data) != descriptor.size or Digest.of(data) != descriptor.digest:
        raise DigestMismatchError(
            f"got {len(data)} bytes of {Digest.of(data)}, expected {descriptor.size} bytes",
            context=str(descriptor.digest),
        )
    return data
