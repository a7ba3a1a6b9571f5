"""Segments: what they say of themselves, and that damage is never used."""

from __future__ import annotations

from pathlib import Path

import pytest

from builder.entry import Entry, EntryKind, directory_entry, file_entry
from builder.errors import BuildError
from builder.image.compress import ZstdCompressor
from builder.image.directories import directory_map, layer_directories
from builder.image.segment import (
    DamagedSegmentError,
    Segment,
    find_segment,
    folders_above,
    make_segment,
    read_path_names,
    read_paths,
    read_payload,
)
from builder.store.artefacts import DirectoryArtefactStore

KEY = "ab" * 32


@pytest.fixture
def store(tmp_path: Path) -> DirectoryArtefactStore:
    return DirectoryArtefactStore(tmp_path, durable=False)


def _make(store: DirectoryArtefactStore, *entries: Entry, key: str = KEY) -> Segment:
    return make_segment(key, entries, ZstdCompressor(), store)


def test_a_segment_is_found_as_it_was_made(store: DirectoryArtefactStore) -> None:
    made = _make(store, file_entry("usr/lib/x/a", b"1"), directory_entry("var/empty", mode=0o700), file_entry("b", b""))
    assert find_segment(KEY, store) == made
    assert made.parents == ("usr", "usr/lib", "usr/lib/x", "var")
    assert [(entry.path, entry.mode) for entry in made.directories] == [("var/empty", 0o700)]
    assert read_path_names(made) == ["b", "usr/lib/x/a"]
    assert read_paths(made)[1].size == 1
    assert made.raw_size == 512 + 1024


def test_a_segment_of_directories_alone_has_no_payload(store: DirectoryArtefactStore) -> None:
    made = _make(store, directory_entry("tmp", mode=0o1777))
    assert (made.size, read_payload(made)) == (0, b"")


def _read_all(segment: Segment) -> None:
    read_payload(segment)
    read_paths(segment)


@pytest.mark.parametrize("place", [0, 70, 200, -1])
def test_one_changed_byte_anywhere_is_found(store: DirectoryArtefactStore, place: int) -> None:
    made = _make(store, file_entry("usr/a", b"content" * 50))
    data = bytearray(made.path.read_bytes())
    data[place] ^= 1
    made.path.unlink()
    made.path.write_bytes(data)
    found = find_segment(KEY, store)
    if found is not None:
        with pytest.raises(DamagedSegmentError):
            _read_all(found)
    assert find_segment(KEY, store) is None


@pytest.mark.parametrize(
    ("entries", "message"),
    [
        ((file_entry("a", b"1"), file_entry("a", b"2")), "a: the path stands twice"),
        ((Entry(path="b", kind=EntryKind.HARDLINK, target="a"),), "b: a hard link to 'a', no file of the same segment"),
    ],
    ids=["double", "hard link"],
)
def test_contradictions_are_refused(store: DirectoryArtefactStore, entries: tuple[Entry, ...], message: str) -> None:
    with pytest.raises(BuildError) as caught:
        _make(store, *entries)
    assert str(caught.value) == message


def test_stated_directories_win_by_group_and_then_by_order(store: DirectoryArtefactStore) -> None:
    one = _make(store, directory_entry("opt", mode=0o755), key="aa" * 32)
    two = _make(store, directory_entry("opt", mode=0o700), key="bb" * 32)
    ours = _make(store, directory_entry("opt", mode=0o775, uid=50000), key="cc" * 32)
    assert directory_map(((one, two),))["opt"].mode == 0o755
    assert directory_map(((one, two), (ours,)))["opt"].mode == 0o775


def test_a_layer_lists_stated_and_needed_directories_parents_first(store: DirectoryArtefactStore) -> None:
    segment = _make(store, file_entry("x/y/z", b""), directory_entry("x/empty", mode=0o700))
    listed = layer_directories([segment], directory_map([[segment]]))
    assert [(entry.path, entry.mode) for entry in listed] == [("x", 0o755), ("x/empty", 0o700), ("x/y", 0o755)]


def test_folders_above_paths() -> None:
    assert folders_above(["a/b/c", "a/d", "e"]) == {"a", "a/b"}
