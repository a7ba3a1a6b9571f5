"""Keys in tokens are named by URIs: `pkcs11:token=builds;object=release?module-path=/usr/lib/softhsm/libsofthsm2.so`. Pure.

Source: RFC 7512. `pin-value` is refused: arguments are read by everybody on the machine.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final
from urllib.parse import unquote_to_bytes

from builder.errors import InvalidInputError

_SCHEME: Final = "pkcs11:"
_PATH: Final = ("token", "manufacturer", "serial", "model", "object", "type", "id", "slot-id")
_QUERY: Final = ("module-path", "pin-source")
_BAD_ESCAPE: Final = re.compile(r"%(?![0-9A-Fa-f]{2})")
_HINT: Final = "write it as pkcs11:token=NAME;object=LABEL?module-path=/usr/lib/.../module.so"


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenKey:
    """Which key of which token, by which module; None matches anything."""

    token: str | None = None
    serial: str | None = None
    slot: int | None = None
    label: str | None = None
    key_id: bytes | None = None
    module: str = ""
    """Path of the library; empty where the URI does not say."""
    pin_file: str = ""
    """Of the PIN; empty where the URI names none."""


def parse_uri(uri: str) -> TokenKey:
    """Read a URI.

    Raises:
        InvalidInputError: it is none, names no key, or holds what is not understood: another key might be meant.
    """
    shown = re.sub(r"pin-value=[^&]*", "pin-value=***", uri)[:200]
    path, _, query = uri.removeprefix(_SCHEME).partition("?")
    try:
        named = _read(path, ";", _PATH) | _read(query, "&", _QUERY)
        found = TokenKey(
            token=_text(named.get("token")),
            serial=_text(named.get("serial")),
            slot=int(named["slot-id"]) if "slot-id" in named else None,
            label=_text(named.get("object")),
            key_id=named.get("id"),
            module=_text(named.get("module-path")) or "",
            pin_file=(_text(named.get("pin-source")) or "").removeprefix("file:"),
        )
    except ValueError as error:
        raise InvalidInputError(f"is no such URI: {error}", context=shown, hint=_HINT) from error
    if found.label is None and found.key_id is None:
        raise InvalidInputError("names no key of the token", context=shown, hint=_HINT)
    return found


def _read(text: str, separator: str, known: tuple[str, ...]) -> dict[str, bytes]:
    found: dict[str, bytes] = {}
    for part in filter(None, text.split(separator)):
        name, equals, value = part.partition("=")
        if name == "pin-value":
            raise ValueError("a PIN in an argument is read by others: set AIRFLOW_KUBLER_KEY_PASSWORD")
        if not equals or name not in known:
            raise ValueError(f"{name[:40]!r} is not understood; known are {', '.join(known)}")
        if name in found:
            raise ValueError(f"{name} stands twice")
        if _BAD_ESCAPE.search(value):
            raise ValueError(f"{name} has a % that escapes nothing")
        found[name] = unquote_to_bytes(value)
    for name in ("manufacturer", "model"):
        if name in found:
            raise ValueError(f"{name} is not looked at: name the token by token or serial")
    if found.pop("type", b"private") not in {b"private", b"public"}:
        raise ValueError("type must be private")
    return found


def _text(value: bytes | None) -> str | None:
    return None if value is None else value.decode()
