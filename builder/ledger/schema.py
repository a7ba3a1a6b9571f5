"""The tables of a ledger's file, as named migrations.

- `entries`: what happened. All else is a function of it, but for the bytes of `documents`, whose hashes are in it.
- `nodes`: full subtrees of the Merkle tree, from level 1 on; level 0 is `entries.hash`.
- `marks`: by what entries are found.
- `documents`: locks, manifests, reports, by digest.

Triggers refuse changes: a rail for people with a database shell. What shows changes is the chain.
"""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path
from typing import TYPE_CHECKING, Final

from builder.errors import LedgerError, LedgerUnavailableError

if TYPE_CHECKING:
    from sqlite_utils import Database, Migrations

APPLICATION_ID: Final = 0x414B4C31
"""`AKL1`: told by `file` and refused to be taken for another program's database."""

BUSY_TIMEOUT_S: Final = 120.0
"""As long as a writer waits for those before it."""

_TABLES: Final = (
    "CREATE TABLE entries (number INTEGER PRIMARY KEY CHECK (number >= 0), entry BLOB NOT NULL, hash BLOB NOT NULL)",
    """CREATE TABLE nodes (level INTEGER NOT NULL, position INTEGER NOT NULL, hash BLOB NOT NULL,
  PRIMARY KEY (level, position)) WITHOUT ROWID""",
    """CREATE TABLE marks (name TEXT NOT NULL, value TEXT NOT NULL, number INTEGER NOT NULL REFERENCES entries (number),
  kind TEXT NOT NULL, PRIMARY KEY (name, value, number)) WITHOUT ROWID""",
    """CREATE TABLE documents (digest TEXT PRIMARY KEY, base TEXT REFERENCES documents (digest), depth INTEGER NOT NULL,
  data BLOB NOT NULL)""",
)
TABLES: Final = ("entries", "nodes", "marks", "documents")
MIGRATIONS_TABLE: Final = "_sqlite_migrations"
MIGRATION_NAMES: Final = ("entries_nodes_marks_documents",)


def migrations() -> Migrations:
    """Make the migrations of a ledger's file, in order."""
    from sqlite_utils import Migrations

    found = Migrations("airflow-kubler-ledger")

    @found()
    def entries_nodes_marks_documents(db: Database) -> None:
        for statement in _TABLES:
            db.conn.execute(statement)
        for table in TABLES:
            for verb in ("UPDATE", "DELETE"):
                db.conn.execute(
                    f"CREATE TRIGGER {table}_no_{verb.lower()} BEFORE {verb} ON {table} "
                    "BEGIN SELECT RAISE(ABORT, 'a ledger is append-only'); END"
                )

    return found


def migrate(connection: sqlite3.Connection) -> bool:
    """Apply what of the migrations is pending, within the caller's transaction; tells whether anything was.

    Raises:
        LedgerError: the file has migrations that this program does not know.
    """
    if tuple(name for _, name, _ in _applied(connection)) == MIGRATION_NAMES:
        return False
    # Late: its import takes longer than an append.
    from sqlite_utils import Database

    db = Database(connection, execute_plugins=False, recursive_triggers=False)
    known = migrations()
    unknown = {one.name for one in known.applied(db)} - set(MIGRATION_NAMES)
    if unknown:
        raise LedgerError(
            f"was written by a newer airflow-kubler: {', '.join(sorted(unknown))}", hint="install that one"
        )
    if not known.pending(db):
        return False
    known.apply(db)
    return True


def applied_migrations(connection: sqlite3.Connection) -> tuple[tuple[str, str, str], ...]:
    """List set, name and time of the migrations that a file has, in order."""
    rows = connection.execute(f"SELECT migration_set, name, applied_at FROM {MIGRATIONS_TABLE} ORDER BY id")
    return tuple((str(one), str(two), str(three)) for one, two, three in rows)


def _applied(connection: sqlite3.Connection) -> tuple[tuple[str, str, str], ...]:
    """List the migrations of a file that may have none yet."""
    try:
        return applied_migrations(connection)
    except sqlite3.OperationalError:
        return ()


def connect(path: Path, *, write: bool) -> sqlite3.Connection:
    """Open a ledger's file that is there; transactions are begun and ended by statements.

    Raises:
        LedgerUnavailableError: it is not there or cannot be opened.
        LedgerError: it is no ledger.
    """
    if not path.is_file():
        raise LedgerUnavailableError(
            "there is no ledger", context=str(path), hint="begin one with: airflow-kubler ledger init"
        )
    try:
        connection = _open(path, write=write)
        found = connection.execute("PRAGMA application_id").fetchone()[0]
    except sqlite3.Error as error:
        raise translate(error, path) from error
    if found != APPLICATION_ID:
        connection.close()
        raise LedgerError("is no ledger of airflow-kubler", context=str(path), hint="name another file by --ledger")
    return connection


def _open(path: Path, *, write: bool) -> sqlite3.Connection:
    address = path.resolve().as_uri()
    connection = sqlite3.connect(
        f"{address}?mode={'rw' if write else 'ro'}", uri=True, timeout=BUSY_TIMEOUT_S, isolation_level=None
    )
    try:
        set_up(connection)
        connection.execute("SELECT 1 FROM sqlite_master").fetchone()
    except sqlite3.OperationalError:
        connection.close()
        if write or path.with_name(f"{path.name}-wal").exists():
            raise
        # A copy in a folder that nobody may write to: readers cannot make their own files beside it, and need none.
        connection = sqlite3.connect(f"{address}?mode=ro&immutable=1", uri=True, isolation_level=None)
        set_up(connection)
    return connection


def create(path: Path) -> sqlite3.Connection:
    """Make an empty file, which becomes a ledger when it is migrated and has its first entry.

    Raises:
        LedgerUnavailableError: it cannot be made.
    """
    try:
        # It names people and hosts: nobody else's business.
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o640))
        connection = sqlite3.connect(path, timeout=BUSY_TIMEOUT_S, isolation_level=None)
        connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        connection.execute("PRAGMA journal_mode = WAL")
        set_up(connection)
    except (sqlite3.Error, OSError) as error:
        raise translate(error, path) from error
    return connection


def set_up(connection: sqlite3.Connection) -> None:
    """Set what every connection needs."""
    for pragma in ("trusted_schema = OFF", "cell_size_check = ON", "foreign_keys = ON"):
        connection.execute(f"PRAGMA {pragma}")
    # An entry is acknowledged when it is on the disk, and not before.
    connection.execute("PRAGMA synchronous = FULL")


def translate(error: Exception, path: Path) -> LedgerUnavailableError | LedgerError:
    """Tell an error of SQLite or the disk with the file and the way out."""
    text = str(error)
    if isinstance(error, sqlite3.DatabaseError) and ("malformed" in text or "not a database" in text):
        return LedgerError(
            f"is damaged: {text}",
            context=str(path),
            hint="airflow-kubler ledger verify says where; go on from the last good copy",
        )
    hints = {
        "full": "make room on its disk",
        "readonly": "make it and its folder writable",
        "locked": "another writer holds it for long: look who",
    }
    hint = next((way for word, way in hints.items() if word in text), "look at the disk and the permissions")
    return LedgerUnavailableError(f"cannot be used: {text}", context=str(path), hint=hint)
