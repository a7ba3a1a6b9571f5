"""Check a ledger: every column of every row is held against what the entries say it must be.

What can be found from the file alone: any change, insertion, deletion or reordering before the last entry, and any change of
the tables beside. What cannot: that the last entries were cut off, or that the file was put in the place of another, or made
again from a point on by somebody who computes all hashes anew. For that a head from outside is needed (note.py).
"""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from builder.digest import Digest
from builder.errors import InvalidInputError, LedgerError
from builder.ledger import schema
from builder.ledger.database import head_of, read_document
from builder.ledger.documents import DocumentRow
from builder.ledger.entry import NOTHING, Entry, is_canonical, parse_entry
from builder.ledger.events import Begun, parse_event
from builder.ledger.marks import marks_of
from builder.ledger.merkle import ReadNode, iter_new_nodes, leaf_hash, root_of
from builder.ledger.note import Checkpoint
from builder.ledger.rows import ExpectedRows

_MOST_PROBLEMS: Final = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """Something that is not as it was written."""

    where: str
    """As `entry 17` or `table marks`."""
    what: str
    number: int | None = None
    """Of the entry that it is about."""

    def __str__(self) -> str:
        return f"{self.where}: {self.what}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What a check found."""

    head: Checkpoint | None
    """None where the entries do not say."""
    problems: tuple[Problem, ...]
    """First those of entries, by number; no more than a hundred."""
    clock_went_back: tuple[int, ...] = ()
    """Entries that are dated before the one above them: no harm, order is by number."""

    @property
    def first_bad_entry(self) -> int | None:
        """Find the first entry that is not as it was written."""
        return min((problem.number for problem in self.problems if problem.number is not None), default=None)


def check_ledger(path: Path, *, head: Checkpoint | None = None, documents: bool = False) -> Verdict:
    """Check a ledger.

    Args:
        path: of the file.
        head: kept outside, and verified: what the ledger must begin with.
        documents: read each document too, beside hashing its row.

    Raises:
        LedgerUnavailableError: the file cannot be opened.
        LedgerError: it is no ledger.
    """
    with contextlib.closing(schema.connect(path, write=False)) as connection:
        connection.execute("BEGIN")
        checker = _Checker(connection)
        try:
            checker.check(documents=documents)
            if head is not None:
                checker.check_head(head)
        except (_EnoughError, sqlite3.Error) as error:
            if isinstance(error, sqlite3.Error):
                checker.problems.append(Problem(where="the file", what=f"cannot be read: {error}"))
        problems = sorted(checker.problems, key=lambda problem: (problem.number is None, problem.number or 0))
        return Verdict(head=checker.head(), problems=tuple(problems), clock_went_back=tuple(checker.clock_went_back))


class _EnoughError(Exception):
    """As many problems as anybody reads."""


class _Checker:
    """Walks over a file once; memory grows by a few dozen bytes an entry."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self.problems: list[Problem] = []
        self.clock_went_back: list[int] = []
        self._begun: Begun | None = None
        self._previous, self._time = NOTHING, 0
        self._stored: dict[str, tuple[str, int]] = {}
        """Of documents: digest to that of the row, and the entry that brought it."""

    def head(self) -> Checkpoint | None:
        with contextlib.suppress(LedgerError, sqlite3.Error):
            return head_of(self._connection)
        return None

    def check(self, *, documents: bool) -> None:
        self._check_file()
        self._check_entries()
        self._check_migrations()
        self._check_documents(read=documents)

    def check_head(self, head: Checkpoint) -> None:
        """Hold the ledger against a head from outside."""
        now = self.head()
        if now is None:
            return
        if now.origin != head.origin:
            self._tell("the head", f"is of {head.origin}; this is the ledger of {now.origin}")
        elif now.size < head.size:
            self._tell(
                "the head", f"there were {head.size} entries; {head.size - now.size} of them are missing", now.size
            )
        else:
            read = _entry_nodes(self._connection)
            if root_of(head.size, read) != head.root:
                self._tell("the head", f"the first {head.size} entries are not those that it was made of")

    def _tell(self, where: str, what: str, number: int | None = None) -> None:
        self.problems.append(Problem(where=where, what=what, number=number))
        if len(self.problems) >= _MOST_PROBLEMS:
            raise _EnoughError

    def _check_file(self) -> None:
        for (said,) in self._connection.execute("PRAGMA integrity_check(20)"):
            if said != "ok":
                self._tell("the file", said)
        expected = _expected_schema()
        query = "SELECT type, name, tbl_name, sql FROM sqlite_master"
        found = {tuple(row) for row in self._connection.execute(query)}
        for kind, name, *_ in sorted(expected - found, key=str):
            self._tell(f"{kind} {name}", "is missing or not as it was made")
        for kind, name, *_ in sorted(found - expected, key=str):
            if not any(name == other for _, other, *_ in expected):
                self._tell(f"{kind} {name}", "is no part of a ledger")

    def _check_entries(self) -> None:
        """Check entries in order, and what follows from each: hash, nodes, marks."""
        nodes, marks = ExpectedRows(self._connection, "nodes"), ExpectedRows(self._connection, "marks")
        tree = _GrowingTree()
        expected = 0
        for number, cell, kept in self._connection.execute("SELECT number, entry, hash FROM entries ORDER BY number"):
            if not isinstance(number, int) or number < 0:
                self._tell(f"entry {number}", "has no number of an entry", 0)
                continue
            if number != expected:
                self._tell(f"entry {number}", f"entry {expected} is missing", expected)
            written = cell if isinstance(cell, bytes) else str(cell).encode()
            leaf = leaf_hash(written)
            entry = self._check_entry(number, written, hashes=kept == leaf)
            if entry is not None:
                marks.expect((*mark, number, entry.kind) for mark in self._marks(entry))
            nodes.expect(tree.add(number, leaf))
            self._previous, expected = Digest(leaf.hex()), number + 1
        for rows in (nodes, marks):
            for what, about in rows.differences():
                self._tell(f"table {rows.table}", what, about)
        if self._begun is None:
            self._tell("entry 0", "does not begin a ledger", 0)

    def _check_entry(self, number: int, written: bytes, *, hashes: bool) -> Entry | None:
        """Check an entry's own bytes; None where they are none."""
        where = f"entry {number}"
        if not hashes:
            self._tell(where, "does not hash to what is written beside it", number)
        try:
            entry = parse_entry(written)
        except LedgerError as error:
            self._tell(where, error.message, number)
            return None
        if not is_canonical(written, entry):
            self._tell(where, "is not in canonical form", number)
        if entry.number != number:
            self._tell(where, f"says of itself that it is entry {entry.number}", number)
        if entry.previous != self._previous:
            self._tell(where, "does not follow the entry before it", number)
        if entry.time < self._time:
            self.clock_went_back.append(number)
        self._time = entry.time
        self._collect(entry)
        return entry

    def _marks(self, entry: Entry) -> tuple[tuple[str, str], ...]:
        try:
            return marks_of(entry)
        except LedgerError as error:
            self._tell(f"entry {entry.number}", error.message, entry.number)
            return ()

    def _collect(self, entry: Entry) -> None:
        """Keep what the other tables are held against."""
        for document in entry.documents:
            self._stored.setdefault(document.digest, (document.stored, entry.number))
        with contextlib.suppress(LedgerError):
            event = parse_event(entry.kind, entry.data)
            if isinstance(event, Begun):
                self._begun = event

    def _check_migrations(self) -> None:
        if self._begun is None:
            return
        table = f"table {schema.MIGRATIONS_TABLE}"
        try:
            rows = self._connection.execute(f"SELECT id FROM {schema.MIGRATIONS_TABLE} ORDER BY id").fetchall()
            applied = schema.applied_migrations(self._connection)
        except sqlite3.Error as error:
            self._tell(table, str(error))
            return
        if applied != self._begun.migrations or [row[0] for row in rows] != list(range(1, len(rows) + 1)):
            self._tell(table, "is not what the entries say")

    def _check_documents(self, *, read: bool) -> None:
        missing = dict(self._stored)
        for digest, base, depth, data in self._connection.execute("SELECT digest, base, depth, data FROM documents"):
            stored, number = missing.pop(digest, ("", None))
            try:
                below = None if base is None else Digest.parse(base)
                row = DocumentRow(digest=Digest.parse(digest), base=below, depth=depth, data=bytes(data))
                if not stored:
                    self._tell(f"document {digest}", "came with no entry")
                elif str(row.stored) != stored:
                    self._tell(f"document {digest}", f"is not kept as entry {number} says", number)
                elif read:
                    read_document(self._connection, row.digest)
            except (ValueError, TypeError, LedgerError, InvalidInputError) as error:
                self._tell(f"document {digest}", getattr(error, "message", str(error)), number)
        for digest, (_, number) in missing.items():
            self._tell(f"document {digest}", f"is missing; it came with entry {number}", number)


class _GrowingTree:
    """Nodes as leaves come, without those that nobody asks for again."""

    def __init__(self) -> None:
        self._edge: dict[tuple[int, int], bytes] = {}

    def add(self, number: int, leaf: bytes) -> Iterator[tuple[int, int, bytes]]:
        """Iterate over the nodes above the leaves that this one makes full."""
        for level, position, value in iter_new_nodes(number, leaf, self._read):
            self._edge[level, position] = value
            if level:
                self._edge.pop((level - 1, 2 * position), None)
                self._edge.pop((level - 1, 2 * position + 1), None)
                yield level, position, value

    def _read(self, level: int, position: int) -> bytes:
        return self._edge.get((level, position), b"")


def _expected_schema() -> set[tuple[object, ...]]:
    """Read what the tables of a ledger are made by, from one made in memory."""
    with contextlib.closing(sqlite3.connect(":memory:", isolation_level=None)) as fresh:
        schema.migrate(fresh)
        return {tuple(row) for row in fresh.execute("SELECT type, name, tbl_name, sql FROM sqlite_master")}


def _entry_nodes(connection: sqlite3.Connection) -> ReadNode:
    """Read nodes from the entries' own bytes, whatever the table of nodes says."""
    kept: dict[tuple[int, int], bytes] = {}
    for number, written in connection.execute("SELECT number, entry FROM entries ORDER BY number"):
        for level, position, value in iter_new_nodes(
            number, leaf_hash(bytes(written)), lambda level, position: kept.get((level, position), b"")
        ):
            kept[level, position] = value
    return lambda level, position: kept.get((level, position), b"")
