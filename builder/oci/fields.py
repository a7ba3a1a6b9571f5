"""Strict reading of JSON objects from outside: every field has a type, duplicates and surprises are refused."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from builder.digest import Digest
from builder.errors import IntegrityError, InvalidInputError

MAX_DOCUMENT_BYTES = 4 * 1024 * 1024
"""The largest manifest that registries take (distribution-spec names 4 MiB); ours are a hundredth of it."""

_LARGEST = (1 << 63) - 1
"""The largest size that others can read."""

_DUPLICATE = "the key {key!r} stands twice in one object"
_TIME = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}Z\Z")


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result: dict[str, Any] = {}
    for key, value in pairs:
        if key in result:
            raise IntegrityError(_DUPLICATE.format(key=key))
        result[key] = value
    return result


def _no_number(text: str) -> None:
    raise ValueError(text)


def parse_object(raw: bytes, *, context: str, most: int = MAX_DOCUMENT_BYTES) -> Mapping[str, Any]:
    """Read one JSON object.

    Args:
        raw: untrusted bytes.
        context: what they are, for errors.
        most: bytes that it may have.

    Raises:
        IntegrityError: the bytes are no single JSON object in UTF-8, too long, or hold a key twice.
    """
    if len(raw) > most:
        raise IntegrityError(f"{len(raw)} bytes are more than the {most} allowed", context=context)
    try:
        text = raw.decode()
        value = json.loads(text, object_pairs_hook=_unique, parse_constant=_no_number)
        if "\\u" in text:
            # Half a character, which nothing can write again.
            json.dumps(value, ensure_ascii=False).encode()
    except IntegrityError as exc:
        raise IntegrityError(exc.message, context=context) from exc
    except (ValueError, RecursionError) as exc:
        raise IntegrityError(f"not JSON: {exc}", context=context) from exc
    if not isinstance(value, dict):
        raise IntegrityError("not a JSON object", context=context)
    return value


class Fields:
    """One JSON object being read; each getter names the field when it is wrong.

    Args:
        value: the object.
        context: where it stands, as `manifest: layers[3]`.
    """

    def __init__(self, value: object, *, context: str) -> None:
        if not isinstance(value, Mapping):
            raise IntegrityError("not a JSON object", context=context)
        self._value: Mapping[str, Any] = value
        self.context = context

    def _wrong(self, key: str, expected: str) -> IntegrityError:
        got = f"got {self._value[key]!r:.80}" if key in self._value else "it is missing"
        return IntegrityError(f"{key} must be {expected}, {got}", context=self.context)

    @property
    def value(self) -> Mapping[str, Any]:
        """The object as it was read."""
        return self._value

    def has(self, key: str) -> bool:
        """Tell whether the field stands here with a value."""
        return self._value.get(key) is not None

    def only(self, known: Sequence[str]) -> None:
        """Refuse fields that are not known."""
        unknown = sorted(set(self._value) - set(known))
        if unknown:
            raise IntegrityError(f"unknown field {unknown[0]!r}", context=self.context)

    def text(self, key: str) -> str:
        """Read a string that is not empty."""
        value = self._value.get(key)
        if not isinstance(value, str) or not value:
            raise self._wrong(key, "a string")
        return value

    def optional_text(self, key: str) -> str:
        """Read a string; empty where it is absent."""
        value = self._value.get(key, "")
        if not isinstance(value, str):
            raise self._wrong(key, "a string")
        return value

    def exactly(self, key: str, expected: str | int) -> None:
        """Refuse any other value."""
        value = self._value.get(key)
        if value != expected or isinstance(value, bool):
            raise self._wrong(key, repr(expected))

    def count(self, key: str) -> int:
        """Read a whole number that is not negative."""
        value = self._value.get(key)
        if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= _LARGEST:
            raise self._wrong(key, "a whole number")
        return value

    def digest(self, key: str) -> Digest:
        """Read a sha256 digest."""
        try:
            return Digest.parse(self.text(key))
        except InvalidInputError as exc:
            raise self._wrong(key, "a sha256 digest") from exc

    def time(self, key: str) -> str:
        """Read an RFC 3339 time in UTC without fractions."""
        value = self.text(key)
        if not _TIME.match(value):
            raise self._wrong(key, "an RFC 3339 time in UTC")
        return value

    def texts(self, key: str) -> tuple[str, ...]:
        """Read a list of strings; empty where it is absent."""
        value = self._value.get(key, [])
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            raise self._wrong(key, "a list of strings")
        return tuple(value)

    def objects(self, key: str) -> tuple[Fields, ...]:
        """Read a list of objects."""
        value = self._value.get(key)
        if not isinstance(value, list):
            raise self._wrong(key, "a list")
        return tuple(Fields(item, context=f"{self.context}: {key}[{number}]") for number, item in enumerate(value))

    def child(self, key: str) -> Fields:
        """Read an object."""
        return Fields(self._value.get(key), context=f"{self.context}: {key}")

    def text_map(self, key: str) -> tuple[tuple[str, str], ...]:
        """Read an object of strings, by key; empty where it is absent."""
        value = self._value.get(key, {})
        if not isinstance(value, Mapping) or not all(isinstance(item, str) for item in value.values()):
            raise self._wrong(key, "an object of strings")
        return tuple(sorted(value.items()))

    def key_set(self, key: str) -> tuple[str, ...]:
        """Read a set, which JSON of Go writes as an object of empty objects; sorted."""
        value = self._value.get(key, {})
        if not isinstance(value, Mapping) or any(item != {} for item in value.values()):
            raise self._wrong(key, "an object of empty objects")
        return tuple(sorted(value))
