from __future__ import annotations

from pathlib import Path

import pytest

from builder.errors import InvalidInputError
from builder.store.artefacts import DirectoryArtefactStore


@pytest.fixture
def store(tmp_path: Path) -> DirectoryArtefactStore:
    return DirectoryArtefactStore(tmp_path / "cache")


def left_over(store: DirectoryArtefactStore) -> list[Path]:
    return list((store.root / "tmp").iterdir())


def test_what_is_put_is_found(store: DirectoryArtefactStore) -> None:
    assert store.get("segment", "abc") is None
    path = store.put("segment", "abc", [b"one", b"two"])
    assert path.read_bytes() == b"onetwo"
    assert store.get("segment", "abc") == path
    assert not left_over(store)


def test_first_of_several_writers_wins(store: DirectoryArtefactStore) -> None:
    store.put("segment", "abc", [b"first"])
    assert store.put("segment", "abc", [b"second"]).read_bytes() == b"first"
    assert not left_over(store)


def test_failing_writer_leaves_nothing(store: DirectoryArtefactStore) -> None:
    def broken() -> object:
        yield b"x"
        raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space"):
        store.put("segment", "abc", broken())  # type: ignore[arg-type]
    assert store.get("segment", "abc") is None
    assert not left_over(store)


def test_tree_is_kept_whole_or_not_at_all(store: DirectoryArtefactStore) -> None:
    def fill(folder: Path) -> None:
        (folder / "bin").mkdir()
        (folder / "bin" / "python").write_text("x")

    def fail(folder: Path) -> None:
        fill(folder)
        raise ValueError

    with pytest.raises(ValueError, match=r"^$"):
        store.put_tree("interpreter", "3.13.5", fail)
    assert store.get("interpreter", "3.13.5") is None
    path = store.put_tree("interpreter", "3.13.5", fill)
    assert (path / "bin" / "python").read_text() == "x"
    assert store.put_tree("interpreter", "3.13.5", fill) == path
    assert not left_over(store)


@pytest.mark.parametrize("key", ["", "../x", "a/b", ".hidden", "x" * 300])
def test_key_that_is_no_name_is_refused(store: DirectoryArtefactStore, key: str) -> None:
    with pytest.raises(InvalidInputError, match="not a name of an artefact"):
        store.get("segment", key)


def test_symlink_in_place_of_an_artefact_counts_as_absent(store: DirectoryArtefactStore, tmp_path: Path) -> None:
    path = store.put("segment", "abc", [b"good"])
    path.unlink()
    path.symlink_to(tmp_path)
    assert store.get("segment", "abc") is None
    assert store.put("segment", "abc", [b"good"]).read_bytes() == b"good"
    path.unlink()
    path.symlink_to(tmp_path)
    assert store.put_tree("segment", "abc", lambda _folder: None).is_dir()
    assert not path.is_symlink()
