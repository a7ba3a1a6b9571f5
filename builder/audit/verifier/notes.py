"""Verifying keys, signed notes, checkpoints.

Source: C2SP signed-note and tlog-checkpoint.
"""

from __future__ import annotations

import base64
import hashlib
import re

from builder.audit.verifier.curve import ed25519_verifies

Key = tuple[str, bytes, bytes]
"""Name, id and the 32 bytes of a verifying key."""


def read_key(text: str) -> Key:
    """Read `<name>+<id>+<base64>`: name, id and the 32 bytes."""
    name, _, rest = text.strip().partition("+")
    ident, _, data = rest.partition("+")
    raw = base64.b64decode(data, validate=True)
    expected = hashlib.sha256(name.encode() + b"\n" + raw).digest()[:4]
    if raw[:1] != b"\x01" or len(raw) != 33 or ident != expected.hex():
        raise ValueError("is no Ed25519 key of signed notes")
    return name, expected, raw[1:]


def open_note(data: bytes, keys: list[Key]) -> tuple[str, bool]:
    """Read a signed note: its text, and whether one of the keys has signed it; raises ValueError where a signature is bad."""
    text, empty, signatures = data.decode().partition("\n\n")
    signed = False
    *lines, last = signatures.split("\n") if empty else [""]
    if last or (empty and not lines):
        raise ValueError("its last line does not end")
    for line in lines:
        found = re.match(r"\u2014 (\S+) ([A-Za-z0-9+/]+={0,2})\Z", line)
        raw = base64.b64decode(found[2], validate=True) if found else b""
        if found is None or base64.b64encode(raw).decode() != found[2] or len(raw) < 5:
            raise ValueError("a line of its signatures is none")
        for name, ident, public in keys:
            if (found[1], raw[:4]) == (name, ident):
                if not ed25519_verifies(public, raw[4:], f"{text}\n".encode()):
                    raise ValueError(f"the signature of {name} does not hold")
                signed = True
    return (text + "\n" if empty else text), signed


def read_checkpoint(text: str) -> tuple[str, int, bytes]:
    """Read the text of a checkpoint: name, number of entries, root."""
    origin, size, root, end = text.split("\n")
    raw = base64.b64decode(root, validate=True)
    if end or len(raw) != 32 or not re.match(r"(0|[1-9][0-9]{0,18})\Z", size) or base64.b64encode(raw).decode() != root:
        raise ValueError("is no checkpoint")
    return origin, int(size), raw
