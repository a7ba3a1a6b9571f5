"""Layers unpacked into a root folder: what is refused leaves nothing behind."""

from __future__ import annotations

import io
import os
import tarfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import zstandard

from builder.digest import Digest
from builder.errors import DigestMismatchError, IntegrityError
from builder.oci import media
from builder.oci.config import Config, History, RunConfig
from builder.oci.descriptor import Descriptor, describe
from builder.oci.layout import blob_path
from builder.platform import AMD64
from builder.run.model import RunnableImage
from builder.run.rootfs import ensure_rootfs, unpack_image
from builder.store.artefacts import DirectoryArtefactStore
from tests.support.base_images import Layers, tar_of
from tests.support.tiny_image import write_layout

Change = Callable[[tarfile.TarInfo], None]


def entry(name: str, *, kind: bytes = tarfile.REGTYPE, link: str = "", mode: int = 0o644) -> tarfile.TarInfo:
    found = tarfile.TarInfo(name)
    found.type, found.linkname, found.mode, found.mtime = kind, link, mode, 1_790_000_000
    found.uid, found.gid = os.getuid(), os.getgid()
    return found


def folder(name: str) -> tarfile.TarInfo:
    return entry(name, kind=tarfile.DIRTYPE, mode=0o755)


def make_image(place: Path, *entries: tarfile.TarInfo, diff_id: Digest | None = None) -> RunnableImage:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for item in entries:
            data = b"x" * item.size
            archive.addfile(item, io.BytesIO(data))
    compressed = zstandard.compress(buffer.getvalue())
    config = Config(
        platform=AMD64,
        created=0,
        run=RunConfig(user="50000:0", env=(), entrypoint=(), working_dir="/"),
        diff_ids=(diff_id or Digest.of(buffer.getvalue()),),
        history=(History(created=0, created_by="test"),),
    )
    return write_layout(place, AMD64, config, describe(media.LAYER_ZSTD, compressed), compressed)


def test_files_folders_and_links_are_unpacked_with_their_modes(tmp_path: Path) -> None:
    image = make_image(
        tmp_path / "image",
        folder("bin"),
        entry("bin/tool", mode=0o755),
        entry("bin/same", kind=tarfile.LNKTYPE, link="bin/tool"),
        entry("bin/link", kind=tarfile.SYMTYPE, link="/outside"),
    )
    (tmp_path / "root").mkdir()
    unpack_image(image, tmp_path / "root")
    tool = (tmp_path / "root/bin/tool").stat()
    assert (tool.st_mode & 0o7777, tool.st_mtime, tool.st_nlink) == (0o755, 1_790_000_000, 2)
    assert (tmp_path / "root/bin/link").readlink() == Path("/outside")


def test_no_file_of_the_cache_gives_rights(tmp_path: Path) -> None:
    (tmp_path / "root").mkdir()
    unpack_image(make_image(tmp_path / "image", entry("su", mode=0o6755)), tmp_path / "root")
    assert (tmp_path / "root/su").stat().st_mode & 0o7777 == 0o755


@pytest.mark.parametrize(
    ("entries", "message"),
    [
        ([entry("../x")], "a path that layers of this project never hold"),
        ([entry("/x")], "a path that layers of this project never hold"),
        ([entry(".wh..")], "a whiteout of nothing that may be hidden"),
        ([entry("b"), entry(".wh.b")], "hides what its own layer brings"),
        ([entry("a", kind=tarfile.SYMTYPE, link="/mnt"), entry("a/.wh.x")], "its parent is no folder of this image"),
        ([entry("a", kind=tarfile.SYMTYPE, link="/mnt"), entry("a/x")], "its parent is no folder of this image"),
        ([entry("x", kind=tarfile.FIFOTYPE)], "neither file, folder nor link"),
        ([entry("x", kind=tarfile.CHRTYPE)], "neither file, folder nor link"),
        ([entry("x"), entry("x")], "is there twice"),
        ([folder("a"), entry("a")], "is there twice"),
        ([entry("x", kind=tarfile.LNKTYPE, link="../x")], "a path that layers of this project never hold"),
        ([entry("x", kind=tarfile.LNKTYPE, link="y")], "a hard link to what is no file of this image"),
        (
            [entry("y", kind=tarfile.SYMTYPE, link="/etc/passwd"), entry("x", kind=tarfile.LNKTYPE, link="y")],
            "a hard link to what is no file of this image",
        ),
    ],
    ids=[
        "up",
        "absolute",
        "whiteout of the folder itself",
        "whiteout of its own",
        "whiteout through a link",
        "through a link",
        "fifo",
        "device",
        "twice",
        "file for folder",
        "hard link out",
        "hard link to nothing",
        "hard link to a link",
    ],
)
def test_what_would_leave_the_root_is_refused(tmp_path: Path, entries: list[tarfile.TarInfo], message: str) -> None:
    image = make_image(tmp_path / "image", *entries)
    store = DirectoryArtefactStore(tmp_path / "cache", durable=False)
    with pytest.raises(IntegrityError, match=message):
        ensure_rootfs(store, image)
    assert not list((tmp_path / "cache").rglob("x"))


def test_whiteouts_hide_what_lower_layers_brought(tmp_path: Path) -> None:
    below = {"a/": b"", "a/old": b"1", "b/": b"", "b/x": b"1", "c": b"1", "d/": b"", "d/deep/": b"", "d/deep/old": b"1"}
    above = {"a/.wh.old": b"", ".wh.b": b"", "c/": b"", "d/": b"", "d/deep/": b"", "d/deep/new": b"2"}
    layers = Layers(tar_of(below), tar_of(above | {"d/.wh..wh..opq": b"", "made/by/need": b"3"}))
    image = make_image(tmp_path / "image")
    for blob in layers.blobs:
        (tmp_path / "image" / blob_path(Digest.of(blob))).write_bytes(blob)
    found = [
        Descriptor(media_type=layer.media_type, digest=layer.file.sha256, size=layer.file.size)
        for layer in layers.locked
    ]
    config = replace(image.image.config, diff_ids=tuple(layer.diff_id for layer in layers.locked))
    whole = replace(image.image, manifest=replace(image.image.manifest, layers=tuple(found)), config=config)
    (tmp_path / "root").mkdir()
    unpack_image(replace(image, image=whole), tmp_path / "root")
    paths = {str(path.relative_to(tmp_path / "root")) for path in (tmp_path / "root").rglob("*")}
    mounts = {"dev", "proc", "sys", "run", "tmp", "etc", "etc/hosts", "etc/resolv.conf"}
    assert paths - mounts == {"a", "c", "d", "d/deep", "d/deep/new", "made", "made/by", "made/by/need"}
    assert (tmp_path / "root/c").is_dir()


def test_layer_that_is_not_its_digest_is_refused(tmp_path: Path) -> None:
    image = make_image(tmp_path / "image", folder("a"))
    path = image.layout / blob_path(image.image.manifest.layers[0].digest)
    path.write_bytes(path.read_bytes() + zstandard.compress(b""))
    (tmp_path / "root").mkdir()
    with pytest.raises(DigestMismatchError, match="expected sha256:"):
        unpack_image(image, tmp_path / "root")


def test_layer_that_is_not_its_diff_id_is_refused(tmp_path: Path) -> None:
    image = make_image(tmp_path / "image", folder("a"), diff_id=Digest.of(b"other"))
    (tmp_path / "root").mkdir()
    with pytest.raises(DigestMismatchError):
        unpack_image(image, tmp_path / "root")


def test_unpacked_root_is_found_again(tmp_path: Path) -> None:
    image = make_image(tmp_path / "image", folder("a"))
    store = DirectoryArtefactStore(tmp_path / "cache", durable=False)
    first = ensure_rootfs(store, image)
    (image.layout / blob_path(image.image.manifest.layers[0].digest)).unlink()
    assert ensure_rootfs(store, image) == first
