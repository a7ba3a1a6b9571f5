"""Assembly of a made-up image: what layers hold, what is shared, what is made again."""

from __future__ import annotations

import io
import tarfile
import tempfile
from dataclasses import replace
from pathlib import Path

import pytest

from builder.digest import Digest
from builder.errors import BuildError, IssuesError, PlanError
from builder.image.assemble import BuiltImage, assemble
from builder.image.compress import decompress
from builder.image.layout_folder import write_layout
from builder.image.layout_reader import FolderLayout
from builder.image.output import image_blobs
from builder.oci.layout import validate_layout
from builder.store.artefacts import DirectoryArtefactStore
from tests.support.made_up import PLATFORMS, World, bump, make_world

LOCK = Digest.of(b"lock")


def _build(world: World, **options: object) -> BuiltImage:
    return assemble(
        world.stack,
        world.base,
        lock_digest=LOCK,
        platforms=PLATFORMS,
        assembly=world.assembly(**options),  # type: ignore[arg-type]
    )


def _members(image: BuiltImage, platform: int, layer: int) -> list[tarfile.TarInfo]:
    built = image.platforms[platform].layers[layer].layer
    raw = b"".join(decompress("zstd", [built.path.read_bytes()]))
    assert Digest.of(raw) == built.diff_id
    with tarfile.open(fileobj=io.BytesIO(raw)) as tar:
        return tar.getmembers()


@pytest.fixture
def world(tmp_path: Path) -> World:
    return make_world(tmp_path)


def test_layers_stand_in_the_order_of_the_design(world: World) -> None:
    image = _build(world)
    names = [layer.name for layer in image.platforms[0].layers]
    assert names == ["base", "python", "contract", "tiny-alpha", "tiny-rest"]


def test_every_layer_carries_all_its_parents_and_no_path_twice(world: World) -> None:
    image = _build(world)
    for number in range(5):
        members = _members(image, 0, number)
        seen: set[str] = set()
        for member in members:
            parent = member.name.rpartition("/")[0]
            assert not parent or parent in seen
            assert member.name not in seen
            seen.add(member.name)


def test_directories_have_one_mode_in_all_layers(world: World) -> None:
    image = _build(world)
    modes: dict[str, set[tuple[int, int]]] = {}
    for number in range(5):
        for member in _members(image, 0, number):
            if member.isdir():
                modes.setdefault(member.name, set()).add((member.mode, member.uid))
    assert {len(found) for found in modes.values()} == {1}
    assert modes["home/airflow"] == {(0o775, 50000)}
    assert modes["tmp"] == {(0o1777, 0)}


def test_bytecode_is_in_the_layers_of_python_and_of_distributions(world: World) -> None:
    image = _build(world)
    assert "usr/lib/python3.13/__pycache__/os.cpython-313.pyc" in {m.name for m in _members(image, 0, 1)}
    site = "home/airflow/.local/lib/python3.13/site-packages"
    assert f"{site}/alpha/__pycache__/__init__.cpython-313.pyc" in {m.name for m in _members(image, 0, 3)}


def test_pure_layers_are_shared_between_platforms(world: World) -> None:
    amd64, arm64 = (platform.layers for platform in _build(world).platforms)
    same = [one.layer.digest == other.layer.digest for one, other in zip(amd64, arm64, strict=True)]
    assert same == [False, True, True, True, False]


def test_the_image_is_the_same_without_cache_and_with_other_threads(world: World, tmp_path: Path) -> None:
    first = _build(world)
    again = _build(world, artefacts=DirectoryArtefactStore(tmp_path / "other", durable=False), threads=5)
    assert first.index == again.index


def test_the_config_is_the_same_for_both_compressions(world: World) -> None:
    gzip = replace(world, stack=replace(world.stack, compression="gzip"))
    assert [p.config for p in _build(world).platforms] == [p.config for p in _build(gzip).platforms]


def test_a_bump_changes_one_layer(world: World) -> None:
    before = [layer.layer.digest for layer in _build(world).platforms[0].layers]
    after = [layer.layer.digest for layer in _build(bump(world)).platforms[0].layers]
    assert [one == other for one, other in zip(before, after, strict=True)] == [True, True, True, False, True]


def test_damaged_segments_are_made_again(world: World, tmp_path: Path) -> None:
    first = _build(world)
    root = tmp_path / "cache" / "artefacts"
    for path in sorted((root / "segment").rglob("*")):
        if path.is_file():
            data = bytearray(path.read_bytes())
            data[-1] ^= 1
            path.chmod(0o644)
            path.write_bytes(data)
    for path in [*(root / "layer").rglob("*"), *(root / "layer-record").rglob("*")]:
        if path.is_file():
            path.unlink()
    assert _build(world).index == first.index


def test_the_layout_is_valid_and_equal_however_it_was_written(world: World, tmp_path: Path) -> None:
    blobs = image_blobs(_build(world))
    write_layout(tmp_path / "one", image_blobs(_build(bump(world))))
    write_layout(tmp_path / "one", blobs)
    write_layout(tmp_path / "two", blobs)
    image = validate_layout(FolderLayout(tmp_path / "one"), decompress)
    assert [platform.platform for platform in image.platforms] == list(PLATFORMS)
    assert _tree(tmp_path / "one") == _tree(tmp_path / "two")


def _tree(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_damaged_blob_of_a_layout_is_named(world: World, tmp_path: Path) -> None:
    blobs = image_blobs(_build(world))
    write_layout(tmp_path / "out", blobs)
    victim = tmp_path / "out" / "blobs" / "sha256" / blobs.layers[0].digest.hex
    data = bytearray(victim.read_bytes())
    data[3] ^= 1
    victim.unlink()
    victim.write_bytes(data)
    with pytest.raises(IssuesError, match=victim.name):
        validate_layout(FolderLayout(tmp_path / "out"), decompress)


def test_a_project_without_a_layer_is_refused(world: World) -> None:
    partial = replace(world, stack=replace(world.stack, plan=world.stack.plan[:1]))
    with pytest.raises(PlanError, match="does not place beta, gamma"):
        _build(partial)


def test_a_platform_without_a_layer_s_projects_leaves_the_layer_out(world: World) -> None:
    alpha = replace(world.stack.candidates[0], wheels={"linux/amd64": world.stack.candidates[0].wheels["linux/amd64"]})
    only = replace(world, stack=replace(world.stack, candidates=(alpha, *world.stack.candidates[1:])))
    counts = [len(platform.layers) for platform in _build(only).platforms]
    assert counts == [5, 4]


def test_what_a_killed_build_left_in_a_layout_goes_away(tmp_path: Path) -> None:
    blobs = image_blobs(_build(make_world(tmp_path / "world")))
    write_layout(tmp_path / "one", blobs)
    (tmp_path / "one" / ".new-abc").write_bytes(b"half")
    (tmp_path / "one" / "blobs" / "sha256" / ".new-def").write_bytes(b"half")
    write_layout(tmp_path / "one", blobs)
    write_layout(tmp_path / "two", blobs)
    one, two = ({path.relative_to(top) for path in top.rglob("*")} for top in (tmp_path / "one", tmp_path / "two"))
    assert one == two


@pytest.mark.skipif(not Path("/dev/shm").is_dir(), reason="no second file system at /dev/shm")  # noqa: S108
def test_an_output_may_lie_on_another_file_system(tmp_path: Path) -> None:
    blobs = image_blobs(_build(make_world(tmp_path / "world")))
    write_layout(tmp_path / "one", blobs)
    with tempfile.TemporaryDirectory(dir="/dev/shm") as elsewhere:
        write_layout(Path(elsewhere) / "two", blobs)
        for path in (tmp_path / "one").rglob("*"):
            other = Path(elsewhere) / "two" / path.relative_to(tmp_path / "one")
            assert path.is_dir() or path.read_bytes() == other.read_bytes()


@pytest.mark.parametrize(
    "index", [b'{"manifests":[{"annotations":{"org.opencontainers.image.ref.name":"other"}}]}', b"{"]
)
def test_a_layout_that_holds_another_image_keeps_it(world: World, tmp_path: Path, index: bytes) -> None:
    blob = tmp_path / "out/blobs/sha256" / ("0" * 64)
    blob.parent.mkdir(parents=True)
    blob.write_bytes(b"theirs")
    (tmp_path / "out/index.json").write_bytes(index)
    with pytest.raises(BuildError, match="holds another image"):
        write_layout(tmp_path / "out", image_blobs(_build(world)))
    assert blob.read_bytes() == b"theirs"
