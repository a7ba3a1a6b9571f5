"""Private keys as `cosign generate-key-pair` writes them: scrypt and secretbox around PKCS#8.

Source: sigstore/cosign, pkg/cosign/keys.go; theupdateframework/go-tuf, encrypted.
"""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass
from typing import Final

from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

from builder.errors import InvalidInputError, ToolError

_MOST_MEMORY: Final = 1 << 28
"""Bytes that a key file may make us fill; cosign's take 64 MiB."""
_MOST_PASSES: Final = 4
"""Over that memory; cosign's make one."""


def decrypt_cosign_key(pem: bytes, password: bytes | None, *, file: str) -> bytes:
    """Decrypt a key; gives PKCS#8 in DER.

    Raises:
        InvalidInputError: it is damaged, asks for too much, or the password is wrong.
        ToolError: what decrypts it is not installed.
    """
    try:
        from nacl.exceptions import CryptoError
        from nacl.secret import SecretBox
    except ImportError as error:
        raise ToolError(
            "cosign's own key files need PyNaCl", hint='install it with: pip install "airflow-kubler[cosign]"'
        ) from error
    try:
        sealed = _parse(pem)
        derived = Scrypt(salt=sealed.salt, length=SecretBox.KEY_SIZE, n=sealed.n, r=sealed.r, p=sealed.p)
        return bytes(SecretBox(derived.derive(password or b"")).decrypt(sealed.ciphertext, sealed.nonce))
    except CryptoError as error:
        raise InvalidInputError(
            "the password is wrong", context=file, hint="it comes from AIRFLOW_KUBLER_KEY_PASSWORD or COSIGN_PASSWORD"
        ) from error
    except (ValueError, KeyError, TypeError) as error:
        raise InvalidInputError("is no private key of cosign", context=file) from error


@dataclass(frozen=True, slots=True, kw_only=True)
class _Sealed:
    n: int
    r: int
    p: int
    salt: bytes
    nonce: bytes
    ciphertext: bytes


def _parse(pem: bytes) -> _Sealed:
    """Read the JSON in the PEM; raises ValueError, KeyError, TypeError for anything else."""
    lines = pem.decode("ascii").strip().splitlines()
    value = json.loads(base64.b64decode("".join(lines[1:-1])))
    parameters = value["kdf"]["params"]
    n, r, p = (int(parameters[name]) for name in ("N", "r", "p"))
    if value["kdf"]["name"] != "scrypt" or value["cipher"]["name"] != "nacl/secretbox":
        raise ValueError("of another kind")
    if 128 * n * r > _MOST_MEMORY or p > _MOST_PASSES:
        raise ValueError("asks for too much")
    salt, nonce, ciphertext = (
        base64.b64decode(text) for text in (value["kdf"]["salt"], value["cipher"]["nonce"], value["ciphertext"])
    )
    return _Sealed(n=n, r=r, p=p, salt=salt, nonce=nonce, ciphertext=ciphertext)
