"""Keys: ECDSA on P-256 with SHA-256, as cosign takes them. Signatures are deterministic (RFC 6979), so documents are stable. Pure.

Where keys lie, and how they are named: key_place.py.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
from dataclasses import dataclass
from typing import Protocol

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from builder.errors import InvalidInputError, SignatureError


@dataclass(frozen=True, slots=True, kw_only=True)
class PublicKey:
    """Whose signatures are looked at."""

    spki: bytes
    """SubjectPublicKeyInfo in DER."""

    @property
    def hint(self) -> str:
        """Name it as bundles do: base64 of the sha256 of its bytes."""
        return base64.b64encode(hashlib.sha256(self.spki).digest()).decode()

    @property
    def fingerprint(self) -> str:
        """Name it for people."""
        return f"sha256:{hashlib.sha256(self.spki).hexdigest()}"

    def pem(self) -> bytes:
        """Write it as a file."""
        return _load(self.spki).public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )

    def verifies(self, signature: bytes, data: bytes) -> bool:
        """Tell whether a signature in DER is this key's over the data."""
        try:
            _load(self.spki).verify(signature, data, ec.ECDSA(hashes.SHA256()))
        except (InvalidSignature, ValueError):
            return False
        return True


class Signer(Protocol):
    """What signs, wherever its key lies."""

    @property
    def public(self) -> PublicKey:
        """The public half."""

    def sign(self, data: bytes) -> bytes:
        """Sign; gives DER. Raises SignatureError where the key cannot be used."""


@dataclass(frozen=True, slots=True)
class LocalSigner:
    """A key in this process."""

    key: ec.EllipticCurvePrivateKey

    @property
    def public(self) -> PublicKey:
        """The public half."""
        return _public(self.key.public_key(), "the signing key")

    def sign(self, data: bytes) -> bytes:
        """Sign; the same data gives the same signature."""
        return self.key.sign(data, ec.ECDSA(hashes.SHA256(), deterministic_signing=True))


def parse_public_key(data: bytes, *, file: str) -> PublicKey:
    """Read a public key in PEM; raises InvalidInputError for any but P-256."""
    try:
        key = serialization.load_pem_public_key(data)
    except (ValueError, UnsupportedAlgorithm) as error:
        raise InvalidInputError(
            "is no public key in PEM", context=file, hint="name the file that ends in .pub, of `keygen` or cosign"
        ) from error
    return _public(key, file)


def read_spki(spki: bytes, *, file: str) -> PublicKey:
    """Read a public key in DER; raises InvalidInputError for any but P-256."""
    try:
        key = serialization.load_der_public_key(spki)
    except (ValueError, UnsupportedAlgorithm) as error:
        raise InvalidInputError("is no public key in DER", context=file) from error
    return _public(key, file)


def parse_private_key(data: bytes, password: bytes | None, *, file: str) -> LocalSigner:
    """Read a private key in PEM, its own or cosign's form.

    Raises:
        InvalidInputError: it is none, of another kind, or the password is missing or wrong. Nothing of it is told.
    """
    if b"ENCRYPTED SIGSTORE PRIVATE KEY" in data or b"ENCRYPTED COSIGN PRIVATE KEY" in data:
        from builder.attest.cosign_key import decrypt_cosign_key

        data, password = decrypt_cosign_key(data, password, file=file), None
    load = serialization.load_pem_private_key if data.startswith(b"-----") else serialization.load_der_private_key
    try:
        key = load(data, password)
    except TypeError as error:
        hint = "set AIRFLOW_KUBLER_KEY_PASSWORD" if password is None else "it has no password: leave it out"
        raise InvalidInputError("does not go with the password given", context=file, hint=hint) from error
    except (ValueError, UnsupportedAlgorithm) as error:
        raise InvalidInputError("is no private key in PEM, or the password is wrong", context=file) from error
    if not isinstance(key, ec.EllipticCurvePrivateKey) or not isinstance(key.curve, ec.SECP256R1):
        raise InvalidInputError(
            "is no key of ECDSA on P-256", context=file, hint="make one with: airflow-kubler keygen"
        )
    return LocalSigner(key)


def generate_key() -> LocalSigner:
    """Make a key."""
    return LocalSigner(ec.generate_private_key(ec.SECP256R1()))


def dump_private_key(signer: LocalSigner, password: bytes | None) -> bytes:
    """Write a private key as PKCS#8 in PEM, encrypted where a password is given."""
    protection: serialization.KeySerializationEncryption = (
        serialization.BestAvailableEncryption(password) if password else serialization.NoEncryption()
    )
    return signer.key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, protection)


def read_signature(data: bytes, *, context: str) -> bytes:
    """Read what a program signed, in DER or base64 of it; raises SignatureError."""
    from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

    candidates = [data]
    with contextlib.suppress(ValueError):
        candidates.append(base64.b64decode(b"".join(data.split()), validate=True))
    for candidate in candidates:
        try:
            decode_dss_signature(candidate)
        except ValueError:
            continue
        return candidate
    raise SignatureError("gave no signature of ECDSA in DER or base64", context=context)


def _public(key: object, file: str) -> PublicKey:
    if not isinstance(key, ec.EllipticCurvePublicKey) or not isinstance(key.curve, ec.SECP256R1):
        raise InvalidInputError("is no key of ECDSA on P-256", context=file)
    spki = key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    return PublicKey(spki=spki)


def _load(spki: bytes) -> ec.EllipticCurvePublicKey:
    key = serialization.load_der_public_key(spki)
    if not isinstance(key, ec.EllipticCurvePublicKey):
        raise InvalidInputError("is no key of ECDSA")
    return key
