"""Build, verify and inspect, on a made-up project."""

from __future__ import annotations

import json
import os
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from builder.digest import Digest
from builder.errors import (
    BuildError,
    InvalidInputError,
    LockInvalidError,
    LockStaleError,
    MissingBlobError,
    VerifyError,
)
from builder.lock.pylock import dump_stack_lock
from builder.platform import AMD64, ARM64
from builder.store.artefacts import DirectoryArtefactStore
from builder.store.model import Progress
from builder.usecase.build import BuildRequest, BuildTools, build, load_locks
from builder.usecase.inspect import find_owners, inspect_layout, view_to_json
from builder.usecase.verify import verify_digest, verify_layout
from tests.support.made_up import World, bump, make_world, write_locks
from tests.support.stack_locks import make_candidate as locked_candidate
from tests.support.stack_locks import make_lock


@pytest.fixture
def world(tmp_path: Path) -> World:
    world = make_world(tmp_path)
    write_locks(world, tmp_path / "locks")
    return world


def _tools(world: World, cache: Path | None = None) -> BuildTools:
    artefacts = DirectoryArtefactStore(cache, durable=False) if cache else world.artefacts
    return BuildTools(files=world.files, artefacts=artefacts, compilers=world.compilers, jobs=2)


def _request(world: World, **changes: Any) -> BuildRequest:
    request = BuildRequest(stack="tiny", locks=world.root / "locks", output=world.root / "out")
    return replace(request, **changes)


def _tree(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_the_summary_names_what_was_written(world: World) -> None:
    summary = build(_request(world), _tools(world))
    assert list(summary) == ["stack", "index_digest", "platforms"]
    assert list(summary["platforms"]) == ["linux/amd64", "linux/arm64"]
    image = summary["platforms"]["linux/amd64"]
    assert list(image) == ["manifest_digest", "config_digest", "layers"]
    assert [layer["distributions"] for layer in image["layers"]][3:] == [["alpha==1.0"], ["beta==2.0", "gamma==3.0"]]
    named = json.loads((world.root / "out" / "index.json").read_bytes())["manifests"][0]["digest"]
    assert named == summary["index_digest"]
    for layer in image["layers"]:
        blob = (world.root / "out" / "blobs" / "sha256" / layer["digest"].partition(":")[2]).read_bytes()
        assert (len(blob), str(Digest.of(blob))) == (layer["size_bytes"], layer["digest"])


def test_a_build_done_before_reads_no_input_again(world: World) -> None:
    first = build(_request(world), _tools(world))
    for path in (world.root / "store").rglob("*"):
        if path.is_file():
            path.unlink()
    assert build(_request(world), _tools(world)) == first
    assert world.compilers.opened == 1


def test_a_layout_that_lost_a_blob_is_completed(world: World) -> None:
    build(_request(world), _tools(world))
    before = _tree(world.root / "out")
    for path in sorted((world.root / "out" / "blobs" / "sha256").iterdir())[:4]:
        path.unlink()
    build(_request(world), _tools(world))
    assert _tree(world.root / "out") == before


def test_a_damaged_layer_of_the_cache_is_made_again(world: World) -> None:
    first = build(_request(world), _tools(world))
    for path in (world.root / "cache" / "artefacts" / "layer").rglob("*"):
        if path.is_file():
            data = path.read_bytes()
            path.unlink()
            path.write_bytes(bytes(len(data)))
    second = build(_request(world, output=world.root / "second"), _tools(world))
    assert second == first


def test_another_version_replaces_the_layout_and_leaves_nothing(world: World) -> None:
    build(_request(world), _tools(world))
    write_locks(bump(world), world.root / "locks")
    build(_request(world), _tools(world))
    build(_request(world, output=world.root / "fresh"), _tools(world))
    assert _tree(world.root / "out") == _tree(world.root / "fresh")


def test_one_platform_of_two(world: World) -> None:
    summary = build(_request(world, platforms=(ARM64,)), _tools(world))
    assert list(summary["platforms"]) == ["linux/arm64"]


def test_a_platform_that_the_lock_has_not_is_refused(world: World) -> None:
    write_locks(replace(world, stack=replace(world.stack, platforms=(ARM64,))), world.root / "locks")
    with pytest.raises(InvalidInputError, match="the lock is not for linux/amd64"):
        build(_request(world, platforms=(AMD64,)), _tools(world))


def test_locks_that_do_not_belong_together_are_refused(world: World) -> None:
    path = world.root / "locks" / "base.tiny.toml"
    path.write_bytes(path.read_bytes() + b"\n")
    with pytest.raises(LockStaleError) as caught:
        build(_request(world), _tools(world))
    assert caught.value.hint == "airflow-kubler lock tiny"


def test_a_base_lock_changed_after_the_build_is_noticed(world: World) -> None:
    build(_request(world), _tools(world))
    path = world.root / "locks" / "base.tiny.toml"
    path.write_bytes(path.read_bytes() + b"\n")
    with pytest.raises(LockStaleError):
        build(_request(world), _tools(world))


def write_family(world: World, *, sdk: str, of: bytes | None = None) -> Path:
    """Write a parent's lock and a child's with this task SDK, made from the parent's bytes or from others."""
    parts = (locked_candidate("apache-airflow-task-sdk", "1.3.2"), locked_candidate("apache-airflow-task-sdk", sdk))
    parent = dump_stack_lock(make_lock(parts[0], stack="core"))
    folder = write_locks(world, world.root / "locks")
    (folder / "pylock.core.toml").write_bytes(parent)
    base = Digest.of((folder / "base.tiny.toml").read_bytes())
    child = make_lock(
        parts[1], base="tiny", base_lock=base, parents=("core",), parent_lock=Digest.of(parent if of is None else of)
    )
    (folder / "pylock.etl.toml").write_bytes(dump_stack_lock(child))
    return folder


def test_a_lock_whose_airflow_moved_against_its_parent_is_not_built(world: World) -> None:
    with pytest.raises(LockInvalidError) as caught:
        load_locks(write_family(world, sdk="1.3.3"), "etl")
    assert str(caught.value).startswith(
        "locks/pylock.etl.toml: apache-airflow-task-sdk is 1.3.3, while parent core has 1.3.2\n"
    )


def test_a_parent_locked_again_since_does_not_stop_a_build(world: World) -> None:
    assert load_locks(write_family(world, sdk="1.3.3", of=b"before"), "etl").stack.stack == "etl"


def test_a_missing_lock_says_how_to_make_it(world: World) -> None:
    with pytest.raises(LockInvalidError) as caught:
        build(_request(world, stack="none"), _tools(world))
    assert caught.value.hint == "airflow-kubler lock none"


def test_a_missing_input_is_named(world: World) -> None:
    wheel = world.stack.candidates[0].wheels["linux/amd64"]
    world.files.path(wheel.sha256).unlink()
    with pytest.raises(MissingBlobError, match=r"alpha-1\.0"):
        build(_request(world), _tools(world))


def test_a_folder_with_other_things_is_not_written_into(world: World) -> None:
    (world.root / "out").mkdir()
    (world.root / "out" / "thesis.txt").write_text("my work")
    with pytest.raises(BuildError, match=r"holds thesis\.txt"):
        build(_request(world), _tools(world))
    assert [path.name for path in (world.root / "out").iterdir()] == ["thesis.txt"]


def test_the_archive_is_the_same_twice_and_names_what_docker_loads(world: World) -> None:
    one, two = world.root / "one.tar", world.root / "two.tar"
    summary = build(_request(world, output=one, compression="gzip", platforms=(AMD64,)), _tools(world))
    build(_request(world, output=two, compression="gzip", platforms=(AMD64,)), _tools(world, world.root / "other"))
    assert one.read_bytes() == two.read_bytes()
    with tarfile.open(one) as tar:
        names = tar.getnames()
        stream = tar.extractfile("manifest.json")
        assert stream is not None
        (docker,) = json.load(stream)
    assert set(docker["Layers"]) < set(names)
    image = summary["platforms"]["linux/amd64"]
    assert docker["Config"] == "blobs/sha256/" + image["config_digest"].partition(":")[2]
    assert docker["RepoTags"] == ["airflow-tiny:20261118"]
    assert len(names) == len(set(names))


def test_progress_reaches_the_total(world: World) -> None:
    seen: list[int] = []
    totals: list[int] = []

    @contextmanager
    def watch(total: int) -> Iterator[Progress]:
        totals.append(total)
        yield seen.append

    build(_request(world), replace(_tools(world), watch=watch))
    assert [sum(seen)] == totals


def test_verify_finds_nothing_where_nothing_differs(world: World) -> None:
    summary = build(_request(world), _tools(world))
    report = verify_layout("tiny", world.root / "locks", world.root / "out", _tools(world, world.root / "scratch"))
    assert report.differences == ()
    assert str(report.index_digest) == summary["index_digest"]


def test_verify_names_the_first_differing_file(world: World) -> None:
    build(_request(world), _tools(world))
    write_locks(bump(world), world.root / "locks")
    report = verify_layout("tiny", world.root / "locks", world.root / "out", _tools(world, world.root / "scratch"))
    first = report.differences[0]
    assert first.where == "linux/amd64: layer 3 (tiny-alpha)"
    assert first.path.endswith("site-packages/alpha-1.0.dist-info")
    assert first.what == "is not in what the lock gives"


def test_verify_names_a_damaged_blob(world: World) -> None:
    summary = build(_request(world), _tools(world))
    name = summary["platforms"]["linux/amd64"]["layers"][4]["digest"].partition(":")[2]
    victim = world.root / "out" / "blobs" / "sha256" / name
    data = bytearray(victim.read_bytes())
    data[len(data) // 2] ^= 0x40
    victim.unlink()
    victim.write_bytes(data)
    report = verify_layout("tiny", world.root / "locks", world.root / "out", _tools(world, world.root / "scratch"))
    assert report.differences
    assert "layer 4 (tiny-rest)" in report.differences[0].where or name in str(report.differences[0])


def test_verify_compares_a_digest(world: World) -> None:
    summary = build(_request(world), _tools(world))
    tools = _tools(world, world.root / "scratch")
    assert not verify_digest("tiny", world.root / "locks", Digest.parse(summary["index_digest"]), tools).differences
    assert verify_digest("tiny", world.root / "locks", Digest.of(b""), tools).differences


def test_verify_needs_an_image(world: World) -> None:
    with pytest.raises(BuildError, match="there is no image"):
        verify_layout("tiny", world.root / "locks", world.root / "none", _tools(world))
    with pytest.raises(BuildError, match="there is no image"):
        inspect_layout(world.root / "none")


def test_verify_of_a_layout_of_another_kind_is_a_difference(world: World) -> None:
    (world.root / "other").mkdir()
    (world.root / "other" / "index.json").write_text("{}")
    with pytest.raises(VerifyError, match="holds no image"):
        verify_layout("tiny", world.root / "locks", world.root / "other", _tools(world))


def test_verify_names_a_lock_that_is_not_there_before_an_image(world: World) -> None:
    with pytest.raises(LockInvalidError, match="there is no such lock"):
        verify_layout("nope", world.root / "locks", world.root / "none", _tools(world))


def test_inspect_shows_layers_and_contents(world: World) -> None:
    build(_request(world), _tools(world))
    view = inspect_layout(world.root / "out")
    assert [layer.name for layer in view.platforms[0].layers][-2:] == ["tiny-alpha", "tiny-rest"]
    assert view.platforms[0].layers[4].contents == ("beta==2.0", "gamma==3.0")
    assert list(view_to_json(view)["platforms"]) == ["linux/amd64", "linux/arm64"]


def test_inspect_names_the_owner_of_a_path(world: World) -> None:
    owners = find_owners("/usr/bin/sh", _request(world), _tools(world))
    assert {(owner.platform.name, owner.owner) for owner in owners} == {
        ("linux/amd64", "base-files=1.0-1"),
        ("linux/arm64", "base-files=1.0-1"),
    }
    below = find_owners("home/airflow/.local/lib/python3.13/site-packages/gamma/", _request(world), _tools(world))
    assert {owner.owner for owner in below} == {"gamma==3.0"}
    assert find_owners("/nowhere", _request(world), _tools(world)) == ()


@pytest.mark.skipif(os.geteuid() != 0, reason="needs to set modes that others could not undo")
def test_blobs_are_readable_by_others(world: World) -> None:
    build(_request(world), _tools(world))
    modes = {path.stat().st_mode & 0o444 for path in (world.root / "out").rglob("*") if path.is_file()}
    assert modes == {0o444}
