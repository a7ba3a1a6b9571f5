"""Keys and bundles for tests of signatures. The keys are made of constants: what they sign is the same in each run."""

from __future__ import annotations

import base64
import json
from typing import Any

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt
from nacl.secret import SecretBox

from builder.attest.bundle import Bundle, parse_bundle
from builder.attest.keys import LocalSigner
from builder.attest.kinds import predicate_type
from builder.attest.sealing import KeySealer
from builder.attest.statement import Statement, dump_statement
from builder.digest import Digest


def make_key(number: int = 1) -> LocalSigner:
    """Make the same key for the same number."""
    return LocalSigner(ec.derive_private_key(0xA11CE + number, ec.SECP256R1()))


def make_statement(digest: Digest, kind: str = "signature", **predicate: object) -> bytes:
    return dump_statement(
        Statement(digest=digest, name="registry.test/a", predicate_type=predicate_type(kind), predicate=predicate)
    )


def make_bundle(digest: Digest, kind: str = "signature", *, key: LocalSigner | None = None, **said: object) -> Bundle:
    data = KeySealer(key or make_key()).seal(make_statement(digest, kind, **said))
    return parse_bundle(data, context="bundle")


def make_cosign_key(key: LocalSigner, password: bytes, **parameters: Any) -> bytes:
    """Write a private key as `cosign generate-key-pair` does, with other parameters where they are given."""
    salt, nonce = bytes(32), bytes(24)
    plain = key.key.private_bytes(
        serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    derived = Scrypt(salt=salt, length=32, n=1024, r=8, p=1).derive(password)
    value = {
        "kdf": {
            "name": "scrypt",
            "params": {"N": 1024, "r": 8, "p": 1} | parameters,
            "salt": base64.b64encode(salt).decode(),
        },
        "cipher": {"name": "nacl/secretbox", "nonce": base64.b64encode(nonce).decode()},
        "ciphertext": base64.b64encode(SecretBox(derived).encrypt(plain, nonce).ciphertext).decode(),
    }
    head = "ENCRYPTED SIGSTORE PRIVATE KEY"
    text = base64.encodebytes(json.dumps(value).encode()).decode()
    return f"-----BEGIN {head}-----\n{text}-----END {head}-----\n".encode()
