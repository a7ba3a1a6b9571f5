"""Signing keys where they lie: what `--key` names.

    airflow-kubler.key               a file: PKCS#8 in PEM, or what `cosign generate-key-pair` makes
    env:NAME                         the file that a variable names
    pkcs11:token=...;object=...      a key in a token (RFC 7512), by its PKCS#11 module
    command:PROGRAM ARGUMENT...      a program that signs, as of a cloud's key service: command_signer.py says how it is called

Passwords and PINs come from AIRFLOW_KUBLER_KEY_PASSWORD or COSIGN_PASSWORD; never from an argument, which others on the
machine can read.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final

from builder.attest.command_signer import CommandSigner
from builder.attest.keys import PublicKey, Signer, parse_private_key, parse_public_key
from builder.errors import InvalidInputError

_ENVIRONMENT: Final = "env:"
_COMMAND: Final = "command:"
_PKCS11: Final = "pkcs11:"
_LARGEST: Final = 1 << 16
"""Bytes of a key file."""


def password_of(environment: Mapping[str, str]) -> bytes | None:
    """Find the password of keys; None where none is set."""
    for name in ("AIRFLOW_KUBLER_KEY_PASSWORD", "COSIGN_PASSWORD"):
        if name in environment:
            return environment[name].encode()
    return None


def open_key(place: str, environment: Mapping[str, str]) -> Signer:
    """Find a signing key.

    Args:
        place: as above.
        environment: of this process.

    Raises:
        InvalidInputError: there is none, it is of another kind, or the password is missing or wrong.
        SignatureError: the program or token does not give its public key.
        ToolError: what reads such keys is not installed.
    """
    if place.startswith(_COMMAND):
        return CommandSigner.of(place.removeprefix(_COMMAND), environment)
    if place.startswith(_PKCS11):
        # Late: an extra.
        from builder.attest.pkcs11_signer import open_token_key

        return open_token_key(place, environment, password_of(environment))
    path = _path(place, environment)
    return parse_private_key(_read(path, "a signing key"), password_of(environment), file=str(path))


def open_public_key(place: str, environment: Mapping[str, str]) -> PublicKey:
    """Find a key to verify by: a file in PEM, one that a variable names, or the public half of a token's or program's.

    Raises:
        InvalidInputError: there is none, or it is of another kind.
    """
    if place.startswith((_COMMAND, _PKCS11)):
        return open_key(place, environment).public
    path = _path(place, environment)
    return parse_public_key(_read(path, "a public key"), file=str(path))


def _path(place: str, environment: Mapping[str, str]) -> Path:
    if not place.startswith(_ENVIRONMENT):
        return Path(place)
    name = place.removeprefix(_ENVIRONMENT)
    if not environment.get(name):
        raise InvalidInputError("the variable is not set", context=place, hint="let it name the file of the key")
    return Path(environment[name])


def _read(path: Path, what: str) -> bytes:
    try:
        with path.open("rb") as stream:
            data = stream.read(_LARGEST + 1)
    except OSError as error:
        raise InvalidInputError(
            f"{what} cannot be read: {error.strerror}",
            context=str(path),
            hint="name a file, env:NAME, pkcs11:... or command:PROGRAM; `airflow-kubler keygen` makes a key",
        ) from error
    if len(data) > _LARGEST:
        raise InvalidInputError(f"is too long to be {what}", context=str(path))
    return data
