"""A key in a token (a hardware security module, a smart card), by its PKCS#11 module.

The token signs the sha256 of what is signed (CKM_ECDSA), which every token with ECDSA can. Its signatures are random: signing again
gives other bytes, so a verb that finds a bundle of the key there already makes no other.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

from builder.attest.keys import PublicKey, read_spki
from builder.attest.pkcs11_uri import TokenKey, parse_uri
from builder.errors import BuilderError, InvalidInputError, SignatureError, ToolError

_MODULES: Final = ("AIRFLOW_KUBLER_PKCS11_MODULE", "COSIGN_PKCS11_MODULE_PATH")
_P256_BYTES: Final = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenSigner:
    """A key in a token. A session is opened for each signature, and closed."""

    token: Any = field(repr=False)
    """Of python-pkcs11."""
    where: TokenKey
    pin: str = field(repr=False)
    public: PublicKey

    def sign(self, data: bytes) -> bytes:
        """Have the token sign; raises SignatureError where it does not."""
        from pkcs11 import Mechanism, ObjectClass

        with _told(self.where), self.token.open(user_pin=self.pin) as session:
            key = _find_key(session, ObjectClass.PRIVATE_KEY, self.where)
            raw = key.sign(hashlib.sha256(data).digest(), mechanism=Mechanism.ECDSA)
        if len(raw) != 2 * _P256_BYTES:
            raise SignatureError("the token's signature is none of ECDSA on P-256", context=_name(self.where))
        r, s = (int.from_bytes(half, "big") for half in (raw[:_P256_BYTES], raw[_P256_BYTES:]))
        return encode_dss_signature(r, s)


def open_token_key(uri: str, environment: Mapping[str, str], pin: bytes | None) -> TokenSigner:
    """Find a key in a token.

    Args:
        uri: RFC 7512.
        environment: of this process: names the module where the URI does not.
        pin: of the user; else it is read from the file of `pin-source`.

    Raises:
        InvalidInputError: no such token or key, no module, or the PIN is missing or wrong.
        ToolError: python-pkcs11 is not installed, or the module cannot be loaded.
    """
    where = parse_uri(uri)
    try:
        import pkcs11
        from pkcs11 import ObjectClass
        from pkcs11.util.ec import encode_ec_public_key
    except ImportError as error:
        raise ToolError(
            "keys in tokens need python-pkcs11", hint='install it with: pip install "airflow-kubler[pkcs11]"'
        ) from error
    module = where.module or next((environment[name] for name in _MODULES if environment.get(name)), "")
    if not module:
        raise InvalidInputError(
            "no PKCS#11 module is named",
            context=uri,
            hint=f"add ?module-path=/usr/lib/.../module.so, or set {_MODULES[0]}",
        )
    given = _pin(where, pin)
    with _told(where):
        token = _find_token(pkcs11.lib(module), where)
        with token.open(user_pin=given) as session:
            key = _find_key(session, ObjectClass.PUBLIC_KEY, where)
            public = read_spki(encode_ec_public_key(key), file=_name(where))
    return TokenSigner(token=token, where=where, pin=given, public=public)


def _pin(where: TokenKey, pin: bytes | None) -> str:
    if pin is None and where.pin_file:
        try:
            pin = Path(where.pin_file).read_bytes().rstrip(b"\r\n")
        except OSError as error:
            raise InvalidInputError(
                f"the PIN cannot be read: {error.strerror}", context=where.pin_file, hint="name its file by pin-source"
            ) from error
    if not pin:
        raise InvalidInputError(
            "no PIN is given",
            context=_name(where),
            hint="set AIRFLOW_KUBLER_KEY_PASSWORD, or name a file by pin-source",
        )
    return pin.decode()


def _find_token(library: Any, where: TokenKey) -> Any:
    serial = where.serial.encode() if where.serial is not None else None
    found = [
        token
        for token in library.get_tokens(token_label=where.token, token_serial=serial)
        if where.slot in {None, token.slot.slot_id}
    ]
    if len(found) != 1:
        raise InvalidInputError(
            f"{len(found) or 'no'} tokens are meant", context=_name(where), hint="name one by token, serial or slot-id"
        )
    return found[0]


def _find_key(session: Any, object_class: Any, where: TokenKey) -> Any:
    """Find the one key that is meant. All are listed: python-pkcs11's own search leaves a session unusable where there are two."""
    from pkcs11 import Attribute, KeyType

    named = {Attribute.LABEL: where.label, Attribute.ID: where.key_id}
    wanted = {Attribute.CLASS: object_class, Attribute.KEY_TYPE: KeyType.EC}
    found = list(session.get_objects(wanted | {name: value for name, value in named.items() if value is not None}))
    if len(found) != 1:
        raise InvalidInputError(
            f"the token has {'several such keys' if found else 'no such key'} on elliptic curves",
            context=_name(where),
            hint="name it by object and id; both halves must be there, with the same ones",
        )
    return found[0]


@contextmanager
def _told(where: TokenKey) -> Iterator[None]:
    """Tell errors of the module as ours; PINs are in none of them."""
    import pkcs11
    from pkcs11 import exceptions

    try:
        yield
    except BuilderError:
        raise
    except (exceptions.PinIncorrect, exceptions.PinLocked, exceptions.PinLenRange) as error:
        what = "is locked" if isinstance(error, exceptions.PinLocked) else "is wrong"
        raise InvalidInputError(f"the PIN {what}", context=_name(where)) from error
    except (pkcs11.PKCS11Error, RuntimeError) as error:
        said = f": {error}" if str(error) else ""
        raise ToolError(
            f"the token cannot be used: {type(error).__name__}{said}", argv=(_name(where),), hint="is the module right?"
        ) from error


def _name(where: TokenKey) -> str:
    named = (("token", where.token), ("serial", where.serial), ("object", where.label))
    return "pkcs11:" + ";".join(f"{name}={value}" for name, value in named if value is not None)
