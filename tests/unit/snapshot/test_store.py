from __future__ import annotations

import sqlite3
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from builder.digest import Digest
from builder.errors import BuilderError
from builder.snapshot.model import KnownPage, Snapshot, SnapshotEntry, snapshot_id
from builder.snapshot.store import SqliteSnapshotStore

DAY = 86_400


class Clock:
    def __init__(self) -> None:
        self.now = 1_000_000.0

    def __call__(self) -> float:
        return self.now


def known(data: bytes, *, checked_at: int = 5) -> KnownPage:
    return KnownPage(digest=Digest.of(data), etag='"x"', checked_at=checked_at, max_age_s=600)


def entry_of(*pages: bytes, locks: dict[str, Digest] | None = None, taken_at: int = 1) -> SnapshotEntry:
    held = {f"p{number}": Digest.of(data) for number, data in enumerate(pages)}
    snapshot = Snapshot(day="2026-05-01", indexes=("default",), pages={"default": held}, metadata={})
    return SnapshotEntry(id=snapshot_id(snapshot), taken_at=taken_at, snapshot=snapshot, locks=locks or {})


def test_everything_is_there_for_the_next_process(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "s.db"
    absent = KnownPage(digest=None, etag="", checked_at=7, max_age_s=0)
    with SqliteSnapshotStore(path) as store:
        digest = store.put(b"page")
        store.keep_page("k", "demo", known(b"page"))
        store.keep_page("k", "none", absent)
        store.keep_metadata("wheel", digest)
        store.keep_metadata("wheel", Digest.of(b"other"))
    with SqliteSnapshotStore(path) as store:
        assert store.get(digest) == b"page"
        assert store.known_pages("k") == {"demo": known(b"page"), "none": absent}
        assert store.known_pages("other") == {}
        assert dict(store.metadata_digests()) == {"wheel": digest}
        assert store.metadata_digests().get("unknown") is None
        assert store.get(Digest.of(b"unknown")) is None


def test_what_was_not_written_yet_is_seen_already(tmp_path: Path) -> None:
    with SqliteSnapshotStore(tmp_path / "s.db") as store:
        assert store.get(store.put(b"page")) == b"page"
        store.keep_metadata("wheel", Digest.of(b"m"))
        assert store.metadata_digests()["wheel"] == Digest.of(b"m")
        store.keep_page("k", "demo", known(b"page"))
        assert set(store.known_pages("k")) == {"demo"}


def test_damaged_bytes_are_dropped(tmp_path: Path) -> None:
    path = tmp_path / "s.db"
    with SqliteSnapshotStore(path) as store:
        digest = store.put(b"page")
    with sqlite3.connect(path) as database:
        database.execute("UPDATE blob SET data = x'00'")
    database.close()
    with SqliteSnapshotStore(path) as store:
        assert store.get(digest) is None
        assert store.get(store.put(b"page")) == b"page"


@pytest.mark.parametrize("junk", [b"junk" * 1000, b"SQLite format 3\0" + b"\xff" * 5000], ids=["text", "header"])
def test_file_that_is_no_database_is_set_aside(tmp_path: Path, junk: bytes) -> None:
    path = tmp_path / "s.db"
    path.write_bytes(junk)
    said: list[str] = []
    with SqliteSnapshotStore(path, say=said.append) as store:
        assert store.get(store.put(b"page")) == b"page"
        assert store.known_pages("k") == {}
    assert "moved to" in said[0]
    assert [found.read_bytes() for found in tmp_path.glob("*.damaged-*")] == [junk]


def test_unknown_schema_is_refused_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "s.db"
    with sqlite3.connect(path) as database:
        database.execute("PRAGMA user_version = 99")
    database.close()
    with pytest.raises(BuilderError, match="schema 99"), SqliteSnapshotStore(path) as store:
        store.known_pages("k")
    assert [found.name for found in tmp_path.glob("*.damaged-*")] == []


def test_saving_again_joins_locks(tmp_path: Path) -> None:
    one, two = Digest.of(b"1"), Digest.of(b"2")
    with SqliteSnapshotStore(tmp_path / "s.db") as store:
        store.save(entry_of(b"a", locks={"core": one}, taken_at=10))
        store.save(entry_of(b"a", locks={"etl": two}, taken_at=20))
        store.save(entry_of(b"b", taken_at=30))
        newest, joined = store.entries()
    assert newest.taken_at == 30
    assert (joined.taken_at, joined.locks) == (10, {"core": one, "etl": two})
    assert joined.snapshot == entry_of(b"a").snapshot


def test_snapshot_is_read_whatever_metadata_it_holds_and_metadata_is_joined(tmp_path: Path) -> None:
    bare = entry_of(b"a")
    one, two = (
        replace(bare, snapshot=replace(bare.snapshot, metadata={name: Digest.of(name.encode())})) for name in "xy"
    )
    with SqliteSnapshotStore(tmp_path / "s.db") as store:
        for entry in (one, two, bare):
            store.save(entry)
        (found,) = store.entries()
    assert found.snapshot.metadata == {name: Digest.of(name.encode()) for name in "xy"}


def test_delete_frees_what_only_they_held(tmp_path: Path) -> None:
    clock = Clock()
    with SqliteSnapshotStore(tmp_path / "s.db", now=clock) as store:
        for data in (b"only old", b"both", b"known", b"metadata"):
            store.put(data)
        store.keep_page("k", "demo", known(b"known"))
        store.keep_metadata("wheel", Digest.of(b"metadata"))
        old, new = entry_of(b"only old", b"both", b"known", taken_at=1), entry_of(b"both", taken_at=2)
        store.save(old)
        store.save(new)
        assert store.delete([]) == 0
        clock.now += DAY
        store.put(b"came just now")
        assert store.delete([old.id]) > 0
        assert [found.id for found in store.entries()] == [new.id]
        held = [data for data in (b"only old", b"both", b"known", b"metadata") if store.get(Digest.of(data))]
        assert held == [b"both", b"known", b"metadata"]
        assert store.get(Digest.of(b"came just now"))


def test_new_file_is_begun_by_many_at_once(tmp_path: Path) -> None:
    def begin(path: Path) -> None:
        with SqliteSnapshotStore(path) as store:
            store.put(b"page")

    with ThreadPoolExecutor(12) as pool:
        for number in range(30):
            list(pool.map(begin, [tmp_path / f"{number}.db"] * 12))


def test_threads_and_processes_write_side_by_side(tmp_path: Path) -> None:
    path = tmp_path / "s.db"
    stores = [SqliteSnapshotStore(path) for _ in range(2)]
    errors: list[BaseException] = []

    def work(number: int) -> None:
        try:
            for count in range(60):
                store = stores[number % 2]
                data = f"{number} {count}".encode()
                store.put(data)
                store.keep_page("k", data.decode(), known(data))
                assert store.get(Digest.of(data)) == data
        except BaseException as error:  # noqa: BLE001 - told below
            errors.append(error)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for store in stores:
        store.close()
    assert errors == []
    with SqliteSnapshotStore(path) as store:
        assert len(store.known_pages("k")) == 360


def test_of_one_second_the_snapshot_begun_last_is_the_newest(tmp_path: Path) -> None:
    entries = [entry_of(str(number).encode()) for number in range(8)]
    with SqliteSnapshotStore(tmp_path / "s.db") as store:
        for entry in entries:
            store.save(entry)
        first = entries[0]
        store.save(replace(first, snapshot=replace(first.snapshot, metadata={"w": Digest.of(b"metadata")})))
        assert [found.id for found in store.entries()] == [entry.id for entry in reversed(entries)]
