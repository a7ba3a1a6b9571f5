"""The bundle in which a signed statement travels, and the manifest by which it refers to an image: as cosign 3 writes and reads them.

Source: sigstore/protobuf-specs, sigstore_bundle.proto; sigstore/cosign, specs/BUNDLE_SPEC.md.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from builder.attest.dsse import Envelope, envelope_to_json, parse_envelope
from builder.attest.keys import PublicKey
from builder.canonical import dump_json
from builder.digest import Digest
from builder.errors import IntegrityError
from builder.oci import media
from builder.oci.artifact import CREATED, dump_artifact
from builder.oci.descriptor import Descriptor, describe, descriptor_from_fields
from builder.oci.fields import Fields, parse_object

BUNDLE: Final = "application/vnd.dev.sigstore.bundle.v0.3+json"
ARTIFACT_TYPES: Final = frozenset({BUNDLE, media.EMPTY, ""})
"""What lists of referrers call a bundle's manifest: cosign lists its own in fallback tags by the type of the config."""
MAX_BUNDLE_BYTES: Final = 17 << 20
"""A statement of the largest size in base64, and a certificate."""
_CONTENT: Final = "dev.sigstore.bundle.content"
_PREDICATE_TYPE: Final = "dev.sigstore.bundle.predicateType"
_DSSE: Final = "dsse-envelope"
_LONGEST_CLAIM: Final = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Bundle:
    """An envelope, and whose it says it is."""

    data: bytes
    """As it was read."""
    envelope: Envelope
    hint: str
    """Of the key: a claim, to find it quickly. Empty where a certificate stands in its place."""
    is_keyless: bool
    """A certificate of an identity stands in place of a key."""

    @property
    def digest(self) -> Digest:
        """Name it."""
        return Digest.of(self.data)


@dataclass(frozen=True, slots=True, kw_only=True)
class BundleManifest:
    """A manifest whose one layer is a bundle."""

    subject: Digest
    layer: Descriptor
    predicate_type: str
    """A claim: the statement's own counts."""
    created: str
    """A claim, of no consequence; RFC 3339 or empty."""


def dump_bundle(envelope: Envelope, key: PublicKey) -> bytes:
    """Write a bundle; bytes are stable."""
    return dump_hinted(envelope, key.hint)


def dump_hinted(envelope: Envelope, hint: str) -> bytes:
    """Write a bundle of a key whose hint alone is known; bytes are stable."""
    value: dict[str, Any] = {
        "mediaType": BUNDLE,
        "verificationMaterial": {"publicKey": {"hint": hint}},
        "dsseEnvelope": envelope_to_json(envelope),
    }
    return dump_json(value)


def parse_bundle(data: bytes, *, context: str) -> Bundle:
    """Read a bundle with an envelope; raises IntegrityError where it is none. Nothing is verified."""
    fields = Fields(parse_object(data, context=context, most=MAX_BUNDLE_BYTES), context=context)
    fields.exactly("mediaType", BUNDLE)
    material = fields.child("verificationMaterial")
    has_key, has_certificate = material.has("publicKey"), material.has("certificate")
    if has_key == has_certificate:
        raise IntegrityError("must name a key or hold a certificate, one of both", context=material.context)
    if not fields.has("dsseEnvelope"):
        raise IntegrityError("has no envelope: only statements are read", context=context)
    return Bundle(
        data=data,
        envelope=parse_envelope(fields.child("dsseEnvelope")),
        hint=_claim(material.child("publicKey").optional_text("hint")) if has_key else "",
        is_keyless=has_certificate,
    )


def dump_bundle_manifest(subject: Descriptor, bundle: bytes, predicate_type: str, created: str) -> bytes:
    """Write the manifest of a bundle; bytes are stable.

    Args:
        subject: what the bundle is about.
        bundle: its bytes, the one layer.
        predicate_type: of the statement in it.
        created: RFC 3339; empty to leave it out.
    """
    annotations = {_CONTENT: _DSSE, _PREDICATE_TYPE: predicate_type} | ({CREATED: created} if created else {})
    return dump_artifact(describe(BUNDLE, bundle), subject, annotations)


def parse_bundle_manifest(data: bytes, *, context: str) -> BundleManifest | None:
    """Read a manifest, from anybody; None where it is of something else than a bundle.

    Raises:
        IntegrityError: it says that it is of a bundle, and is not.
    """
    fields = Fields(parse_object(data, context=context), context=context)
    if fields.optional_text("artifactType") != BUNDLE:
        return None
    layers = fields.objects("layers")
    if len(layers) != 1:
        raise IntegrityError(f"has {len(layers)} layers, and must have one", context=context)
    layers[0].exactly("mediaType", BUNDLE)
    layer = descriptor_from_fields(layers[0])
    if layer.size > MAX_BUNDLE_BYTES:
        raise IntegrityError(f"a bundle of {layer.size} bytes; at most {MAX_BUNDLE_BYTES} are read", context=context)
    noted = dict(fields.text_map("annotations")) if fields.has("annotations") else {}
    return BundleManifest(
        subject=fields.child("subject").digest("digest"),
        layer=layer,
        predicate_type=_claim(noted.get(_PREDICATE_TYPE, "")),
        created=_claim(noted.get(CREATED, "")),
    )


def _claim(text: str) -> str:
    """Take what anybody may have written where it fits on a line; it is shown to people."""
    return text if text.isprintable() and len(text) <= _LONGEST_CLAIM else ""
