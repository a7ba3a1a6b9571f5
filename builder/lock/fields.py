"""Reads values of a lock by key and keeps what is wrong with them, so that a reader can say all of it at once."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from builder.digest import Digest
from builder.errors import BuilderError, IssuesError, LockInvalidError

AGAIN = "make it again with: airflow-kubler lock"
_HEX = re.compile(r"[0-9a-f]{64}\Z")


class Fields:
    """The issues of one lock file, and how its values are read; a wrong value reads as an empty one."""

    def __init__(self, file: str) -> None:
        self._file = file
        self.issues: list[BuilderError] = []

    def raise_any(self) -> None:
        """Raise what was found wrong."""
        if self.issues:
            raise IssuesError(self.issues, hint=AGAIN)

    def wrong(self, key: str, message: str, *, hint: str = "") -> None:
        """Note an issue of a key."""
        self.issues.append(LockInvalidError(message, context=f"{self._file}: {key}", hint=hint))

    def known(self, values: Mapping[str, Any], known: set[str], where: str) -> None:
        """Refuse every other key."""
        for key in values:
            if key not in known:
                self.wrong(f"{where}{key[:80]}", "unknown key")

    def text(self, values: Mapping[str, Any], key: str, where: str) -> str:
        """Read a text, not empty."""
        value = values.get(key)
        if isinstance(value, str) and value:
            return value
        self.wrong(f"{where}{key}", "must be a text, not empty")
        return ""

    def optional_text(self, values: Mapping[str, Any], key: str, where: str) -> str | None:
        """Read a text that may be absent."""
        return self.text(values, key, where) if key in values else None

    def texts(self, values: Mapping[str, Any], key: str, where: str) -> tuple[str, ...]:
        """Read an array of texts."""
        value = values.get(key)
        if isinstance(value, list) and all(isinstance(item, str) for item in value):
            return tuple(value)
        self.wrong(f"{where}{key}", "must be an array of texts")
        return ()

    def number(self, values: Mapping[str, Any], key: str, where: str, *, below: int = 1 << 53) -> int:
        """Read a whole number, not negative."""
        value = values.get(key)
        if type(value) is int and 0 <= value < below:
            return value
        self.wrong(f"{where}{key}", f"must be a whole number, not negative, below {below}")
        return 0

    def digest(self, values: Mapping[str, Any], key: str, where: str) -> Digest:
        """Read a digest with its algorithm."""
        value = values.get(key)
        if isinstance(value, str) and value.startswith("sha256:") and _HEX.match(value[7:]):
            return Digest(value[7:])
        self.wrong(f"{where}{key}", "must be sha256:<64 hexadecimal characters>")
        return Digest("0" * 64)

    def hex(self, values: Mapping[str, Any], key: str, where: str) -> Digest:
        """Read the sha256 of a file."""
        value = values.get(key)
        if isinstance(value, str) and _HEX.match(value):
            return Digest(value)
        self.wrong(f"{where}{key}", "must be 64 hexadecimal characters")
        return Digest("0" * 64)

    def table(self, values: Mapping[str, Any], key: str, where: str) -> Mapping[str, Any]:
        """Read a table that may be absent."""
        value = values.get(key, {})
        if isinstance(value, dict):
            return value
        self.wrong(f"{where}{key}", "must be a table")
        return {}

    def tables(self, values: Mapping[str, Any], key: str, where: str) -> list[tuple[Mapping[str, Any], str]]:
        """Read an array of tables that may be absent, each with the beginning of its keys' names."""
        value = values.get(key, [])
        if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
            self.wrong(f"{where}{key}", "must be an array of tables")
            return []
        return [(item, f"{where}{key}[{position}].") for position, item in enumerate(value)]
