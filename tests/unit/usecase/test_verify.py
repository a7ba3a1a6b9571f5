"""What `verify` compares is said by the caller, never by the image."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import zstandard

from builder.buildkit.base import write_index
from builder.buildkit.filesystem import BUILT_BY_BUILDKIT
from builder.digest import Digest
from builder.image.compress import decompress
from builder.image.layout_reader import FolderLayout
from builder.oci import media
from builder.oci.config import History, RunConfig, dump_config
from builder.oci.descriptor import describe
from builder.oci.layout import blob_path, parse_layout
from builder.oci.manifest import Manifest, dump_manifest
from builder.platform import AMD64
from builder.store.artefacts import DirectoryArtefactStore
from builder.usecase.build import BuildRequest, BuildTools, build
from builder.usecase.verify import VerifyReport, verify_layout
from tests.support.made_up import World, make_world, write_locks


@pytest.fixture
def world(tmp_path: Path) -> World:
    world = make_world(tmp_path)
    write_locks(world, tmp_path / "locks")
    tools = BuildTools(files=world.files, artefacts=world.artefacts, compilers=world.compilers, jobs=2)
    build(BuildRequest(stack="tiny", locks=tmp_path / "locks", output=tmp_path / "own", platforms=(AMD64,)), tools)
    return world


def write_forged(
    world: World,
    *,
    change: Callable[[bytes], bytes] = lambda tar: tar,
    run: Callable[[RunConfig], RunConfig] = lambda run: run,
    created: int = 0,
) -> Path:
    """Write the engine's image with layers compressed otherwise and BuildKit's mark, and what else is to be changed."""
    reader, folder = FolderLayout(world.root / "own"), world.root / "forged"
    (folder / "blobs/sha256").mkdir(parents=True)
    (image,) = parse_layout(reader).platforms
    tars = [
        change(b"".join(decompress("zstd", reader.chunks(blob_path(layer.digest))))) for layer in image.manifest.layers
    ]
    blobs = [zstandard.compress(tar, 1) for tar in tars]
    history = tuple(
        History(created=image.config.created, created_by="x", comment=BUILT_BY_BUILDKIT) for _ in image.manifest.layers
    )
    config = dump_config(
        replace(
            image.config,
            history=history,
            run=run(image.config.run),
            diff_ids=tuple(map(Digest.of, tars)),
            created=image.config.created + created,
        )
    )
    layers = tuple(describe(media.LAYER_ZSTD, blob) for blob in blobs)
    manifest = dump_manifest(Manifest(config=describe(media.CONFIG, config), layers=layers))
    for data in (*blobs, config, manifest):
        (folder / blob_path(Digest.of(data))).write_bytes(data)
    write_index(folder, "tiny", [replace(describe(media.MANIFEST, manifest), platform=AMD64)])
    return folder


def verify(world: World, layout: Path, *, by_files: bool) -> VerifyReport:
    artefacts = DirectoryArtefactStore(world.root / "scratch", durable=False)
    tools = BuildTools(files=world.files, artefacts=artefacts, compilers=world.compilers, jobs=2)
    return verify_layout("tiny", world.root / "locks", layout, tools, by_files=by_files)


def test_the_mark_of_buildkit_alone_reproduces_nothing(world: World) -> None:
    report = verify(world, write_forged(world), by_files=False)
    assert [(one.where, one.what.partition(":")[0]) for one in report.differences] == [
        ("linux/amd64", "says that BuildKit built it, whose layers are its own")
    ]


def test_an_image_with_the_files_of_the_lock_is_that_by_files(world: World) -> None:
    report = verify(world, write_forged(world), by_files=True)
    assert report.differences == ()
    assert report.by_files
    assert report.found_digest != report.index_digest
    assert verify(world, world.root / "own", by_files=True).differences == ()


def test_a_changed_file_is_found_in_an_image_with_the_mark(world: World) -> None:
    forged = write_forged(world, change=lambda tar: tar.replace(b"\0z = 3\n\0", b"\0z = 4\n\0"))
    changed = [one.path for one in verify(world, forged, by_files=True).differences]
    assert [path.rpartition("site-packages/")[2] for path in changed] == ["gamma/core.py"]
    assert verify(world, forged, by_files=False).differences


def test_a_changed_user_is_found_in_an_image_with_the_mark(world: World) -> None:
    forged = write_forged(world, run=lambda run: replace(run, user="0:0"))
    report = verify(world, forged, by_files=True)
    assert [str(one) for one in report.differences] == ["linux/amd64: config: run differs"]


def test_a_changed_date_is_found_in_an_image_with_the_mark(world: World) -> None:
    report = verify(world, write_forged(world, created=86400), by_files=True)
    assert [str(one) for one in report.differences] == ["linux/amd64: config: created differs"]
