"""Keeps pages, metadata and snapshots in one SQLite file, by hash: a SnapshotStore for many threads and processes.

- Bytes are compressed, and hashed again when read: what is damaged is dropped, and asked for anew.
- Writes are gathered and committed together, every 64 or every quarter of a second: a kill loses no more than these.
- A file of an older schema is taken over, one of a newer is refused; a file that is no database is set aside with a note, and a new one begun: all in it
  but snapshots can be had again.
- What nothing refers to is freed by `delete`, except what came in the last hour: somebody is about to refer to it.
"""

from __future__ import annotations

import contextlib
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Self, TypeVar

import zstandard

from builder.digest import Digest
from builder.errors import BuilderError, InvalidInputError
from builder.snapshot.database import guard, is_sound, open_database, transaction
from builder.snapshot.model import KnownPage, Snapshot, SnapshotEntry, dump_snapshot, parse_snapshot, snapshot_id

FILE_NAME = "snapshots.db"
_GATHERED = 64
_GATHER_S = 0.25
_YOUNG_S = 3600
_LARGEST_BLOB = 256 << 20
_SETTLED_S = 30 * 86_400
_PUT_BLOB = (
    "INSERT INTO blob (digest, size, kept_at, data) VALUES (?, ?, ?, ?)"
    " ON CONFLICT (digest) DO UPDATE SET kept_at = excluded.kept_at, data = excluded.data"
)
_PUT_PAGE = "INSERT OR REPLACE INTO page VALUES (?, ?, ?, ?, ?, ?)"
_PUT_METADATA = "INSERT OR IGNORE INTO metadata VALUES (?, ?)"
_T = TypeVar("_T")
_Row = tuple[Any, ...]


class SqliteSnapshotStore:
    """A SnapshotStore in one SQLite file, opened when first used. Close it, or use it as a context.

    Args:
        path: the file; its folder is made.
        say: told when a damaged file was set aside.
        now: seconds since the epoch.
    """

    def __init__(
        self, path: Path, *, say: Callable[[str], object] = lambda _: None, now: Callable[[], float] = time.time
    ) -> None:
        self._path = path
        self._say = say
        self._now = now
        self._lock = threading.RLock()
        self._database: sqlite3.Connection | None = None
        self._pages: dict[tuple[str, str], KnownPage] = {}
        self._blobs: dict[Digest, bytes] = {}
        self._metadata: dict[str, Digest] = {}
        self._flushed_at = time.monotonic()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Write what was gathered, and let go of the file."""
        with self._lock:
            if self._gathered():
                self._flush()
            if self._database is not None:
                self._database.close()
                self._database = None

    def known_pages(self, index_key: str) -> Mapping[str, KnownPage]:
        """Read what is remembered of an index, by project."""
        query = "SELECT project, digest, etag, checked_at, max_age_s FROM page WHERE index_key = ?"
        rows = self._read(query, (index_key,))
        return {
            project: KnownPage(digest=_digest(raw), etag=etag, checked_at=checked_at, max_age_s=max_age_s)
            for project, raw, etag, checked_at, max_age_s in rows
        }

    def keep_page(self, index_key: str, project: str, known: KnownPage) -> None:
        """Remember an answer; the last writer wins."""
        with self._lock:
            self._pages[index_key, project] = known
            self._flush_in_time()

    def get(self, digest: Digest) -> bytes | None:
        """Read bytes; None where they are not held or are damaged."""
        with self._lock:
            packed = self._blobs.get(digest)
        if packed is None:
            rows = self._read("SELECT data FROM blob WHERE digest = ?", (_raw(digest),), gathered=False)
            packed = rows[0][0] if rows else None
        if packed is None:
            return None
        data = _unpack(packed)
        if data is None or Digest.of(data) != digest:
            self._write(lambda database: database.execute("DELETE FROM blob WHERE digest = ?", (_raw(digest),)))
            return None
        return data

    def put(self, data: bytes) -> Digest:
        """Keep bytes; idempotent."""
        digest = Digest.of(data)
        packed = zstandard.ZstdCompressor(level=3).compress(data)
        with self._lock:
            self._blobs[digest] = packed
            self._flush_in_time()
        return digest

    def metadata_digests(self) -> Mapping[str, Digest]:
        """Give all that is known of metadata, by `metadata_key`; looked up one by one, since it may be very much."""
        return _MetadataDigests(self._metadata_digest, self._metadata_keys)

    def keep_metadata(self, key: str, digest: Digest) -> None:
        """Remember a wheel's metadata: the first writer wins, since a wheel of one hash has one."""
        with self._lock:
            self._metadata.setdefault(key, digest)
            self._flush_in_time()

    def sizes(self, files: Sequence[Digest]) -> Mapping[Digest, int]:
        """Read the sizes that are known of files."""
        with self._lock:
            rows = [self._read("SELECT size FROM size WHERE digest = ?", (_raw(digest),)) for digest in files]
        return {digest: found[0][0] for digest, found in zip(files, rows, strict=True) if found}

    def keep_sizes(self, sizes: Mapping[Digest, int]) -> None:
        """Remember sizes of files; the last writer wins."""
        rows = [(_raw(digest), size) for digest, size in sizes.items()]
        self._write(lambda database: database.executemany("INSERT OR REPLACE INTO size VALUES (?, ?)", rows))

    def settled(self, key: str) -> bytes | None:
        """Read what was noted of a lock; None where nothing was, or long ago."""
        query = "SELECT data FROM settled WHERE key = ? AND kept_at > ?"
        rows = self._read(query, (key, int(self._now()) - _SETTLED_S))
        return _unpack(rows[0][0]) if rows else None

    def settle(self, key: str, data: bytes) -> None:
        """Note something of a lock; what was noted long ago is dropped."""
        now = int(self._now())
        packed = zstandard.ZstdCompressor(level=3).compress(data)

        def write(database: sqlite3.Connection) -> None:
            database.execute("DELETE FROM settled WHERE kept_at <= ?", (now - _SETTLED_S,))
            database.execute("INSERT OR REPLACE INTO settled VALUES (?, ?, ?)", (key, now, packed))

        self._write(write)

    def save(self, entry: SnapshotEntry) -> None:
        """Keep a snapshot; of one id, the first time is kept, locks and metadata are joined."""
        locks = [(entry.id, stack, _raw(digest)) for stack, digest in sorted(entry.locks.items())]

        def write(database: sqlite3.Connection) -> None:
            row = database.execute("SELECT taken_at, data FROM snapshot WHERE id = ?", (entry.id,)).fetchone()
            before = _parse(entry.id, row[1]) if row else None
            metadata = {**entry.snapshot.metadata, **(before.metadata if before else {})}
            if before is None or len(metadata) > len(before.metadata):
                whole = dump_snapshot(replace(entry.snapshot, metadata=metadata))
                data = zstandard.ZstdCompressor(level=3).compress(whole)
                taken_at = row[0] if before else entry.taken_at
                query = "INSERT INTO snapshot VALUES (?, ?, ?) ON CONFLICT (id) DO UPDATE SET data = excluded.data"
                database.execute(query, (entry.id, taken_at, data))
            database.executemany("INSERT OR REPLACE INTO locked VALUES (?, ?, ?)", locks)

        self._write(write)

    def entries(self) -> tuple[SnapshotEntry, ...]:
        """List snapshots, newest first."""
        locks: dict[str, dict[str, Digest]] = {}
        for id_, stack, raw in self._read("SELECT id, stack, digest FROM locked ORDER BY stack"):
            locks.setdefault(id_, {})[stack] = Digest(raw.hex())
        # Of one second, the one that was begun last is the newest: a row keeps its place when it is written anew.
        rows = self._read("SELECT id, taken_at, data FROM snapshot ORDER BY taken_at DESC, rowid DESC")
        return tuple(
            SnapshotEntry(id=id_, taken_at=taken_at, snapshot=snapshot, locks=locks.get(id_, {}))
            for id_, taken_at, packed in rows
            if (snapshot := _parse(id_, packed))
        )

    def delete(self, ids: Sequence[str]) -> int:
        """Delete snapshots and what only they hold and nothing remembers; returns bytes freed."""
        kept = {raw for entry in self.entries() if entry.id not in ids for raw in _references(entry.snapshot)}

        def write(database: sqlite3.Connection) -> int:
            for table in ("snapshot", "locked"):
                database.executemany(f"DELETE FROM {table} WHERE id = ?", [(id_,) for id_ in ids])  # noqa: S608
            query = (
                "SELECT digest, length(data) FROM blob WHERE kept_at < ?"
                " AND digest NOT IN (SELECT digest FROM page WHERE digest IS NOT NULL)"
                " AND digest NOT IN (SELECT digest FROM metadata)"
            )
            rows = database.execute(query, (int(self._now()) - _YOUNG_S,)).fetchall()
            gone = [(raw, size) for raw, size in rows if raw not in kept]
            database.executemany("DELETE FROM blob WHERE digest = ?", [(raw,) for raw, _ in gone])
            return sum(size for _, size in gone)

        freed = self._write(write)
        with self._lock:
            self._run(lambda database: database.execute("PRAGMA incremental_vacuum").fetchall())
        return freed

    def _metadata_digest(self, key: str) -> Digest | None:
        with self._lock:
            if found := self._metadata.get(key):
                return found
        rows = self._read("SELECT digest FROM metadata WHERE key = ?", (key,), gathered=False)
        return _digest(rows[0][0]) if rows else None

    def _metadata_keys(self) -> Sequence[str]:
        return [key for (key,) in self._read("SELECT key FROM metadata ORDER BY key")]

    def _gathered(self) -> bool:
        return bool(self._pages or self._blobs or self._metadata)

    def _flush_in_time(self) -> None:
        count = len(self._pages) + len(self._blobs) + len(self._metadata)
        if count >= _GATHERED or time.monotonic() - self._flushed_at > _GATHER_S:
            self._flush()

    def _flush(self) -> None:
        self._write(lambda _: None)

    def _write(self, work: Callable[[sqlite3.Connection], _T]) -> _T:
        """Do work in one transaction, behind what was gathered."""

        def work_behind(database: sqlite3.Connection) -> _T:
            with transaction(database):
                self._write_gathered(database)
                return work(database)

        with self._lock:
            result = self._run(work_behind)
            self._pages, self._blobs, self._metadata = {}, {}, {}
            self._flushed_at = time.monotonic()
            return result

    def _write_gathered(self, database: sqlite3.Connection) -> None:
        now = int(self._now())
        blobs = [(_raw(digest), len(data), now, data) for digest, data in self._blobs.items()]
        pages = [
            (*key, _raw(known.digest) if known.digest else None, known.etag, known.checked_at, known.max_age_s)
            for key, known in self._pages.items()
        ]
        database.executemany(_PUT_BLOB, blobs)
        database.executemany(_PUT_PAGE, pages)
        database.executemany(_PUT_METADATA, [(key, _raw(digest)) for key, digest in self._metadata.items()])

    def _read(self, query: str, values: _Row = (), *, gathered: bool = True) -> list[_Row]:
        with self._lock:
            if gathered and self._gathered():
                self._flush()
            return self._run(lambda database: database.execute(query, values).fetchall())

    def _run(self, work: Callable[[sqlite3.Connection], _T]) -> _T:
        """Work on the database; where its file turns out to be damaged, on a new one."""
        try:
            return self._try(work)
        except _DamagedError:
            self._set_aside()
            return self._try(work)

    def _try(self, work: Callable[[sqlite3.Connection], _T]) -> _T:
        try:
            if self._database is None:
                self._database = open_database(self._path)
            return work(self._database)
        except sqlite3.OperationalError as error:
            raise BuilderError(f"the store of snapshots cannot be used: {error}", context=str(self._path)) from error
        except OSError as error:
            raise BuilderError(error.strerror or str(error), context=str(self._path)) from error
        except sqlite3.DatabaseError as error:
            raise _DamagedError from error

    def _set_aside(self) -> None:
        """Move a damaged file away, unless another process just did."""
        if self._database is not None:
            with contextlib.suppress(sqlite3.Error):
                self._database.close()
            self._database = None
        with guard(self._path):
            if is_sound(self._path):
                return
            stamp = time.strftime("%Y%m%dT%H%M%S", time.gmtime(self._now()))
            target = self._path.with_name(f"{self._path.name}.damaged-{stamp}")
            with contextlib.suppress(FileNotFoundError):
                self._path.rename(target)
            for suffix in ("-wal", "-shm"):
                self._path.with_name(self._path.name + suffix).unlink(missing_ok=True)
        self._say(f"the store of snapshots was damaged: moved to {target}, and a new one begun")


class _DamagedError(Exception):
    """The file is no database, or a damaged one."""


class _MetadataDigests(Mapping[str, Digest]):
    """What is known of metadata, as a mapping that asks the database."""

    def __init__(self, find: Callable[[str], Digest | None], keys: Callable[[], Sequence[str]]) -> None:
        self._find = find
        self._keys = keys

    def __getitem__(self, key: str) -> Digest:
        found = self._find(key)
        if found is None:
            raise KeyError(key)
        return found

    def __iter__(self) -> Iterator[str]:
        return iter(self._keys())

    def __len__(self) -> int:
        return len(self._keys())


def _raw(digest: Digest) -> bytes:
    return bytes.fromhex(digest.hex)


def _digest(raw: bytes | None) -> Digest | None:
    return Digest(raw.hex()) if raw is not None else None


def _unpack(packed: bytes) -> bytes | None:
    try:
        return zstandard.ZstdDecompressor().decompress(packed, max_output_size=_LARGEST_BLOB)
    except zstandard.ZstdError:
        return None


def _parse(id_: str, packed: bytes) -> Snapshot | None:
    data = _unpack(packed)
    try:
        snapshot = parse_snapshot(data) if data is not None else None
    except InvalidInputError:
        return None
    return snapshot if snapshot is not None and snapshot_id(snapshot) == id_ else None


def _references(snapshot: Snapshot) -> set[bytes]:
    digests = {digest for pages in snapshot.pages.values() for digest in pages.values() if digest}
    return {_raw(digest) for digest in digests | set(snapshot.metadata.values())}
