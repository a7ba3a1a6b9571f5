"""Stable bytes of JSON and TOML: same value, same bytes, on any machine."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import tomli_w

_ENCODER = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def dump_json(value: object) -> bytes:
    """Dump a JSON value with sorted keys, no white space, UTF-8; bytes are stable."""
    return _ENCODER.encode(value).encode()


def dump_toml(value: Mapping[str, Any]) -> bytes:
    """Dump a TOML table in the order of its keys, with Unix line ends; bytes are stable."""
    return tomli_w.dumps(value, multiline_strings=False).encode()


def quote_toml(text: str) -> str:
    """Write a text as a TOML string in double quotes, on one line."""
    # JSON's escapes are TOML's, but for DEL, which TOML wants escaped too.
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
