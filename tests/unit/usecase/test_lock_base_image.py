from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from builder.digest import Digest
from builder.errors import DigestMismatchError, IntegrityError, IssuesError, LockInvalidError, StackError
from builder.lock.base import check_base_lock, dump_base_lock, parse_base_lock
from builder.lock.model import BaseLock
from builder.oci import media
from builder.oci.layout import blob_path
from builder.platform import AMD64, ARM64, Platform
from builder.stack.base import parse_base
from builder.stack.model import Base
from builder.store.files import DirectoryFileStore
from builder.usecase.lock_base_image import lock_image_base
from builder.wiring.bases import LayoutImageSource
from tests.support.base_images import DOCKER_GZIP, Layers, program, root, tar_of, write_layout


def base_of(platforms: Sequence[Platform] = (AMD64,), *, digest: str = "") -> Base:
    names = ", ".join(f'"{platform}"' for platform in platforms)
    pinned = f'digest = "{digest}"\n' if digest else ""
    text = f'description = "x"\n[image]\nlayout = "theirs"\n{pinned}platforms = [{names}]\n[python]\nversion = "3.13"\n'
    return parse_base(text.encode(), name="theirs", file="f")


def lock(tmp_path: Path, base: Base) -> BaseLock:
    digest = base.image.digest if base.image else ""
    source = LayoutImageSource(tmp_path / "theirs", digest, name=base.name)
    return lock_image_base(base, source, DirectoryFileStore(tmp_path / "cache"))


def image_of(platform: Platform = AMD64) -> Layers:
    return Layers(tar_of(root(platform)), tar_of({"opt/": b"", "opt/theirs": b"1"}))


def test_a_lock_holds_layers_by_digest_and_reads_back(tmp_path: Path) -> None:
    images = {AMD64: image_of(), ARM64: image_of(ARM64)}
    write_layout(tmp_path / "theirs", images)
    base = base_of((AMD64, ARM64))
    made = lock(tmp_path, base)
    assert [image.layers for image in made.images] == [images[AMD64].locked, images[ARM64].locked]
    assert (made.release, made.python_version, made.glibc, made.created) == ("trixie", "3.13.5", "2.41", 1789948800)
    data = dump_base_lock(made)
    assert parse_base_lock(data, file="f") == made
    assert check_base_lock(base, made)
    assert b"layout" not in data
    store = DirectoryFileStore(tmp_path / "cache")
    assert all(store.holds(layer.file) for image in made.images for layer in image.layers)
    assert lock(tmp_path, base) == made


def test_layers_of_docker_are_called_as_oci_has_them(tmp_path: Path) -> None:
    write_layout(tmp_path / "theirs", {AMD64: image_of()}, layer_type=DOCKER_GZIP)
    assert {layer.media_type for layer in lock(tmp_path, base_of()).images[0].layers} == {media.LAYER_GZIP}


def test_a_platform_that_the_image_lacks_is_named(tmp_path: Path) -> None:
    write_layout(tmp_path / "theirs", {AMD64: image_of()})
    with pytest.raises(StackError, match="is not for linux/arm64; it is for linux/amd64"):
        lock(tmp_path, base_of((AMD64, ARM64)))


def test_a_config_of_another_architecture_is_refused(tmp_path: Path) -> None:
    write_layout(tmp_path / "theirs", {AMD64: image_of()}, architecture="arm64")
    with pytest.raises(StackError, match="its config says linux/arm64"):
        lock(tmp_path, base_of())


def test_layers_of_unknown_kinds_are_refused(tmp_path: Path) -> None:
    write_layout(tmp_path / "theirs", {AMD64: image_of()}, layer_type="application/vnd.in-toto+json")
    with pytest.raises(StackError, match="a layer of kind"):
        lock(tmp_path, base_of())


def test_platforms_must_have_one_python(tmp_path: Path) -> None:
    newer = root(ARM64, python=program(ARM64, texts=("3.13.9", ".cpython-313-aarch64-linux-gnu.so")))
    write_layout(tmp_path / "theirs", {AMD64: image_of(), ARM64: Layers(tar_of(newer))})
    with pytest.raises(StackError, match=r"different Python: 3\.13\.5, 3\.13\.9"):
        lock(tmp_path, base_of((AMD64, ARM64)))


def test_a_damaged_layer_is_not_kept(tmp_path: Path) -> None:
    layers = image_of()
    write_layout(tmp_path / "theirs", {AMD64: layers})
    path = tmp_path / "theirs" / blob_path(layers.locked[1].file.sha256)
    data = path.read_bytes()
    path.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
    with pytest.raises(DigestMismatchError):
        lock(tmp_path, base_of())
    assert not DirectoryFileStore(tmp_path / "cache").has(layers.locked[1].file.sha256)


def test_a_layout_that_is_not_the_digest_is_refused(tmp_path: Path) -> None:
    found = write_layout(tmp_path / "theirs", {AMD64: image_of()})
    assert lock(tmp_path, base_of(digest=str(found.digest))).images
    with pytest.raises(StackError, match="the layout holds no sha256:"):
        lock(tmp_path, base_of(digest=str(Digest.of(b"other"))))


def test_a_lock_changed_by_hand_is_refused(tmp_path: Path) -> None:
    write_layout(tmp_path / "theirs", {AMD64: image_of()})
    made = lock(tmp_path, base_of())
    data = dump_base_lock(made)
    with pytest.raises(IssuesError, match="cannot be"):
        parse_base_lock(data.replace(b"tar+gzip", b"tar+xz"), file="f")
    with pytest.raises(IssuesError, match="no absolute path"):
        parse_base_lock(data.replace(b'"/usr/bin/python3.13"', b'"usr/bin/../python3.13"'), file="f")
    with pytest.raises(LockInvalidError, match="changed by hand"):
        parse_base_lock(data + b"\n", file="f")
    assert replace(made, images=()) != made


def test_a_time_without_a_zone_is_the_same_everywhere() -> None:
    code = "from builder.usecase.lock_base_image import _time; print(_time('2026-01-01T00:00:00'))"
    said = {
        subprocess.run(
            [sys.executable, "-c", code], env={"TZ": zone}, capture_output=True, text=True, check=True
        ).stdout
        for zone in ("UTC", "Asia/Tokyo")
    }
    assert said == {"1767225600\n"}


@pytest.mark.parametrize("what", ["index", "root", "manifest", "layer"])
def test_files_of_a_layout_are_read_no_further_than_they_may_be(tmp_path: Path, what: str) -> None:
    write_layout(tmp_path / "theirs", {AMD64: image_of()})
    listed = json.loads((tmp_path / "theirs/index.json").read_bytes())["manifests"][0]
    manifest = json.loads((tmp_path / "theirs" / blob_path(Digest.parse(listed["digest"]))).read_bytes())
    if "manifests" in manifest:
        listed_child = manifest["manifests"][0]["digest"]
        layers = json.loads((tmp_path / "theirs" / blob_path(Digest.parse(listed_child))).read_bytes())["layers"]
    places = {
        "index": "index.json",
        "root": blob_path(Digest.parse(listed["digest"])),
        "manifest": blob_path(Digest.parse(listed_child)),
        "layer": blob_path(Digest.parse(layers[0]["digest"])),
    }
    with (tmp_path / "theirs" / places[what]).open("r+b") as stream:
        stream.truncate(64 << 20)
    with pytest.raises(IntegrityError, match="is longer than"):
        lock(tmp_path, base_of())
