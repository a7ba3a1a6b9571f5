"""Read values from TOML tables by key and type, collecting every issue instead of stopping at the first.

A key of a wrong type reads as if it were absent, after its issue is noted; who holds the issues raises them once.
"""

from __future__ import annotations

import datetime as dt
import tomllib
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from builder.errors import BuilderError, IssuesError, StackError
from builder.secrecy import refuse_secret
from builder.stack.names import nearest

MAX_BYTES = 1 << 20
"""No stack or base file that a person writes comes near it; deep nesting and huge numbers are kept out early."""


class Issues:
    """The issues of one file, in the order met."""

    def __init__(self, file: str, text: str = "") -> None:
        self.file = file
        self.text = text
        """Of the whole file."""
        self.found: list[BuilderError] = []

    def add(self, key: str, message: str, *, hint: str = "", file: str = "") -> None:
        """Note an issue of a key; `file` where it is another one than usual."""
        where = file or self.file
        self.found.append(StackError(message, context=f"{where}: {key}" if key else where, hint=hint))

    def raise_any(self) -> None:
        """Raise all issues at once, if there are any; else refuse a secret anywhere in the file."""
        if self.found:
            raise IssuesError(self.found)
        # Comments too: it is committed, and what it says goes into locks and images.
        refuse_secret(self.text, context=self.file)


class Table:
    """One TOML table: ask for each key that is known, then `close` to refuse the others."""

    def __init__(self, values: Mapping[str, Any], issues: Issues, prefix: str = "") -> None:
        self._values = values
        self._asked: set[str] = set()
        self.issues = issues
        self._prefix = prefix

    def key(self, key: str) -> str:
        """Give the full name of a key, as `airflow.version`."""
        return f"{self._prefix}{key}"

    def __contains__(self, key: str) -> bool:
        return key in self._values

    def wrong(self, key: str, message: str, *, hint: str = "") -> None:
        """Note an issue of a key of this table."""
        self.issues.add(self.key(key), message, hint=hint)

    def _get(self, key: str, fits: Callable[[Any], bool], wanted: str, *, required: bool, hint: str = "") -> Any:
        self._asked.add(key)
        if key not in self._values:
            if required:
                self.wrong(key, "is missing", hint=hint)
            return None
        value = self._values[key]
        if fits(value):
            return value
        self.wrong(key, f"must be {wanted}, is {_kind(value)}", hint=hint)
        return None

    def text(self, key: str, *, required: bool = False, hint: str = "") -> str | None:
        """Read a text on one line, not empty."""
        value = self._get(key, lambda value: isinstance(value, str), "a text", required=required, hint=hint)
        if value is None:
            return None
        problem = _line_problem(value)
        if problem:
            self.wrong(key, problem, hint=hint)
            return None
        return str(value)

    def given(self, key: str) -> Any:
        """Take what stands under a key as it is, for keys that are written in several ways; None where it is absent."""
        self._asked.add(key)
        return self._values.get(key)

    def block(self, key: str) -> str | None:
        """Read a text of any number of lines, perhaps empty."""
        value: str | None = self._get(key, lambda value: isinstance(value, str), "a text", required=False)
        return value

    def integer(self, key: str, *, least: int, most: int, hint: str = "") -> int | None:
        """Read a whole number within bounds."""
        value = self._get(key, lambda value: type(value) is int, "a whole number", required=False, hint=hint)
        if value is None:
            return None
        if not least <= value <= most:
            self.wrong(
                key, f"must be from {least} to {most}, is {value if abs(value) < 10**9 else 'far off'}", hint=hint
            )
            return None
        return int(value)

    def date(self, key: str, *, required: bool = False, hint: str = "") -> dt.date | None:
        """Read a date without time."""
        value: dt.date | None = self._get(
            key,
            lambda value: type(value) is dt.date,
            "a date as 2027-03-31, without quotes",
            required=required,
            hint=hint,
        )
        return value

    def moment(self, key: str, *, hint: str = "") -> dt.date | dt.datetime | None:
        """Read a date, or a date with time and offset."""
        value: dt.date | dt.datetime | None = self._get(
            key,
            lambda value: isinstance(value, dt.date),
            "a date as 2026-11-01 or a time as 2026-11-01T06:00:00Z, without quotes",
            required=False,
            hint=hint,
        )
        if isinstance(value, dt.datetime) and value.tzinfo is None:
            self.wrong(key, "has no offset, so it is another time in each place", hint="write Z for UTC behind it")
            return None
        return value

    def truth(self, key: str) -> bool | None:
        """Read `true` or `false`."""
        value: bool | None = self._get(key, lambda value: isinstance(value, bool), "true or false", required=False)
        return value

    def texts(self, key: str, *, required: bool = False, hint: str = "") -> tuple[str, ...] | None:
        """Read an array of texts, each on one line, not empty, none twice."""
        value = self._get(key, lambda value: isinstance(value, list), "an array of texts", required=required, hint=hint)
        if value is None:
            return None
        good: list[str] = []
        for position, item in enumerate(value):
            name = f"{key}[{position}]"
            problem = _line_problem(item) if isinstance(item, str) else f"must be a text, is {_kind(item)}"
            if not problem and item in good:
                problem = f"repeats {item!r}"
            if problem:
                self.wrong(name, problem)
            else:
                good.append(item)
        return tuple(good)

    def table(self, key: str, *, required: bool = False) -> Table:
        """Read a table; an empty one where it is absent."""
        value = self._get(key, lambda value: isinstance(value, dict), "a table", required=required)
        return Table(value or {}, self.issues, f"{self.key(key)}.")

    def tables(self, key: str) -> tuple[Table, ...]:
        """Read an array of tables."""
        name = self.key(key)
        value = self._get(key, lambda value: isinstance(value, list), f"an array of tables: [[{name}]]", required=False)
        rows: list[Table] = []
        for position, item in enumerate(value or ()):
            if isinstance(item, dict):
                rows.append(Table(item, self.issues, f"{name}[{position}]."))
            else:
                self.wrong(f"{key}[{position}]", f"must be a table, is {_kind(item)}")
        return tuple(rows)

    def has(self, key: str) -> bool:
        """Tell whether a key stands here, whatever it holds."""
        return key in self._values

    def keys(self) -> tuple[str, ...]:
        """List the keys that stand here."""
        return tuple(self._values)

    def forbid(self, key: str, message: str, *, hint: str = "") -> None:
        """Refuse a key that people may expect here, with better words than for an unknown one."""
        if key in self._values:
            self._asked.add(key)
            self.wrong(key, message, hint=hint)

    def close(self) -> None:
        """Refuse every key that was not asked for."""
        for key in self._values:
            if key not in self._asked:
                self.wrong(_shown(key), "unknown key", hint=nearest(key, self._asked, "key"))


def parse_table(data: bytes, *, file: str) -> Table:
    """Parse a TOML file; raises StackError where it is not TOML."""
    if len(data) > MAX_BYTES:
        raise StackError(f"is {len(data)} bytes long, at most {MAX_BYTES} are read", context=file)
    try:
        text = data.decode()
        values = tomllib.loads(text)
    except UnicodeDecodeError as error:
        raise StackError("is not UTF-8", context=file) from error
    except ValueError as error:
        raise StackError(f"is not TOML: {error}", context=file) from error
    except RecursionError as error:
        raise StackError("is nested too deep", context=file) from error
    return Table(values, Issues(file, text))


def one_of(table: Table, key: str, value: str | None, known: Sequence[str]) -> str | None:
    """Check that a value is one of the known words; None, with an issue noted, where it is not."""
    if value is None or value in known:
        return value
    table.wrong(key, f"unknown value {value!r}", hint=nearest(value, known, "value"))
    return None


def _line_problem(text: str) -> str:
    if not text.strip():
        return "is empty"
    if not text.isprintable():
        return "holds line ends or control characters"
    if text != text.strip():
        return "begins or ends with a space"
    return ""


def _shown(key: str) -> str:
    """Show a key as a person would write it: bare where TOML lets it be, quoted otherwise, never endless."""
    bare = key.isascii() and key.replace("-", "").replace("_", "").isalnum()
    return key[:80] if bare else repr(key[:80])


def _kind(value: Any) -> str:
    names = {bool: "a truth value", int: "a whole number", float: "a decimal number", str: "a text"}
    names |= {list: "an array", dict: "a table", dt.date: "a date", dt.datetime: "a date with time", dt.time: "a time"}
    return names.get(type(value), type(value).__name__)
