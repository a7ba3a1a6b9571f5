from __future__ import annotations

from pathlib import Path

import pytest

from builder.digest import Digest
from builder.errors import IntegrityError, InvalidInputError
from builder.snapshot.model import OfferedFile, ProjectPage, Snapshot, SnapshotEntry, snapshot_id
from builder.snapshot.pages import dump_page
from builder.snapshot.store import SqliteSnapshotStore
from builder.usecase.snapshot import (
    collect_snapshots,
    compare_snapshots,
    find_snapshot,
    pack_snapshot,
    unpack_snapshot,
)

DAY = 86_400


def keep(store: SqliteSnapshotStore, *versions: str, yanked: str = "", taken_at: int = 1) -> SnapshotEntry:
    """Keep a snapshot in which `demo` has wheels of these versions, and metadata of each is known."""
    files = tuple(
        OfferedFile(
            name=f"demo-{version}-py3-none-any.whl",
            url=f"https://files.example/{version}",
            sha256=Digest.of(version.encode()).hex,
            yanked="bad" if version == yanked else None,
        )
        for version in versions
    )
    page = store.put(dump_page(ProjectPage(index="default", project="demo", files=files)))
    for version in versions:
        metadata = store.put(f"Metadata-Version: 2.1\nName: demo\nVersion: {version}\n".encode())
        store.keep_metadata(Digest.of(version.encode()).hex, metadata)
    snapshot = Snapshot(
        day="2026-05-01", indexes=("default",), pages={"default": {"demo": page, "absent": None}}, metadata={}
    )
    entry = SnapshotEntry(
        id=snapshot_id(snapshot), taken_at=taken_at, snapshot=snapshot, locks={"core": Digest.of(b"lock")}
    )
    store.save(entry)
    return entry


def test_snapshot_is_found_by_the_beginning_of_its_id_or_as_latest(tmp_path: Path) -> None:
    with SqliteSnapshotStore(tmp_path / "s.db") as store:
        old, new = keep(store, "1", taken_at=1), keep(store, "2", taken_at=2)
        assert find_snapshot(store, old.id[:8]) == old
        assert find_snapshot(store, "latest") == new
        for prefix in ("", old.id[:3], "zzzz"):
            with pytest.raises(InvalidInputError, match="no snapshot"):
                find_snapshot(store, prefix)


def test_difference_names_versions_that_came_went_and_were_yanked(tmp_path: Path) -> None:
    with SqliteSnapshotStore(tmp_path / "s.db") as store:
        before, after = keep(store, "1", "2"), keep(store, "2", "3", yanked="2")
        (change,) = compare_snapshots(store, before.snapshot, after.snapshot)
    assert (change.project, change.new, change.gone, change.yanked) == ("demo", ("3",), ("1",), ("2",))


def test_pack_is_stable_and_whole_on_another_machine(tmp_path: Path) -> None:
    with SqliteSnapshotStore(tmp_path / "s.db") as store, SqliteSnapshotStore(tmp_path / "other.db") as other:
        entry = keep(store, "1", "2")
        data = pack_snapshot(store, entry)
        assert pack_snapshot(store, entry) == data
        unpacked = unpack_snapshot(other, data, file="night.tar")
        assert unpacked.id == entry.id
        (found,) = other.entries()
        assert (found.locks, found.taken_at) == (entry.locks, entry.taken_at)
        assert len(found.snapshot.metadata) == 2
        assert all(other.get(digest) for digest in found.snapshot.metadata.values())
        assert pack_snapshot(other, found) == data


def test_damaged_pack_is_refused_and_nothing_of_it_kept(tmp_path: Path) -> None:
    with SqliteSnapshotStore(tmp_path / "s.db") as store, SqliteSnapshotStore(tmp_path / "other.db") as other:
        data = pack_snapshot(store, keep(store, "1"))
        for broken in (data.replace(b"demo-1", b"demo-7"), data[:700], b"junk"):
            with pytest.raises(IntegrityError):
                unpack_snapshot(other, broken, file="night.tar")
        assert other.entries() == ()


def test_collecting_keeps_the_newest_and_those_of_the_last_days(tmp_path: Path) -> None:
    now = 100 * DAY
    with SqliteSnapshotStore(tmp_path / "s.db") as store:
        old, older = keep(store, "1", taken_at=50 * DAY), keep(store, "2", taken_at=40 * DAY)
        young, newest = keep(store, "3", taken_at=95 * DAY), keep(store, "4", taken_at=99 * DAY)
        gone, _ = collect_snapshots(store, keep=1, days=30, now=now)
        assert set(gone) == {old.id, older.id}
        assert [entry.id for entry in store.entries()] == [newest.id, young.id]
