"""The SQLite file that snapshots lie in: its schema, and how it is opened by many processes."""

from __future__ import annotations

import contextlib
import fcntl
import sqlite3
from collections.abc import Iterator
from pathlib import Path

from builder.errors import BuilderError

_BUSY_S = 60.0
_MIGRATIONS = (
    """
CREATE TABLE blob (digest BLOB PRIMARY KEY, size INTEGER NOT NULL, kept_at INTEGER NOT NULL, data BLOB NOT NULL);
CREATE TABLE page (
    index_key TEXT NOT NULL, project TEXT NOT NULL, digest BLOB, etag TEXT NOT NULL,
    checked_at INTEGER NOT NULL, max_age_s INTEGER NOT NULL, PRIMARY KEY (index_key, project)
) WITHOUT ROWID;
CREATE TABLE metadata (key TEXT PRIMARY KEY, digest BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE snapshot (id TEXT PRIMARY KEY, taken_at INTEGER NOT NULL, data BLOB NOT NULL);
CREATE TABLE locked (
    id TEXT NOT NULL, stack TEXT NOT NULL, digest BLOB NOT NULL, PRIMARY KEY (id, stack)
) WITHOUT ROWID;
""",
    """
CREATE TABLE size (digest BLOB PRIMARY KEY, size INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE settled (key TEXT PRIMARY KEY, kept_at INTEGER NOT NULL, data BLOB NOT NULL);
""",
)
"""The schema, a step each; a file's user_version says how many it has."""


def open_database(path: Path) -> sqlite3.Connection:
    """Open a file; one process at a time, since SQLite does not wait for others where the journal's kind changes."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with guard(path):
        database = sqlite3.connect(path, timeout=_BUSY_S, isolation_level=None, check_same_thread=False)
        try:
            database.execute("PRAGMA synchronous = NORMAL")
            if _version(database) != len(_MIGRATIONS):
                database.execute("PRAGMA auto_vacuum = INCREMENTAL")
                database.execute("PRAGMA journal_mode = WAL")
                _migrate(database, path)
        except BaseException:
            database.close()
            raise
        return database


@contextlib.contextmanager
def guard(path: Path) -> Iterator[None]:
    """Hold the right to open, make or move away the file."""
    with path.with_name(f"{path.name}.lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _migrate(database: sqlite3.Connection, path: Path) -> None:
    with transaction(database):
        version = _version(database)
        strange = not version and database.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
        if strange or version > len(_MIGRATIONS):
            raise BuilderError(
                f"the store of snapshots is of schema {version}, and this version knows {len(_MIGRATIONS)}",
                context=str(path),
                hint="use the version that wrote it, or move the file away: all in it but snapshots can be had again",
            )
        for step in _MIGRATIONS[version:]:
            for statement in step.split(";"):
                database.execute(statement)
        database.execute(f"PRAGMA user_version = {len(_MIGRATIONS)}")


def _version(database: sqlite3.Connection) -> int:
    return int(database.execute("PRAGMA user_version").fetchone()[0])


@contextlib.contextmanager
def transaction(database: sqlite3.Connection) -> Iterator[None]:
    """Do everything within, or nothing."""
    database.execute("BEGIN IMMEDIATE")
    try:
        yield
    except BaseException:
        with contextlib.suppress(sqlite3.Error):
            database.execute("ROLLBACK")
        raise
    database.execute("COMMIT")


def is_sound(path: Path) -> bool:
    """Tell whether a file is a database, whole."""
    database = sqlite3.connect(path, timeout=_BUSY_S)
    try:
        return bool(database.execute("PRAGMA quick_check(1)").fetchone()[0] == "ok")
    except sqlite3.DatabaseError:
        return False
    finally:
        database.close()
