from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from builder.digest import Digest
from builder.lock.model import BaseLock, BuiltWheel, LockedCandidate, LockedDeb, LockedFile, StackLock
from builder.platform import AMD64, ARM64, Platform
from builder.resolve.simple import Places
from builder.stack.model import Base
from builder.store.download import Failure, Wanted
from builder.store.files import DirectoryFileStore
from builder.store.model import Progress
from builder.store.transport import Transport
from builder.usecase.fetch import FetchIncompleteError, FetchReport, FetchScope, GoneError, Sources, fetch, wanted_debs

ZERO = Digest("0" * 64)


def locked(name: str) -> LockedFile:
    return LockedFile(name=name, size=len(name), sha256=Digest.of(name.encode()))


def deb(name: str, *platforms: Platform) -> LockedDeb:
    return LockedDeb(
        package=name,
        version="1",
        architecture="all",
        source=name,
        suite="trixie",
        pool_path=f"pool/{name}.deb",
        file=locked(f"{name}.deb"),
        platforms=platforms or (AMD64, ARM64),
    )


def candidate(project: str, wheels: Mapping[str, LockedFile]) -> LockedCandidate:
    return LockedCandidate(
        project=project, version="1", wheels=wheels, dependencies=(), wanted_by=("stack:s",), upload_time=None
    )


PURE = locked("pure-1-py3-none-any.whl")
NATIVE_AMD64, NATIVE_ARM64 = locked("native-1-x86_64.whl"), locked("native-1-aarch64.whl")
BASE = BaseLock(
    name="trixie",
    inputs=ZERO,
    release="trixie",
    python_version="3.13.5",
    glibc="2.41",
    created=0,
    releases=(),
    debs=(deb("libc6-amd64", AMD64), deb("libc6-arm64", ARM64), deb("tzdata")),
    base=Base(
        name="trixie",
        description="",
        release="trixie",
        suites=("trixie",),
        components=("main",),
        python="3.13",
        platforms=(AMD64, ARM64),
        roots=(),
        cuts=(),
        files=(),
    ),
)
LOCK = StackLock(
    stack="s",
    description="",
    parents=(),
    inputs=ZERO,
    airflow_version="3.3.2",
    python_version="3.13.5",
    base="trixie",
    base_lock=ZERO,
    parent_lock=None,
    constraints=None,
    resolver="uv",
    created=0,
    platforms=(AMD64, ARM64),
    compression="zstd",
    candidates=(
        candidate("native", {AMD64.name: NATIVE_AMD64, ARM64.name: NATIVE_ARM64}),
        candidate("pure", {AMD64.name: PURE, ARM64.name: PURE}),
    ),
    plan=(),
)
SCOPE = FetchScope(locks=((LOCK, BASE),))


class World:
    """Places that hold files by address, and a record of what was asked of them."""

    def __init__(self, store: DirectoryFileStore, folder: Path) -> None:
        self.store = store
        self.folder = folder
        self.remembered: dict[Digest, tuple[str, ...]] = {}
        self.absent: set[str] = set()
        self.asked: list[str] = []
        self.looked_for: list[str] = []
        self.opened = 0
        self.issues: tuple[str, ...] = ()

    def run(self, scope: FetchScope = SCOPE) -> FetchReport:
        sources = Sources(
            deb_urls=lambda deb: (f"mirror/{deb.file.name}", f"archive/{deb.file.name}"),
            remembered=lambda digest: self.remembered.get(digest, ()),
            find=self._find,
        )
        return fetch(scope, self.store, sources, self._open, self.folder, progress=_silent, get=self._get)

    @contextmanager
    def _open(self) -> Iterator[Transport]:
        self.opened += 1
        yield None  # type: ignore[misc]  # nothing asks it: `get` and `find` are ours

    def _find(self, wanted: Mapping[str, Sequence[LockedFile]], _: Transport) -> Places:
        self.looked_for += sorted(file.name for files in wanted.values() for file in files)
        urls = {file.sha256: (f"index/{file.name}",) for files in wanted.values() for file in files}
        return Places(urls={} if self.issues else urls, issues=self.issues)

    def _get(self, items: Sequence[Wanted], _: Transport, tell: Progress) -> tuple[Failure, ...]:
        failures = []
        for item in items:
            self.asked += item.urls
            if all(url in self.absent for url in item.urls):
                gone = bool(item.urls)
                failures.append(Failure(file=item.file, reasons=tuple(f"{u}: HTTP 404" for u in item.urls), gone=gone))
                continue
            self.store.add(item.file.name.encode())
            tell(item.file.size)
        return tuple(failures)


@contextmanager
def _silent(_: int) -> Iterator[Progress]:
    yield lambda _: None


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(DirectoryFileStore(tmp_path / "cache"), tmp_path / "files")


def test_all_files_of_all_platforms_arrive_and_wheels_get_names(world: World) -> None:
    report = world.run()
    assert (report.files, report.fetched, report.linked) == (6, 6, 3)
    assert (world.folder / PURE.sha256.hex / PURE.name).read_bytes() == PURE.name.encode()
    assert not list(world.folder.glob("*/*.deb"))


def test_what_is_present_is_asked_for_nowhere(world: World) -> None:
    world.run()
    before = list(world.asked)
    report = world.run()
    assert report.fetched == 0
    assert world.asked == before
    assert world.opened == 1


def test_one_platform_brings_its_own_files_only(world: World) -> None:
    world.run(replace(SCOPE, platforms=(AMD64,)))
    assert not any("arm64" in url or "aarch64" in url for url in world.asked)
    assert world.run(replace(SCOPE, platforms=(AMD64,))).files == 4


def test_debs_of_this_machine_come_along_for_its_interpreter(world: World) -> None:
    world.run(replace(SCOPE, platforms=(ARM64,), host=AMD64))
    assert "mirror/libc6-amd64.deb" in world.asked
    assert f"index/{NATIVE_AMD64.name}" not in world.asked


def test_remembered_places_serve_before_any_index_is_asked(world: World) -> None:
    files = (PURE, NATIVE_AMD64, NATIVE_ARM64)
    world.remembered = {file.sha256: (f"seen/{file.name}",) for file in files}
    world.absent = {f"seen/{NATIVE_ARM64.name}"}
    world.run()
    assert world.looked_for == [NATIVE_ARM64.name]
    assert world.store.holds(NATIVE_ARM64)


def test_deb_gone_everywhere_names_the_base_to_lock_again(world: World) -> None:
    world.absent = {"mirror/tzdata.deb", "archive/tzdata.deb"}
    with pytest.raises(GoneError) as caught:
        world.run()
    assert "tzdata.deb" in str(caught.value)
    assert "`airflow-kubler lock --base trixie`, then `airflow-kubler lock`" in str(caught.value)
    assert caught.value.as_json() == {"gone": ["tzdata.deb"], "bases": ["trixie"], "base": "trixie", "failed": []}
    assert caught.value.exit_code == 4
    assert world.store.holds(PURE), "what can be had is kept"


def test_other_failures_are_collected_and_are_no_gone_debs(world: World) -> None:
    world.absent = {"mirror/tzdata.deb", "archive/tzdata.deb", f"index/{PURE.name}"}
    with pytest.raises(FetchIncompleteError, match="2 locked files cannot be had") as caught:
        world.run()
    assert not isinstance(caught.value, GoneError)
    assert caught.value.as_json()["failed"] == [PURE.name]


def test_wheel_that_no_index_lists_is_told_from_an_index_that_fails(world: World) -> None:
    world.issues = ("https://index.example/simple/pure/: HTTP 503",)
    world.absent = {""}
    with pytest.raises(FetchIncompleteError, match="HTTP 503"):
        world.run()


def test_own_files_of_a_stack_are_kept(world: World) -> None:
    own = locked("dags/x.py")
    scope = replace(
        SCOPE, locks=((replace(LOCK, files=(("opt/airflow/x.py", own),)), BASE),), own_files={own.sha256: b"dags/x.py"}
    )
    assert world.run(scope).files == 7
    assert world.store.read(own) == b"dags/x.py"


def test_what_wheels_were_built_of_comes_on_demand_alone(world: World) -> None:
    tool, sdist = locked("tool-1-py3-none-any.whl"), locked("pure-1.tar.gz")
    record = BuiltWheel(sdist=sdist, requires=(("tool", "1", tool),), compilers=ZERO)
    built = replace(candidate("pure", {AMD64.name: PURE}), built=record)
    base = replace(BASE, compilers=(deb("gcc"),))
    scope = FetchScope(locks=((replace(LOCK, candidates=(built,)), base),))
    assert world.run(scope).files == 4
    assert not [url for url in world.asked if "gcc" in url or "tool" in url or "tar.gz" in url]
    report = world.run(replace(scope, sources=True))
    assert (report.files, report.fetched, report.linked) == (7, 3, 1)
    assert {sdist.name, tool.name} <= set(world.looked_for)
    assert all(world.store.holds(file) for file in (sdist, tool, base.compilers[0].file))
    pure = replace(LOCK, candidates=(replace(built, built=replace(record, compilers=None)),))
    assert base.compilers[0].file not in wanted_debs(replace(scope, locks=((pure, base),), sources=True))
