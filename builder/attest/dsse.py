"""Envelopes: a payload, its type, and signatures over both.

Source: secure-systems-lab/dsse, protocol.md and envelope.md.
"""

from __future__ import annotations

import base64
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

from builder.attest.keys import PublicKey, Signer
from builder.errors import IntegrityError, SignatureError
from builder.oci.fields import Fields

_MOST_SIGNATURES: Final = 8
"""Each is tried with each key."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Envelope:
    """A payload with signatures."""

    payload: bytes
    payload_type: str
    signatures: tuple[bytes, ...]


def pre_authentication(payload_type: str, payload: bytes) -> bytes:
    """Write what is signed: type and payload with their lengths, so that nothing moves from one to the other.

    >>> pre_authentication("http://example.com/HelloWorld", b"hello world")
    b'DSSEv1 29 http://example.com/HelloWorld 11 hello world'
    """
    kind = payload_type.encode()
    return b"DSSEv1 %d %b %d %b" % (len(kind), kind, len(payload), payload)


def seal(payload: bytes, payload_type: str, signer: Signer) -> Envelope:
    """Sign a payload.

    Raises:
        SignatureError: the key cannot be used, or what came from it is no signature of its public half.
    """
    signed = pre_authentication(payload_type, payload)
    signature = signer.sign(signed)
    if not signer.public.verifies(signature, signed):
        # Of programs and tokens: better now than where it is deployed.
        raise SignatureError(
            "what signed gave a signature that its public key does not verify",
            context=signer.public.fingerprint,
            hint="is the public key that of the private one, and the signature ECDSA with SHA-256 over the bytes given?",
        )
    return Envelope(payload=payload, payload_type=payload_type, signatures=(signature,))


def verify_envelope(envelope: Envelope, keys: Iterable[PublicKey], *, context: str) -> PublicKey:
    """Find which of the keys has signed an envelope.

    Raises:
        SignatureError: none of them has.
    """
    signed = pre_authentication(envelope.payload_type, envelope.payload)
    for key in keys:
        if any(key.verifies(signature, signed) for signature in envelope.signatures):
            return key
    raise SignatureError("is signed by none of the keys given", context=context)


def envelope_to_json(envelope: Envelope) -> dict[str, Any]:
    """Make the JSON form."""
    return {
        "payload": base64.b64encode(envelope.payload).decode(),
        "payloadType": envelope.payload_type,
        "signatures": [{"sig": base64.b64encode(signature).decode()} for signature in envelope.signatures],
    }


def parse_envelope(fields: Fields) -> Envelope:
    """Read an envelope; raises IntegrityError where it is none, has no signature, or endless ones."""
    signatures = tuple(_decode(one, "sig") for one in fields.objects("signatures"))
    if not signatures:
        raise IntegrityError("has no signature", context=fields.context)
    if len(signatures) > _MOST_SIGNATURES:
        raise IntegrityError(
            f"has {len(signatures)} signatures; at most {_MOST_SIGNATURES} are tried", context=fields.context
        )
    return Envelope(payload=_decode(fields, "payload"), payload_type=fields.text("payloadType"), signatures=signatures)


def _decode(fields: Fields, key: str) -> bytes:
    """Read base64 that is written in the one way: other bits are a place to hide in."""
    text = fields.text(key)
    try:
        data = base64.b64decode(text, validate=True)
    except ValueError as error:
        raise IntegrityError(f"{key} is no base64", context=fields.context) from error
    if base64.b64encode(data).decode() != text:
        raise IntegrityError(f"{key} is base64 with bits that mean nothing", context=fields.context)
    return data
