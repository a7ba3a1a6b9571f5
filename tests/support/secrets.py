"""Secrets of nobody, made of pieces so that no scanner of sources stumbles over them."""

from __future__ import annotations

from collections.abc import Mapping

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat


def pem() -> str:
    """Write a private key that is good for nothing."""
    key = ec.derive_private_key(1234567890123456789, ec.SECP256R1())
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode().strip()


LOOKS_LIKE_ONE: Mapping[str, str] = {
    "a private key": pem(),
    "an access key of AWS": "AKIA" + "Q7ZJ" * 4,
    "a token of GitHub": "ghp_" + "a1B2c3" * 6,
    "a token of GitLab": "glpat-" + "a1B2c3" * 4,
    "a token of PyPI": "pypi-AgE" + "a1B2c3" * 10,
    "a token of Slack": "xoxb-" + "1234567890-" * 3 + "abc",
    "a key of Google": "AIza" + "a1B2c" * 7,
    "a signed token": ".".join(("eyJ" + "hbGciOi" * 2, "eyJ" + "zdWIiOi" * 2, "c2lnbmF0" * 3)),
    "a password in an address": "https://me:hunter2-of-nobody@index.example/simple",
}
