"""Blobs in a folder: whole or not there, whatever befell those who wrote before."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from builder.errors import BuildError, DigestMismatchError
from builder.oci import media
from builder.oci.descriptor import Descriptor, describe
from builder.registry.answers import RegistryTroubleError
from builder.registry.folder import FolderBlobs
from tests.support.registry_images import noise

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


LARGE = noise(6 << 20)
LARGE_BLOB = describe(media.LAYER_TAR, LARGE)
PART = 5 << 20


def left(folder: Path, data: bytes) -> FolderBlobs:
    """Lay what a killed pull left of the large blob."""
    blobs = FolderBlobs(folder)
    blobs.begin()
    place = folder / "blobs/sha256" / f".new-{LARGE_BLOB.digest.hex}"
    place.parent.mkdir(parents=True)
    place.write_bytes(data)
    return blobs


def rest_of(begun: Iterator[bytes]) -> Iterator[bytes]:
    yield LARGE[sum(map(len, begun)) :]


@pytest.mark.parametrize("size", [0, 1, PART, len(LARGE) - 1])
def test_large_blob_goes_on_from_what_is_there(tmp_path: Path, size: int) -> None:
    blobs = left(tmp_path, LARGE[:size])
    given: list[int] = []

    def rest(begun: Iterator[bytes]) -> Iterator[bytes]:
        given.append(sum(map(len, begun)))
        yield LARGE[size:]

    blobs.complete(LARGE_BLOB, rest)
    assert given == [size]
    assert blobs.has(LARGE_BLOB)
    assert names(tmp_path / "blobs") == [LARGE_BLOB.digest.hex]


@pytest.mark.parametrize("data", [LARGE, LARGE + b"more"], ids=["whole", "longer"])
def test_what_cannot_be_a_part_is_not_gone_on_from(tmp_path: Path, data: bytes) -> None:
    blobs = left(tmp_path, data)
    blobs.complete(LARGE_BLOB, rest_of)
    assert blobs.has(LARGE_BLOB)


def test_wrong_part_is_found_and_not_kept(tmp_path: Path) -> None:
    blobs = left(tmp_path, b"!" * PART)
    with pytest.raises(DigestMismatchError):
        blobs.complete(LARGE_BLOB, rest_of)
    assert names(tmp_path / "blobs") == []


def trouble(status: int | None) -> RegistryTroubleError:
    return RegistryTroubleError("x", registry="r.example.org", context="blob", status=status)


@pytest.mark.parametrize(
    ("blob", "error", "kept"),
    [
        (LARGE_BLOB, trouble(None), PART),
        (LARGE_BLOB, trouble(503), PART),
        (LARGE_BLOB, KeyboardInterrupt(), PART),
        (LARGE_BLOB, trouble(404), None),
        (LARGE_BLOB, OSError(28, "No space left on device"), None),
        (LARGE_BLOB, DigestMismatchError("x"), None),
        (describe(media.LAYER_TAR, LARGE[:PART][: 1 << 20]), trouble(None), None),
    ],
)
def test_part_is_left_where_another_pull_may_go_on_from_it(
    tmp_path: Path, blob: Descriptor, error: BaseException, kept: int | None
) -> None:
    def rest(begun: Iterator[bytes]) -> Iterator[bytes]:
        assert list(begun) == []
        yield LARGE[:PART]
        raise error

    with pytest.raises((type(error), BuildError)):
        FolderBlobs(tmp_path).complete(blob, rest)
    found = [path.stat().st_size for path in tmp_path.rglob(".new-*")]
    assert found == ([kept] if kept else [])


def test_symbolic_link_in_the_place_of_a_part_is_not_followed(tmp_path: Path) -> None:
    theirs = tmp_path / "precious"
    theirs.write_bytes(LARGE[:PART])
    blobs = left(tmp_path / "out", b"")
    place = tmp_path / "out/blobs/sha256" / f".new-{LARGE_BLOB.digest.hex}"
    place.unlink()
    place.symlink_to(theirs)
    with pytest.raises(BuildError, match="cannot be written"):
        blobs.complete(LARGE_BLOB, rest_of)
    assert theirs.read_bytes() == LARGE[:PART]
