"""How wheels are built of sdists: once, by what the lock before says, and never taken where they come out otherwise."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from builder.digest import Digest
from builder.errors import BuildError
from builder.lock.model import BaseLock, BuiltWheel, LockedCandidate, LockedDeb, LockedFile
from builder.platform import AMD64
from builder.sdist.cell import CellAnswer, CellTask
from builder.sdist.errors import Kind, SdistError
from builder.snapshot.model import OfferedFile
from builder.store.artefacts import DirectoryArtefactStore
from builder.store.files import DirectoryFileStore
from builder.usecase.build_sdist import Asking, BuildRoom, SdistBuilder, rebuild
from tests.support.bases import make_base
from tests.support.debs import Item, make_deb
from tests.support.sdists import make_sdist
from tests.support.wheels import WheelParts

SDIST = make_sdist({"setup.py": b"pass\n"})
OFFERED = OfferedFile(name="demo-1.0.tar.gz", url="https://index.example/demo-1.0.tar.gz")
TOOL = WheelParts().pack()
TOOL_FILE = LockedFile(name=WheelParts().file_name, size=len(TOOL), sha256=Digest.of(TOOL))


def make_wheel(text: str) -> bytes:
    sink = io.BytesIO()
    with zipfile.ZipFile(sink, "w") as archive:
        archive.writestr("demo.py", text)
        archive.writestr("demo-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: demo\nVersion: 1.0\n")
        archive.writestr("demo-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
    return sink.getvalue()


@dataclass
class World:
    """A room whose backend answers at once, and an index that offers one tool."""

    folder: Path
    text: str = "x = 1"
    hooks: list[str] = field(default_factory=list)
    asked: list[tuple[str, ...]] = field(default_factory=list)
    more: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.files = DirectoryFileStore(self.folder)
        data = make_deb(
            [Item(name="./usr/bin/python3.13", mode=0o755)],
            control="Package: python3.13-minimal\nVersion: 3.13.5-2\nArchitecture: amd64\nDescription: x\n",
        )
        deb = LockedDeb(
            package="python3.13-minimal",
            version="3.13.5-2",
            architecture="amd64",
            source="python3.13",
            suite="trixie",
            pool_path="pool/p.deb",
            file=LockedFile(name="p.deb", size=len(data), sha256=self.files.add(data)),
            platforms=(AMD64,),
        )
        self.base = BaseLock(
            name="made-up",
            inputs=Digest.of(b""),
            release="trixie",
            python_version="3.13.5",
            glibc="2.41",
            created=0,
            releases=(),
            debs=(deb,),
            base=make_base(),
        )

    def run(self, task: CellTask) -> CellAnswer:
        hook = task.request["hook"]
        self.hooks.append(hook)
        answer = {"requires": self.more} if hook == "requires" else {"name": "demo-1.0-py3-none-any.whl"}
        body = b"" if hook == "requires" else make_wheel(self.text)
        return CellAnswer(status=0, timed_out=False, output="", result=json.dumps(answer).encode() + b"\n" + body)

    def measure(self, wheels: Sequence[OfferedFile]) -> tuple[LockedFile, ...]:
        data = {OFFERED.name: SDIST, TOOL_FILE.name: TOOL}
        return tuple(
            LockedFile(name=file.name, size=len(data[file.name]), sha256=self.files.add(data[file.name]))
            for file in wheels
        )

    def choose(self, requirements: Sequence[str], sdist: str) -> Sequence[tuple[str, str, OfferedFile]]:
        assert sdist == OFFERED.name
        self.asked.append(tuple(requirements))
        return [("demo", "1.0", OfferedFile(name=TOOL_FILE.name, url="https://index.example/tool"))]

    def room(self) -> BuildRoom:
        def obtain(files: Mapping[LockedFile, str], debs: Sequence[LockedDeb]) -> None:
            assert all(self.files.holds(file) for file in (*files, *(deb.file for deb in debs)))

        return BuildRoom(
            files=self.files,
            artefacts=DirectoryArtefactStore(self.folder, durable=False),
            runner=self,
            platform=AMD64,
            obtain=obtain,
        )

    def builder(self, known: Sequence[BuiltWheel] = ()) -> SdistBuilder:
        asking = Asking(probe=self, remember=lambda _: None, choose=self.choose)
        return SdistBuilder(self.base, self.room(), asking, known)


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def test_a_wheel_is_built_twice_with_what_it_needs_and_recorded(world: World) -> None:
    built = world.builder().build("demo", "1.0", OFFERED)
    assert (world.hooks, world.asked) == (["requires", "wheel", "wheel"], [("setuptools>=40.8.0",)])
    assert built.metadata.startswith(b"Metadata-Version")
    assert built.record.requires == (("demo", "1.0", TOOL_FILE),)
    assert Digest.of(world.files.read(built.wheel)) == built.wheel.sha256


def test_it_is_never_built_again(world: World) -> None:
    first = world.builder().build("demo", "1.0", OFFERED)
    assert world.builder().build("demo", "1.0", OFFERED) == first
    assert len(world.hooks) == 3


def test_what_the_backend_asks_for_is_resolved_with_the_rest(world: World) -> None:
    world.more = ["cogapp"]
    world.builder().build("demo", "1.0", OFFERED)
    assert world.asked == [("setuptools>=40.8.0",), ("setuptools>=40.8.0", "cogapp")]


def test_requirements_of_the_lock_before_are_kept_without_asking(world: World) -> None:
    world.measure([OFFERED, OfferedFile(name=TOOL_FILE.name, url="")])
    sdist = LockedFile(name=OFFERED.name, size=len(SDIST), sha256=Digest.of(SDIST))
    known = BuiltWheel(sdist=sdist, requires=(("demo", "1.0", TOOL_FILE),))
    assert world.builder([known]).build("demo", "1.0", OFFERED).record == known
    assert (world.hooks, world.asked) == (["wheel", "wheel"], [])


def test_a_wheel_that_comes_out_otherwise_than_locked_is_an_error(world: World, tmp_path: Path) -> None:
    built = world.builder().build("demo", "1.0", OFFERED)
    candidate = LockedCandidate(
        project="demo",
        version="1.0",
        wheels={"linux/amd64": built.wheel},
        dependencies=(),
        wanted_by=(),
        upload_time=None,
        built=built.record,
    )
    rebuild(candidate, world.base, world.room())
    world.text = "x = 2"
    fresh = replace(world.room(), artefacts=DirectoryArtefactStore(tmp_path / "other", durable=False))
    with pytest.raises(SdistError, match=r"the lock says sha256:") as refused:
        rebuild(candidate, world.base, fresh)
    assert refused.value.kind is Kind.NOT_REPRODUCIBLE


def test_a_wheel_of_another_version_is_refused(world: World) -> None:
    with pytest.raises(SdistError, match=r"not of demo 2\.0"):
        world.builder().build("demo", "2.0", OFFERED)


def test_a_base_that_is_not_for_this_machine_says_so(world: World) -> None:
    world.base = replace(world.base, debs=(replace(world.base.debs[0], platforms=()),))
    with pytest.raises(BuildError, match="not locked for linux/amd64"):
        world.builder().build("demo", "1.0", OFFERED)
