"""Keys of segments: what decides about bytes is in them, the platform is not. Ownership of paths. Parts of layers."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from builder.entry import Entry, file_entry
from builder.errors import IssuesError
from builder.image.compress import ZstdCompressor
from builder.image.ownership import check_ownership
from builder.image.parts import plan_parts
from builder.image.segment import Segment, make_segment
from builder.image.sources import DebSource, EntriesSource, FilesSource, Source, WheelSource, read_source, source_key
from builder.lock.model import LockedFile
from builder.platform import AMD64, ARM64
from builder.store.artefacts import DirectoryArtefactStore
from builder.store.files import DirectoryFileStore
from builder.wheel.refusal import WheelRefusedError
from tests.support.made_up import World, make_world
from tests.support.wheels import WheelParts


@pytest.fixture
def world(tmp_path: Path) -> World:
    return make_world(tmp_path)


def _wheel(world: World, project: str = "alpha", platform: str = "linux/amd64") -> WheelSource:
    candidate = next(found for found in world.stack.candidates if found.project == project)
    return WheelSource(project=project, version=candidate.version, wheel=candidate.wheels[platform])


def test_a_pure_wheel_has_one_key_for_all_platforms(world: World) -> None:
    intake = world.assembly().intake
    assert source_key(_wheel(world), intake) == source_key(_wheel(world, platform="linux/arm64"), intake)
    native = [source_key(_wheel(world, "gamma", name), intake) for name in ("linux/amd64", "linux/arm64")]
    assert native[0] != native[1]


@pytest.mark.parametrize("change", [{"interpreter": "other"}, {"python": "3.14"}, {"compressor": "zstd-4"}])
def test_what_decides_about_a_wheel_s_bytes_is_in_its_key(world: World, change: dict[str, str]) -> None:
    intake = world.assembly().intake
    other = replace(intake, **change)  # type: ignore[arg-type]
    assert source_key(_wheel(world), intake) != source_key(_wheel(world), other)


def test_a_base_s_exclusions_decide_about_debs_alone(world: World) -> None:
    intake = world.assembly().intake
    other = replace(intake, base=replace(intake.base, exclude=("usr/share/man/*",)))
    deb = DebSource(deb=world.base.debs[0])
    assert source_key(deb, intake) != source_key(deb, other)
    assert source_key(_wheel(world), intake) == source_key(_wheel(world), other)


def test_the_interpreter_decides_about_debs_with_bytecode_alone(world: World) -> None:
    intake = world.assembly().intake
    other = replace(intake, interpreter="other")
    plain, compiled = (DebSource(deb=world.base.debs[0], bytecode=flag) for flag in (False, True))
    assert source_key(plain, intake) == source_key(plain, other)
    assert source_key(compiled, intake) != source_key(compiled, other)


def test_files_of_the_stack_become_entries(world: World) -> None:
    data = b"max_active_runs: 3\n"
    locked = LockedFile(name="pools.yaml", size=len(data), sha256=world.files.add(data))
    source = FilesSource(files=(("opt/airflow/config/pools.yaml", locked),))
    assert read_source(source, world.assembly().intake) == (file_entry("opt/airflow/config/pools.yaml", data),)


def test_files_of_the_stack_are_the_last_layer(world: World) -> None:
    data = b"x"
    locked = LockedFile(name="x", size=1, sha256=world.files.add(data))
    parts = plan_parts(replace(world.stack, files=(("opt/x", locked),)), world.base, AMD64)
    assert [part.name for part in parts][-2:] == ["tiny-rest", "files"]


def test_debs_are_split_by_platform_and_python(world: World) -> None:
    for platform in (AMD64, ARM64):
        base, python, *_ = plan_parts(world.stack, world.base, platform)
        assert [source.name for source in base.sources] == ["base-files=1.0-1", "libtiny=1.0-1"]
        assert [source.name for source in python.sources] == ["libpython3.13-stdlib=1.0-1"]


def _owned(tmp_path: Path, **contents: tuple[Entry, ...]) -> list[tuple[Source, Segment]]:
    store = DirectoryArtefactStore(tmp_path / "owned", durable=False)
    return [
        (
            EntriesSource(name=name, entries=entries),
            make_segment(name.encode().hex(), entries, ZstdCompressor(), store),
        )
        for name, entries in contents.items()
    ]


def test_a_path_of_two_inputs_is_refused_with_both_names(tmp_path: Path) -> None:
    owned = _owned(tmp_path, one=(file_entry("etc/x", b""),), two=(file_entry("etc/x", b""),))
    with pytest.raises(IssuesError) as caught:
        check_ownership(owned)
    assert str(caught.value) == "etc/x: is written by one and by two"


def test_a_folder_that_is_a_file_elsewhere_is_refused(tmp_path: Path) -> None:
    owned = _owned(tmp_path, one=(file_entry("lib", b""),), two=(file_entry("lib/x", b""),))
    with pytest.raises(IssuesError) as caught:
        check_ownership(owned)
    assert str(caught.value) == "lib: is a folder of two and no folder in one"


def test_folders_may_be_shared(tmp_path: Path) -> None:
    check_ownership(_owned(tmp_path, one=(file_entry("etc/x", b""),), two=(file_entry("etc/y", b""),)))


def test_a_wheel_s_own_metadata_is_asked_whether_it_is_for_the_base_s_python(world: World, tmp_path: Path) -> None:
    parts = WheelParts(
        name="demo", metadata=b"Metadata-Version: 2.1\nName: demo\nVersion: 1.0\nRequires-Python: <3.13\n"
    )
    data = parts.pack()
    intake = world.assembly().intake
    store = DirectoryFileStore(tmp_path / "others")
    wheel = LockedFile(name=parts.file_name, size=len(data), sha256=store.add(data))
    source = WheelSource(project="demo", version="1.0", wheel=wheel)
    with pytest.raises(WheelRefusedError, match="Requires-Python"):
        read_source(source, replace(intake, files=store, python_version="3.13.5"))
