from __future__ import annotations

import os
from pathlib import Path

import pytest

from builder.digest import Digest
from builder.errors import DigestMismatchError, FetchError, MissingBlobError
from builder.lock.model import LockedFile
from builder.store.files import DirectoryFileStore

DATA = b"a wheel's bytes" * 1000


def locked(data: bytes = DATA, name: str = "a-1-py3-none-any.whl") -> LockedFile:
    return LockedFile(name=name, size=len(data), sha256=Digest.of(data))


@pytest.fixture
def store(tmp_path: Path) -> DirectoryFileStore:
    return DirectoryFileStore(tmp_path / "cache")


def poison(store: DirectoryFileStore, data: bytes) -> Path:
    path = store.path(Digest.of(DATA))
    path.chmod(0o644)
    path.write_bytes(data)
    return path


def test_what_is_added_is_read_back(store: DirectoryFileStore) -> None:
    assert store.add(DATA) == Digest.of(DATA)
    assert store.add(DATA) == Digest.of(DATA)
    assert store.read(locked()) == DATA
    assert store.path(Digest.of(DATA)).stat().st_mode & 0o777 == 0o444
    assert not list((store.root / "tmp").iterdir())


def test_missing_file_is_named_with_the_way_out(store: DirectoryFileStore) -> None:
    with pytest.raises(MissingBlobError, match="airflow-kubler fetch"):
        store.read(locked())


def test_stream_that_is_not_the_expected_file_leaves_nothing(store: DirectoryFileStore) -> None:
    with pytest.raises(DigestMismatchError, match="is not the locked file"):
        store.add_stream([b"other"], expected=locked())
    assert not list((store.root / "tmp").iterdir())
    assert not (store.root / "files").exists()


def test_failing_stream_leaves_nothing(store: DirectoryFileStore) -> None:
    def broken() -> object:
        yield b"x"
        raise ConnectionError

    with pytest.raises(ConnectionError):
        store.add_stream(broken())  # type: ignore[arg-type]
    assert not list((store.root / "tmp").iterdir())


@pytest.mark.parametrize(
    "bad",
    [b"X" + DATA[1:], DATA[:-1], DATA + b"x", b""],
    ids=["flipped byte", "truncated", "longer", "empty"],
)
def test_poisoned_file_is_found_on_read_and_set_aside(store: DirectoryFileStore, bad: bytes) -> None:
    store.add(DATA)
    poison(store, bad)
    with pytest.raises(DigestMismatchError, match="the store's copy is not it") as caught:
        store.read(locked())
    assert "quarantine" in caught.value.context
    assert Path(caught.value.context).read_bytes() == bad
    assert not store.has(Digest.of(DATA))
    store.add(DATA)
    assert store.read(locked()) == DATA


def test_symlink_in_place_of_a_file_is_refused(store: DirectoryFileStore, tmp_path: Path) -> None:
    store.add(DATA)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.write_bytes(DATA)
    path = store.path(Digest.of(DATA))
    path.unlink()
    path.symlink_to(elsewhere)
    assert not store.has(Digest.of(DATA))
    with pytest.raises(DigestMismatchError, match="it is a symbolic link"):
        store.read(locked())
    assert elsewhere.read_bytes() == DATA
    assert not path.is_symlink()


def test_fifo_in_place_of_a_file_is_refused_without_waiting(store: DirectoryFileStore) -> None:
    store.add(DATA)
    path = store.path(Digest.of(DATA))
    path.unlink()
    os.mkfifo(path)
    with pytest.raises(DigestMismatchError, match="no regular file"):
        store.read(locked())


def test_add_replaces_a_copy_of_the_wrong_size(store: DirectoryFileStore) -> None:
    store.add(DATA)
    poison(store, b"short")
    store.add(DATA)
    assert store.read(locked()) == DATA


def test_partial_is_continued_where_it_stopped(store: DirectoryFileStore) -> None:
    with store.partial(locked()) as part:
        assert part is not None
        part.append(DATA[:100])
    with store.partial(locked()) as part:
        assert part is not None
        assert part.size == 100
        part.append(DATA[100:])
        part.finish()
    assert store.read(locked()) == DATA
    with store.partial(locked()) as part:
        assert part is None
    assert not list((store.root / "partial").iterdir())


def test_partial_longer_than_the_lock_begins_anew(store: DirectoryFileStore) -> None:
    with store.partial(locked()) as part:
        assert part is not None
        part.append(DATA)
        with pytest.raises(DigestMismatchError, match="longer than the locked"):
            part.append(b"x")
        assert part.size == 0


def test_partial_with_wrong_bytes_is_thrown_away(store: DirectoryFileStore) -> None:
    with store.partial(locked()) as part:
        assert part is not None
        part.append(b"X" + DATA[1:])
        with pytest.raises(DigestMismatchError, match="bytes received hash to"):
            part.finish()
        assert part.size == 0
    assert not store.has(Digest.of(DATA))


def test_second_downloader_waits_and_gives_up_by_name(store: DirectoryFileStore) -> None:
    with store.partial(locked()) as part:
        assert part is not None
        with pytest.raises(FetchError, match=r"another process has been downloading a-1-py3-none-any\.whl"):
            store.partial(locked(), timeout_s=0.1).__enter__()


def test_partial_that_another_finished_is_not_taken_up(store: DirectoryFileStore) -> None:
    with store.partial(locked()) as part:
        assert part is not None
        store.add(DATA)
        part.append(DATA)
        part.finish()
    with store.partial(locked()) as part:
        assert part is None


def test_empty_file_is_kept_like_any_other(store: DirectoryFileStore) -> None:
    store.add(b"")
    assert store.read(locked(b"")) == b""


def test_use_is_stamped_for_gc(store: DirectoryFileStore) -> None:
    path = store.path(store.add(DATA))
    os.utime(path, (1, 1))
    store.read(locked())
    assert path.stat().st_atime > 1
    assert path.stat().st_mtime == 1
