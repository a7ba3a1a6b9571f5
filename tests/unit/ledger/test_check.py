"""Every change to a ledger's file is found: of every column of every row of every table, deletions, insertions, order, tails."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from builder.errors import LedgerError, LedgerUnavailableError
from builder.ledger.check import Verdict, check_ledger
from builder.ledger.database import SqliteLedger
from builder.ledger.model import NewEntry
from builder.ledger.note import Checkpoint
from builder.ledger.schema import MIGRATIONS_TABLE
from tests.support.ledgers import ALICE, Ticking, events_of_every_kind, iter_documents, make_build, make_ledger

TABLES = ("entries", "nodes", "marks", "documents", MIGRATIONS_TABLE)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A ledger of every kind of entry, with documents, in one file."""
    path = tmp_path_factory.mktemp("ledger") / "ledger.db"
    documents = iter_documents(len(events_of_every_kind()))
    make_ledger(path, [NewEntry(event=event, documents=[next(documents)]) for event in events_of_every_kind()])
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return path


def head_of(path: Path) -> Checkpoint:
    with SqliteLedger(path, Ticking(), write=False) as ledger:
        return ledger.head()


def changed(whole: Path, folder: Path, change: Callable[[sqlite3.Connection], object]) -> Path:
    """Copy a ledger and change it as somebody would who knows SQLite."""
    path = folder / "changed.db"
    shutil.copyfile(whole, path)
    connection = sqlite3.connect(path)
    # Thousands of files are changed: a disk that takes its time to flush would take the whole run's.
    connection.execute("PRAGMA synchronous = OFF")
    triggers = [row[0] for row in connection.execute("SELECT sql FROM sqlite_master WHERE type = 'trigger'")]
    for name in [row[0] for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'")]:
        connection.execute(f"DROP TRIGGER {name}")
    connection.execute("PRAGMA ignore_check_constraints = ON")
    change(connection)
    for trigger in triggers:
        connection.execute(trigger)
    connection.commit()
    connection.execute("PRAGMA journal_mode = DELETE")
    connection.close()
    return path


def execute(statement: str, connection: sqlite3.Connection) -> None:
    connection.execute(statement)


def found(verdict: Verdict) -> str:
    assert verdict.problems
    return str(verdict.problems[0])


def test_what_was_not_changed_is_whole(whole: Path) -> None:
    for documents in (False, True):
        verdict = check_ledger(whole, head=head_of(whole), documents=documents)
        assert (verdict.problems, verdict.first_bad_entry) == ((), None)
        assert verdict.head == head_of(whole)


def every_cell() -> Iterator[tuple[str, int, str]]:
    """Each table's rows and columns, counted on a ledger made the same way."""
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "ledger.db"
        documents = iter_documents(len(events_of_every_kind()))
        make_ledger(path, [NewEntry(event=event, documents=[next(documents)]) for event in events_of_every_kind()])
        connection = sqlite3.connect(path)
        for table in TABLES:
            columns = [row[1] for row in connection.execute(f"PRAGMA table_info({table})")]
            (rows,) = connection.execute(f"SELECT count(*) FROM {table}").fetchone()
            for row in range(rows):
                yield from ((table, row, column) for column in columns)
        connection.close()


CELLS = tuple(every_cell())


def others(value: Any) -> tuple[Any, ...]:
    """Values that a cell could be changed to: a bit of it, another type, nothing."""
    if isinstance(value, bytes):
        return (bytes([value[0] ^ 1]) + value[1:], value[:-1] + bytes([value[-1] ^ 128]), value + b"\0", b"", None)
    if isinstance(value, str):
        return (value + "x", value[:-1], value.upper(), 7)
    if isinstance(value, int):
        return (value + 1, value + 1000, -1 - value, str(value) + "x")
    return ("sha256:" + "0" * 64, 0)


def write_cell(connection: sqlite3.Connection, table: str, row: int, column: str, pick: int) -> bool:
    """Change one cell; False where the table's own keys do not allow that value."""
    keys = {"entries": "number", "nodes": "level, position", "marks": "name, value, number", "documents": "digest"}
    order = keys.get(table, "id")
    names = order.split(", ")
    where = " AND ".join(f"{name} IS ?" for name in names)
    cells = connection.execute(f"SELECT {order} FROM {table} ORDER BY {order} LIMIT 1 OFFSET {row}").fetchone()
    (value,) = connection.execute(f"SELECT {column} FROM {table} WHERE {where}", cells).fetchone()
    choices = [other for other in others(value) if other != value]
    try:
        connection.execute(f"UPDATE {table} SET {column} = ? WHERE {where}", (choices[pick % len(choices)], *cells))
    except (sqlite3.IntegrityError, sqlite3.DataError):
        return False
    (after,) = connection.execute("SELECT changes()").fetchone()
    return bool(after)


def with_changed_cell(whole: Path, folder: Path, cell: tuple[str, int, str], pick: int) -> tuple[bool, Path]:
    done: list[bool] = []
    path = changed(whole, folder, lambda connection: done.append(write_cell(connection, *cell, pick)))
    return done[0], path


@settings(max_examples=400, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(cell=st.sampled_from(CELLS), pick=st.integers(0, 9))
def test_a_change_of_any_cell_is_found(whole: Path, tmp_path: Path, cell: tuple[str, int, str], pick: int) -> None:
    done, path = with_changed_cell(whole, tmp_path, cell, pick)
    assert bool(check_ledger(path).problems) == done


@pytest.mark.slow
def test_each_change_of_each_cell_is_found(whole: Path, tmp_path: Path) -> None:
    tried = 0
    for cell in CELLS:
        for pick in range(5):
            done, path = with_changed_cell(whole, tmp_path, cell, pick)
            tried += done
            assert bool(check_ledger(path).problems) == done, (cell, pick)
    assert tried > 1000


@pytest.mark.parametrize("table", TABLES)
def test_a_deleted_row_is_found(whole: Path, tmp_path: Path, table: str) -> None:
    (rows,) = sqlite3.connect(whole).execute(f"SELECT count(*) FROM {table}").fetchone()
    key = {"entries": "number", "nodes": "level, position", "marks": "name, value, number", "documents": "digest"}
    order = key.get(table, "id")
    for row in range(rows):
        chosen = f"SELECT {order} FROM {table} ORDER BY {order} LIMIT 1 OFFSET {row}"
        statement = f"DELETE FROM {table} WHERE ({order}) = ({chosen})"
        assert check_ledger(changed(whole, tmp_path, partial(execute, statement))).problems, row


@pytest.mark.parametrize(
    "statement",
    [
        "INSERT INTO marks VALUES ('stack', 'evil', 3, 'build')",
        "INSERT INTO documents SELECT 'sha256:' || substr(digest, 8, 63) || 'f', base, depth, data FROM documents LIMIT 1",
        "INSERT INTO nodes VALUES (9, 9, x'00')",
        "INSERT INTO _sqlite_migrations VALUES (2, 'other', 'x', 'now')",
        "CREATE TABLE more (x)",
        "CREATE INDEX more ON entries (hash)",
        "CREATE VIEW more AS SELECT * FROM entries",
        "ALTER TABLE entries ADD COLUMN more",
    ],
)
def test_an_added_row_or_table_is_found(whole: Path, tmp_path: Path, statement: str) -> None:
    assert check_ledger(changed(whole, tmp_path, lambda connection: connection.execute(statement))).problems


def test_a_dropped_rail_is_found(whole: Path, tmp_path: Path) -> None:
    path = tmp_path / "changed.db"
    shutil.copyfile(whole, path)
    with sqlite3.connect(path) as connection:
        connection.execute("DROP TRIGGER entries_no_update")
    assert found(check_ledger(path)) == "trigger entries_no_update: is missing or not as it was made"


def test_the_first_bad_entry_is_named(whole: Path, tmp_path: Path) -> None:
    statement = "UPDATE entries SET entry = replace(entry, 'alice', 'mallory') WHERE number >= 5"
    verdict = check_ledger(changed(whole, tmp_path, lambda connection: connection.execute(statement)))
    assert verdict.first_bad_entry == 5
    assert found(verdict) == "entry 5: does not hash to what is written beside it"


def test_entries_in_another_order_are_found(whole: Path, tmp_path: Path) -> None:
    def swap(connection: sqlite3.Connection) -> None:
        rows = dict(connection.execute("SELECT number, entry FROM entries WHERE number IN (4, 5)"))
        kept = dict(connection.execute("SELECT number, hash FROM entries WHERE number IN (4, 5)"))
        for number, other in ((4, 5), (5, 4)):
            connection.execute(
                "UPDATE entries SET entry = ?, hash = ? WHERE number = ?", (rows[other], kept[other], number)
            )

    verdict = check_ledger(changed(whole, tmp_path, swap))
    assert (verdict.first_bad_entry, found(verdict)) == (4, "entry 4: says of itself that it is entry 5")


def cut_tail(connection: sqlite3.Connection, keep: int) -> None:
    """Take the last entries away as cleanly as anybody can: with their marks, nodes and documents."""
    digests = [
        digest
        for (digest,) in connection.execute(
            "SELECT json_extract(value, '$.digest') FROM entries, json_each(entry, '$.documents') WHERE number >= ?",
            (keep,),
        )
    ]
    connection.executemany("DELETE FROM documents WHERE digest = ?", [(digest,) for digest in digests])
    connection.execute("DELETE FROM marks WHERE number >= ?", (keep,))
    connection.execute("DELETE FROM nodes WHERE (position + 1) << level > ?", (keep,))
    connection.execute("DELETE FROM entries WHERE number >= ?", (keep,))


def test_a_cut_tail_is_found_by_a_head_from_outside_and_only_so(whole: Path, tmp_path: Path) -> None:
    path = changed(whole, tmp_path, lambda connection: cut_tail(connection, 9))
    assert check_ledger(path).problems == ()
    verdict = check_ledger(path, head=head_of(whole))
    size = 1 + len(events_of_every_kind())
    assert found(verdict) == f"the head: there were {size} entries; {size - 9} of them are missing"
    assert verdict.first_bad_entry == 9


def test_a_ledger_that_went_on_still_holds_what_a_head_says(whole: Path, tmp_path: Path) -> None:
    head = head_of(whole)
    path = tmp_path / "longer.db"
    shutil.copyfile(whole, path)
    with SqliteLedger(path, Ticking(), write=True) as ledger:
        ledger.append([NewEntry(event=make_build("gcp"))] * 5, ALICE)
    assert check_ledger(path, head=head).problems == ()


def test_a_tail_written_anew_is_found_by_a_head_from_outside(whole: Path, tmp_path: Path) -> None:
    path = changed(whole, tmp_path, lambda connection: cut_tail(connection, 9))
    with SqliteLedger(path, Ticking(), write=True) as ledger:
        ledger.append([NewEntry(event=make_build("gcp"))] * 8, ALICE)
    assert check_ledger(path).problems == ()
    assert "are not those that it was made of" in found(check_ledger(path, head=head_of(whole)))


def test_a_swapped_file_is_found_by_a_head_from_outside(whole: Path, tmp_path: Path) -> None:
    path = tmp_path / "other.db"
    make_ledger(path, [NewEntry(event=event) for event in events_of_every_kind()])
    assert check_ledger(path).problems == ()
    assert "are not those that it was made of" in found(check_ledger(path, head=head_of(whole)))
    elsewhere = Checkpoint(origin="example.net/other", size=1, root=bytes(32))
    assert found(check_ledger(path, head=elsewhere)).startswith("the head: is of example.net/other; this is")


def test_a_flipped_byte_anywhere_in_the_file_changes_nothing_unnoticed(whole: Path, tmp_path: Path) -> None:
    """Bytes that hold nothing (free space in pages, counters of SQLite's) may change; what is read never does."""
    data = whole.read_bytes()
    with SqliteLedger(whole, Ticking(), write=False) as ledger:
        entries = tuple(ledger.entries())
    path = tmp_path / "flipped.db"
    unnoticed = 0
    for place in range(0, len(data), 397):
        path.write_bytes(data[:place] + bytes([data[place] ^ 0x15]) + data[place + 1 :])
        for beside in ("-wal", "-shm"):
            path.with_name(path.name + beside).unlink(missing_ok=True)
        try:
            verdict = check_ledger(path)
        except (LedgerError, LedgerUnavailableError):
            continue
        if not verdict.problems:
            unnoticed += 1
            with SqliteLedger(path, Ticking(), write=False) as ledger:
                assert tuple(ledger.entries()) == entries, place
    # Most of so small a file is free space.
    assert unnoticed < len(data) / 397 * 0.75
