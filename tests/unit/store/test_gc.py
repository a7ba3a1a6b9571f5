from __future__ import annotations

import os
from pathlib import Path

import pytest

from builder.digest import Digest
from builder.store.artefacts import DirectoryArtefactStore
from builder.store.files import DirectoryFileStore
from builder.store.gc import Item, choose_garbage, iter_items, remove_items, summarise, verify_files

DAY = 86_400.0
NOW = 100 * DAY


@pytest.fixture
def store(tmp_path: Path) -> DirectoryFileStore:
    return DirectoryFileStore(tmp_path / "cache")


def item(kind: str, *, used_days: float, changed_days: float | None = None, name: str = "0" * 64) -> Item:
    changed = NOW - DAY * (used_days if changed_days is None else changed_days)
    return Item(kind=kind, name=name, path=Path("/x"), size_bytes=1, used=NOW - DAY * used_days, changed=changed)


@pytest.mark.parametrize(
    ("thing", "is_garbage"),
    [
        (item("file", used_days=31), True),
        (item("file", used_days=29), False),
        (item("segment", used_days=31), True),
        (item("segment", used_days=1), False),
        (item("tmp", used_days=0.1), True),
        (item("tmp", used_days=0.01), False),
        (item("quarantine", used_days=0.1), True),
        (item("partial", used_days=1), False),
        (item("partial", used_days=31), True),
    ],
    ids=lambda value: f"{value.kind}-{(NOW - value.used) / DAY:g}d" if isinstance(value, Item) else str(value),
)
def test_what_was_not_used_for_long_is_garbage(thing: Item, *, is_garbage: bool) -> None:
    assert bool(choose_garbage([thing], keep=(), now=NOW, days=30)) == is_garbage


def test_file_named_by_a_lock_stays_however_old() -> None:
    assert not choose_garbage([item("file", used_days=99)], keep=[Digest("0" * 64)], now=NOW, days=30)


def test_unnamed_files_go_however_recent_but_artefacts_go_by_days() -> None:
    things = [item("file", used_days=1), item("segment", used_days=1)]
    assert choose_garbage(things, keep=(), now=NOW, days=30, only_unnamed=True) == (things[0],)


def test_everything_is_listed_and_removed(store: DirectoryFileStore) -> None:
    artefacts = DirectoryArtefactStore(store.root)
    path = store.path(store.add(b"abc"))
    artefacts.put("segment", "k", [b"12345"])

    def fill(folder: Path) -> None:
        (folder / "x").write_bytes(b"1234567")

    artefacts.put_tree("interpreter", "k", fill)
    items = tuple(iter_items(store.root))
    assert summarise(items) == (("file", 1, 3), ("interpreter", 1, 7), ("segment", 1, 5))
    assert remove_items(items) == 15
    assert not path.exists()
    assert not tuple(iter_items(store.root))


def test_no_cache_is_an_empty_one(store: DirectoryFileStore) -> None:
    assert not tuple(iter_items(store.root))
    assert not verify_files(store)


def test_verify_sets_bad_files_aside_and_names_them(store: DirectoryFileStore) -> None:
    good, bad = store.add(b"good"), store.add(b"bad")
    store.path(bad).chmod(0o644)
    store.path(bad).write_bytes(b"b\0d")
    link = store.path(store.add(b"link"))
    link.unlink()
    link.symlink_to(store.path(good))
    told: list[int] = []
    damage = verify_files(store, progress=told.append)
    assert {one.name for one in damage} == {bad.hex, link.name}
    assert sum(told) == 7
    assert store.has(good)
    assert not os.path.lexists(store.path(bad))
    assert not os.path.lexists(link)
    assert not verify_files(store)
