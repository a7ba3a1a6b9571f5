"""A table held against the rows that it must have: both in the order of their values, so that neither fills the memory."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator


class ExpectedRows:
    """The rows that a table must have, gathered in a scratch file."""

    def __init__(self, connection: sqlite3.Connection, table: str) -> None:
        self.table = table
        self._expected = sqlite3.connect("")
        columns = [row[1] for row in connection.execute(f"PRAGMA table_info({table})")]
        self._columns = ", ".join(columns)
        self._slots = ", ".join("?" * len(columns))
        self._expected.execute(f"CREATE TABLE expected ({self._columns})")
        self._connection = connection

    def expect(self, rows: Iterator[tuple[object, ...]]) -> None:
        """Add rows that must be there."""
        self._expected.executemany(f"INSERT INTO expected VALUES ({self._slots})", rows)

    def differences(self) -> Iterator[tuple[str, int | None]]:
        """Iterate over what is wrong, with the number of the entry that it is about where the row says it."""
        order = ", ".join(str(place) for place in range(1, self._columns.count(",") + 2))
        expected = self._expected.execute(f"SELECT {self._columns} FROM expected ORDER BY {order}")
        found = self._connection.execute(f"SELECT {self._columns} FROM {self.table} ORDER BY {order}")
        for missing, extra in _merge(iter(expected), iter(found)):
            row = missing or extra
            number = row[2] if row and self.table == "marks" and isinstance(row[2], int) else None
            what = "lacks a row" if missing else "has a row that no entry gives"
            yield f"{what}: {_show(row)}", number


def _merge(
    expected: Iterator[tuple[object, ...]], found: Iterator[tuple[object, ...]]
) -> Iterator[tuple[tuple[object, ...], tuple[object, ...]]]:
    """Walk over two sorted sequences; gives what only the first has, or only the second, the other empty."""
    left, right = next(expected, ()), next(found, ())
    while left or right:
        if left == right:
            left, right = next(expected, ()), next(found, ())
        elif not right or (left and _key(left) < _key(right)):
            yield left, ()
            left = next(expected, ())
        else:
            yield (), right
            right = next(found, ())


def _key(row: tuple[object, ...]) -> tuple[tuple[int, object], ...]:
    """Order values as SQLite does: nothing, numbers, texts, bytes."""
    ranks = {type(None): 0, int: 1, float: 1, str: 2, bytes: 3}
    return tuple((ranks[type(value)], value if value is not None else 0) for value in row)


def _show(row: tuple[object, ...]) -> str:
    return " ".join(value.hex()[:16] if isinstance(value, bytes) else str(value)[:80] for value in row)
