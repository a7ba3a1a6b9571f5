"""TOML values on one line, so that a lock is small and its differences read line by line."""

from __future__ import annotations

import re
from collections.abc import Mapping

from builder.canonical import quote_toml

_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+\Z")


def dump_inline(value: object) -> str:
    """Write a value of texts, whole numbers, truth values, arrays and tables; bytes are stable.

    >>> dump_inline({"name": "a", "sizes": [1, 2]})
    '{name = "a", sizes = [1, 2]}'
    """
    match value:
        case bool():
            return "true" if value else "false"
        case int():
            return str(value)
        case str():
            return quote_toml(value)
        case Mapping():
            return "{" + ", ".join(f"{_key(key)} = {dump_inline(item)}" for key, item in value.items()) + "}"
        case list() | tuple():
            return "[" + ", ".join(dump_inline(item) for item in value) + "]"
        case _:
            raise TypeError(f"no TOML value of ours: {type(value).__name__}")


def _key(key: str) -> str:
    return key if _BARE_KEY.match(key) else quote_toml(key)
