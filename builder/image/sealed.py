"""A JSON value with its own sha256 before it: small derived things that are read back without trust in the disk."""

from __future__ import annotations

import json
from typing import Any

from builder.canonical import dump_json
from builder.digest import Digest

_HEX_BYTES = 64


def seal(value: object) -> bytes:
    """Write one line: the hash, a space, the value; bytes are stable."""
    body = dump_json(value)
    return b"%b %b\n" % (Digest.of(body).hex.encode(), body)


def unseal(line: bytes) -> Any:
    """Read a line back; None where it is not exactly what `seal` wrote."""
    digest, body = line[:_HEX_BYTES], line[_HEX_BYTES + 1 : -1]
    if line[-1:] != b"\n" or line[_HEX_BYTES : _HEX_BYTES + 1] != b" " or Digest.of(body).hex.encode() != digest:
        return None
    return json.loads(body)
