"""The seam over keys and identities: what makes a bundle of a statement, and what finds whose a bundle is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from builder.attest.bundle import Bundle, dump_bundle
from builder.attest.dsse import seal, verify_envelope
from builder.attest.keys import PublicKey, Signer
from builder.attest.statement import PAYLOAD_TYPE, Statement, parse_statement
from builder.errors import IntegrityError, SignatureError


class Sealer(Protocol):
    """Makes bundles."""

    @property
    def name(self) -> str:
        """Who signs: the fingerprint of a key, or an identity."""

    def seal(self, statement: bytes) -> bytes:
        """Sign a statement; gives a bundle. Raises SignatureError where that cannot be done."""


class Opener(Protocol):
    """Knows some signers."""

    def signer_of(self, bundle: Bundle, *, context: str) -> str:
        """Find who has signed a bundle, by the name that a Sealer has; raises SignatureError where it is nobody known."""


@dataclass(frozen=True, slots=True)
class KeySealer:
    """Seals by a key, wherever it lies."""

    signer: Signer

    @property
    def name(self) -> str:
        """The key's fingerprint."""
        return self.signer.public.fingerprint

    def seal(self, statement: bytes) -> bytes:
        """Sign a statement; by a key in this process the same statement gives the same bundle."""
        return dump_bundle(seal(statement, PAYLOAD_TYPE, self.signer), self.signer.public)


@dataclass(frozen=True, slots=True)
class KeyOpener:
    """Knows keys. A bundle's hint is not believed: all are tried."""

    keys: tuple[PublicKey, ...]

    def signer_of(self, bundle: Bundle, *, context: str) -> str:
        """Find which key has signed."""
        if bundle.is_keyless:
            raise SignatureError("is signed by an identity, and only keys are known", context=context)
        return verify_envelope(bundle.envelope, self.keys, context=context).fingerprint


def open_bundle(bundle: Bundle, openers: Sequence[Opener], *, context: str) -> tuple[Statement, str]:
    """Read the statement of a bundle, once it is known who has signed it.

    Returns:
        The statement, and who signed.

    Raises:
        SignatureError: nobody who is known.
        IntegrityError: what is signed is no statement.
    """
    if bundle.envelope.payload_type != PAYLOAD_TYPE:
        raise IntegrityError(f"is no statement but {bundle.envelope.payload_type[:80]!r}", context=context)
    refusal: SignatureError | None = None
    for opener in openers:
        try:
            signer = opener.signer_of(bundle, context=context)
        except SignatureError as error:
            refusal = refusal or error
            continue
        return parse_statement(bundle.envelope.payload, context=context), signer
    raise refusal or SignatureError("no key was given", context=context)
