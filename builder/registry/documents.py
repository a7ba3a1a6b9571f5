"""What manifests refer to, read from anybody's: kinds are known, sizes and digests strict, the rest is let stand. Pure.

Source: opencontainers/image-spec, manifest.md and image-index.md; docker's schema 2, which has the same shape.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from builder.digest import Digest
from builder.errors import BuilderError, IntegrityError
from builder.oci import media
from builder.oci.descriptor import Descriptor
from builder.oci.fields import Fields, parse_object
from builder.registry.model import Referrer

DOCKER_INDEX: Final = "application/vnd.docker.distribution.manifest.list.v2+json"
DOCKER_MANIFEST: Final = "application/vnd.docker.distribution.manifest.v2+json"
INDEXES: Final = (media.INDEX, DOCKER_INDEX)
MANIFESTS: Final = (media.MANIFEST, DOCKER_MANIFEST)
ACCEPT: Final = ", ".join((*INDEXES, *MANIFESTS))


@dataclass(frozen=True, slots=True, kw_only=True)
class Links:
    """What a manifest refers to."""

    manifests: tuple[Descriptor, ...] = ()
    """Children, of an index."""
    blobs: tuple[Descriptor, ...] = ()
    """Config and layers, each once."""
    subject: Digest | None = None
    artifact_type: str = ""
    annotations: tuple[tuple[str, str], ...] = ()


def media_type_of(data: bytes, stated: str, *, context: str) -> str:
    """Find a manifest's media type.

    Args:
        data: untrusted.
        stated: by the Content-Type of the answer.
        context: for errors.

    Raises:
        IntegrityError: it is none that this project knows, or two places contradict each other.
    """
    fields = Fields(parse_object(data, context=context), context=context)
    fields.exactly("schemaVersion", 2)
    inner, outer = fields.optional_text("mediaType"), stated.partition(";")[0].strip().lower()
    known = (*INDEXES, *MANIFESTS)
    if inner in known and outer in known and inner != outer:
        raise IntegrityError(f"calls itself {inner} and is given as {outer}", context=context)
    for found in (inner, outer):
        if found in known:
            # What lists manifests is no image, whatever it is called: two readers must not see two things.
            if fields.has("manifests") != (found in INDEXES) or (fields.has("layers") and found in INDEXES):
                raise IntegrityError(f"is not what {found} is", context=context)
            return found
    raise IntegrityError(f"not a manifest that is known here: {inner or outer or 'no media type'}", context=context)


def parse_links(data: bytes, media_type: str, *, context: str) -> Links:
    """Read what a manifest refers to; raises IntegrityError."""
    fields = Fields(parse_object(data, context=context), context=context)
    subject = fields.child("subject").digest("digest") if fields.has("subject") else None
    annotations = fields.text_map("annotations") if fields.has("annotations") else ()
    if media_type in INDEXES:
        children = tuple(_descriptor(child) for child in fields.objects("manifests"))
        return Links(
            manifests=children,
            subject=subject,
            artifact_type=fields.optional_text("artifactType"),
            annotations=annotations,
        )
    config = _descriptor(fields.child("config"))
    blobs = {blob.digest: blob for blob in (config, *map(_descriptor, fields.objects("layers")))}
    artifact_type = fields.optional_text("artifactType") or config.media_type
    return Links(blobs=tuple(blobs.values()), subject=subject, artifact_type=artifact_type, annotations=annotations)


def _descriptor(fields: Fields) -> Descriptor:
    """Read a descriptor; its platform, which may be any, is left out."""
    return Descriptor(
        media_type=fields.text("mediaType"),
        digest=fields.digest("digest"),
        size=fields.count("size"),
        annotations=fields.text_map("annotations") if fields.has("annotations") else (),
    )


def parse_referrers(data: bytes, *, context: str) -> tuple[Referrer, ...]:
    """Read an index of referrers; entries that cannot be read are passed over: anybody may have written them.

    Raises:
        IntegrityError: it is no index.
    """
    listed = parse_object(data, context=context).get("manifests")
    if not isinstance(listed, list):
        raise IntegrityError("manifests must be a list", context=context)
    found: dict[Digest, Referrer] = {}
    for value in listed:
        try:
            entry = Fields(value, context=context)
            referrer = Referrer(descriptor=_descriptor(entry), artifact_type=entry.optional_text("artifactType"))
        except BuilderError:
            continue
        found[referrer.descriptor.digest] = referrer
    return tuple(found[digest] for digest in sorted(found))


def referrer_entry(descriptor: Descriptor, links: Links) -> dict[str, Any]:
    """Make a manifest's entry in the index of its subject's referrers."""
    return {
        "mediaType": descriptor.media_type,
        "digest": str(descriptor.digest),
        "size": descriptor.size,
        "artifactType": links.artifact_type,
        "annotations": dict(links.annotations),
    }
