"""Archives hold what wheels were built of, and these wheels can be built again from there alone."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from builder.archive.model import list_inputs
from builder.digest import Digest
from builder.lock.model import BaseLock, BuiltWheel, LockedDeb, LockedFile
from builder.platform import AMD64
from builder.usecase.build_sdist import build_wheel
from tests.support.archives import Setting, wheel_room
from tests.support.bases import make_base
from tests.support.made_up import add_deb, make_world
from tests.support.registries import SmallRegistry
from tests.support.registry_images import close_clients
from tests.support.sdists import make_sdist
from tests.support.stack_locks import make_candidate, make_file, make_lock


@pytest.fixture
def setting(tmp_path: Path) -> Iterator[Setting]:
    with SmallRegistry() as small:
        yield Setting(small, make_world(tmp_path))
        close_clients()


def test_an_archive_holds_what_wheels_were_built_of() -> None:
    record = BuiltWheel(
        sdist=make_file("alpha-1.0.tar.gz"),
        requires=(("tool", "1", make_file("tool-1-py3-none-any.whl")),),
        compilers=Digest.of(b"compilers"),
    )
    compiled, plain = make_candidate(built=record), make_candidate(built=replace(record, compilers=None))
    base = make_base_lock(compilers=("gcc",))
    named = {file.name for file in list_inputs(make_lock(compiled), base, ())}
    assert named >= {"sdists/alpha-1.0.tar.gz", "wheels/tool-1-py3-none-any.whl", "debs/gcc.deb"}
    assert "debs/gcc.deb" not in {file.name for file in list_inputs(make_lock(plain), base, ())}


def make_base_lock(compilers: tuple[str, ...]) -> BaseLock:
    debs = tuple(
        LockedDeb(
            package=name,
            version="1",
            architecture="amd64",
            source=name,
            suite="trixie",
            pool_path=f"pool/{name}.deb",
            file=make_file(f"{name}.deb"),
            platforms=(AMD64,),
        )
        for name in compilers
    )
    return BaseLock(
        name="trixie",
        inputs=Digest.of(b"base"),
        release="trixie",
        python_version="3.13.5",
        glibc="2.41",
        created=0,
        releases=(),
        debs=(),
        base=make_base(),
        compilers=debs,
    )


@pytest.mark.parametrize(("text", "same"), [("x = 1\n", True), ("x = 2\n", False)])
def test_wheels_that_came_from_sdists_are_built_again_and_compared(setting: Setting, text: str, same: bool) -> None:  # noqa: FBT001
    world = setting.world
    data = make_sdist({"setup.py": b"pass\n"})
    sdist = LockedFile(name="demo-1.0.tar.gz", size=len(data), sha256=world.files.add(data))
    record = BuiltWheel(sdist=sdist, requires=())
    python = add_deb(world.files, "python3.13-minimal", {"usr/bin/python3.13": b"\x7fELF"}, None)
    base = replace(world.base, debs=(*world.base.debs, python))
    room = wheel_room(world.files, world.root / "first", "x = 1\n")
    wheel = build_wheel("demo", "1.0", record, base, room).wheel
    demo = make_candidate("demo", "1.0", wheels={one.name: wheel for one in world.stack.platforms}, built=record)
    (*plan, last) = world.stack.plan
    projects = tuple(sorted((*last.projects, "demo")))
    stack = replace(
        world.stack,
        candidates=tuple(sorted((*world.stack.candidates, demo), key=lambda one: one.project)),
        plan=(*plan, replace(last, projects=projects)),
    )
    image = setting.push(replace(world, base=base, stack=stack))
    setting.archive(image)
    report = setting.rebuild(image, built_as=text)
    assert report.index_digest == image.root.digest
    assert report.wheels == (wheel.name,)
    assert [one.where for one in report.differences] == ([] if same else [f"wheel {wheel.name}"])
    assert setting.rebuild(image).wheels == ()
