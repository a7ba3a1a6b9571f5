"""Blobs in a folder: whole or not there, whatever befell those who wrote before."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from builder.errors import BuildError, DigestMismatchError
from builder.oci import media
from builder.oci.descriptor import describe
from builder.registry.folder import FolderBlobs

DATA = b"some bytes"
BLOB = describe(media.LAYER_TAR, DATA)


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.rglob("*") if path.is_file())


def broken_off() -> Iterator[bytes]:
    yield DATA[:4]
    raise KeyboardInterrupt


def test_blob_gets_its_name_when_it_is_whole(tmp_path: Path) -> None:
    blobs = FolderBlobs(tmp_path)
    with pytest.raises(KeyboardInterrupt):
        blobs.write(BLOB, broken_off())
    with pytest.raises(DigestMismatchError):
        blobs.write(BLOB, (DATA[:-1],))
    assert names(tmp_path) == []
    blobs.write(BLOB, (DATA[:4], DATA[4:]))
    assert names(tmp_path) == [BLOB.digest.hex]
    assert blobs.has(BLOB)


def test_what_a_killed_writer_left_is_taken_over(tmp_path: Path) -> None:
    blobs = FolderBlobs(tmp_path)
    blobs.write(BLOB, (DATA,))
    place = tmp_path / "blobs/sha256" / BLOB.digest.hex
    place.rename(place.with_name(f".new-{BLOB.digest.hex}"))
    assert not blobs.has(BLOB)
    blobs.write(BLOB, (DATA,))
    assert names(tmp_path) == [BLOB.digest.hex]


def test_disk_that_takes_nothing_is_told_with_the_file_and_the_way_out(tmp_path: Path) -> None:
    (tmp_path / "blobs").write_text("in the way")
    with pytest.raises(BuildError, match="cannot be written") as caught:
        FolderBlobs(tmp_path).write(BLOB, (DATA,))
    assert BLOB.digest.hex in caught.value.context
    assert "make room" in caught.value.hint
    (tmp_path / "index.json").mkdir()
    with pytest.raises(BuildError, match="cannot be written") as caught:
        FolderBlobs(tmp_path).write_index([(BLOB, "")])
    assert caught.value.context.endswith("index.json")
