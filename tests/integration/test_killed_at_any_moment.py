"""Kill -9 at random moments of `lock`, `fetch` and `build`: the next run gives the same bytes.

Twenty moments in all, spread over the time that the undisturbed command takes: one at random in each equal part of it. A
moment depends on the machine; the seed is printed, and `KILL_SEED` sets it.
"""

from __future__ import annotations

import hashlib
import json
import os
import random
import shutil
import socket
import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from builder.digest import Digest
from builder.lock.model import StackLock
from builder.lock.pylock import parse_stack_lock
from builder.store.files import DirectoryFileStore
from builder.store.gc import UNDER_WAY_S, choose_garbage, iter_items, remove_items, verify_files
from tests.support.filled_store import debs_of_base, files_of_stack, link_files
from tests.support.index_server import Index, serve
from tests.support.killing import Killed, run_and_kill, run_whole
from tests.support.made_up import make_wheel
from tests.support.tools import ROOT

pytestmark = [pytest.mark.slow, pytest.mark.network]

LOCK_KILLS, FETCH_KILLS, BUILD_KILLS, CORE_KILLS = 6, 5, 5, 4
SEED = int(os.environ.get("KILL_SEED") or random.SystemRandom().randrange(1_000_000))
BASE = "trixie"
STACK = "tiny"
PLUGINS = tuple(f"plugin{number}" for number in range(24))
WHEEL_BYTES = 1_500_000
STACK_TOML = """\
description = "Made up"
owners = ["team:nobody"]
[airflow]
version = "3.3.2"
constraints = "none"
[base]
name = "trixie"
[plugins]
requirements = [{requirements}]
[image]
platforms = ["linux/amd64", "linux/arm64"]
"""
MOST_LEFT_PER_KILL = 8
"""One file for each of its threads."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A project, a cache and a temporary folder of a test's own."""

    project: Path
    cache: Path
    temporary: Path
    index: str
    moments: random.Random

    @property
    def env(self) -> dict[str, str]:
        """What commands see: no settings of the user's, and the index of this test."""
        return {
            "PATH": os.environ["PATH"],
            "HOME": str(self.temporary.parent),
            "TMPDIR": str(self.temporary),
            "AIRFLOW_KUBLER_CACHE": str(self.cache),
            "UV_DEFAULT_INDEX": self.index,
            "UV_CACHE_DIR": str(self.temporary.parent / "uv"),
        }

    def argv(self, *arguments: str | Path) -> list[str]:
        """Name a command in this project."""
        return [sys.executable, "-m", "builder", "--project", str(self.project), *map(str, arguments)]

    def run(self, *arguments: str | Path) -> str:
        """Run a command to its end, as any user would after a kill."""
        return run_whole(self.argv(*arguments), self.env, ROOT).stdout

    def seconds(self, *arguments: str | Path) -> float:
        """Measure a command."""
        return run_whole(self.argv(*arguments), self.env, ROOT).seconds

    def kill(self, seconds: float, part: tuple[int, int], *arguments: str | Path) -> Killed:
        """Kill a command at a random moment of one part, as the first of three, of the time it takes."""
        number, parts = part
        after_s = (number + self.moments.random()) / parts * seconds
        killed = run_and_kill(self.argv(*arguments), self.env, ROOT, after_s=after_s)
        over = ", was over" if killed.over else ""
        print(f"{arguments[0]} killed after {after_s:.2f} of {seconds:.2f} s{over}")  # noqa: T201  pytest shows it
        return killed

    def ask_for(self, *requirements: str) -> None:
        """Write the stack."""
        path = self.project / "stacks" / STACK / "stack.toml"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(STACK_TOML.format(requirements=", ".join(f'"{text}"' for text in requirements)))

    @property
    def lock(self) -> Path:
        """The stack's lock."""
        return self.project / "locks" / f"pylock.{STACK}.toml"


@pytest.fixture(scope="module")
def index() -> Iterator[Index]:
    """An index whose wheels take a while to have: their content does not compress."""
    made = Index()
    noise = random.Random(1)  # noqa: S311  no secret
    for project in PLUGINS:
        for version in ("1.0", "2.0"):
            content = {
                f"{project}.py": f"VERSION = {version!r}\n".encode(),
                f"{project}.bin": noise.randbytes(WHEEL_BYTES),
            }
            made.add(f"{project}-{version}-py3-none-any.whl", make_wheel(project, version, content))
    airflow = make_wheel("apache_airflow", "3.3.2", {"airflow/__init__.py": b"__version__ = '3.3.2'\n"})
    made.add("apache_airflow-3.3.2-py3-none-any.whl", airflow)
    with serve(made) as served:
        yield served


@pytest.fixture
def place(tmp_path: Path, index: Index) -> Place:
    """A project with the real base, locked as committed, whose debs are linked from the user's store."""
    project, cache, temporary = tmp_path / "project", tmp_path / "cache", tmp_path / "tmp"
    temporary.mkdir()
    (project / "stacks/bases").mkdir(parents=True)
    (project / "locks").mkdir()
    shutil.copy(ROOT / f"stacks/bases/{BASE}.toml", project / "stacks/bases")
    shutil.copy(ROOT / f"locks/base.{BASE}.toml", project / "locks")
    link_files(cache, debs_of_base(BASE))
    made = Place(project=project, cache=cache, temporary=temporary, index=index.simple, moments=make_moments())
    made.ask_for(*(f"{name}==1.0" for name in PLUGINS))
    return made


def test_a_killed_lock_leaves_the_old_lock_or_the_new_one(place: Place) -> None:
    place.run("lock", STACK)
    old = place.lock.read_bytes()
    place.ask_for(*(f"{name}==2.0" for name in PLUGINS))
    seconds = place.seconds("lock", STACK)
    new = place.lock.read_bytes()
    assert old != new
    for number in range(LOCK_KILLS):
        place.lock.write_bytes(old)
        place.kill(seconds, (number, LOCK_KILLS), "lock", STACK)
        assert place.lock.read_bytes() in {old, new}
        place.run("lock", STACK)
        assert place.lock.read_bytes() == new
    check_cache(place, kills=LOCK_KILLS)
    assert names_below(place.project) == {
        f"locks/base.{BASE}.toml",
        f"locks/pylock.{STACK}.toml",
        f"stacks/bases/{BASE}.toml",
        f"stacks/{STACK}/stack.toml",
    }


def test_a_killed_lock_ends_its_resolver_though_the_index_does_not_answer(place: Place) -> None:
    with stalled() as url:
        stuck = {**place.env, "UV_DEFAULT_INDEX": url}
        killed = run_and_kill(place.argv("lock", STACK), stuck, ROOT, after_s=3.0)
    assert not killed.over
    assert not place.lock.exists()


def test_a_killed_fetch_is_continued(place: Place) -> None:
    place.run("lock", STACK)
    seconds = place.seconds("fetch", STACK)
    whole = names_below(place.project / "locks/files")
    store = DirectoryFileStore(place.cache)
    locked = {file.sha256: file for one in load(place).candidates for file in one.wheels.values()}
    for number in range(FETCH_KILLS):
        forget(store, place, locked)
        place.kill(seconds, (number, FETCH_KILLS), "fetch", STACK)
        for digest, file in locked.items():
            assert store.holds(file) or not store.path(digest).exists()
        assert verify_files(store) == ()
        place.run("fetch", STACK)
        assert all(store.holds(file) for file in locked.values())
        assert names_below(place.project / "locks/files") == whole
    check_cache(place, kills=FETCH_KILLS)
    assert list((place.cache / "partial").iterdir()) == []


@pytest.mark.parametrize("suffix", ["", ".tar"], ids=["folder", "archive"])
def test_a_killed_build_gives_the_same_image_the_next_time(place: Place, tmp_path: Path, suffix: str) -> None:
    place.run("lock", STACK)
    place.run("fetch", STACK)
    expected, found = tmp_path / f"expected{suffix}", tmp_path / f"found{suffix}"
    command = ("build", STACK, "--platform", "host", "--json", "--output")
    seconds = place.seconds(*command, expected)
    digest = json.loads(place.run(*command, expected))["index_digest"]
    kills = BUILD_KILLS - BUILD_KILLS // 2 if suffix == "" else BUILD_KILLS // 2
    for number in range(kills):
        shutil.rmtree(place.cache / "artefacts")
        place.kill(seconds, (number, kills), *command, found)
        assert_whole_or_absent(found, expected)
        assert json.loads(place.run(*command, found))["index_digest"] == digest
        assert content(found) == content(expected)
    check_cache(place, kills=kills)
    assert {path.name for path in tmp_path.iterdir() if path.name.startswith(".")} == set()


def test_a_killed_build_of_core_gives_the_same_image_the_next_time(tmp_path: Path, index: Index) -> None:
    (tmp_path / "tmp").mkdir()
    place = Place(
        project=ROOT,
        cache=tmp_path / "cache",
        temporary=tmp_path / "tmp",
        index=index.simple,
        moments=make_moments(),
    )
    link_files(place.cache, files_of_stack("core"))
    command = ("build", "core", "--platform", "host", "--json", "--output")
    expected, found = tmp_path / "expected", tmp_path / "found"
    seconds = place.seconds(*command, expected)
    digest = json.loads(place.run(*command, expected))["index_digest"]
    shutil.rmtree(place.cache / "artefacts")
    # Each continues the one before, as impatient people do.
    for _ in range(CORE_KILLS):
        place.kill(seconds / CORE_KILLS, (0, 1), *command, found)
        assert_whole_or_absent(found, expected)
    assert json.loads(place.run(*command, found))["index_digest"] == digest
    assert content(found) == content(expected)
    check_cache(place, kills=CORE_KILLS)


def check_cache(place: Place, *, kills: int) -> None:
    """Find nothing damaged, few leftovers, and none after `store gc` an hour later."""
    store = DirectoryFileStore(place.cache)
    assert verify_files(store) == ()
    items = tuple(iter_items(place.cache))
    left = [item for item in items if item.kind in {"tmp", "quarantine"}]
    assert len(left) <= MOST_LEFT_PER_KILL * kills
    later = time.time() + UNDER_WAY_S + 60
    garbage = choose_garbage(items, keep=(), now=later, days=1)
    assert {item.path for item in garbage} >= {item.path for item in left}
    remove_items(garbage)
    assert not any(item.kind in {"tmp", "quarantine"} for item in iter_items(place.cache))
    assert list(place.temporary.iterdir()) == []


def make_moments() -> random.Random:
    """Begin a series of moments, and say how to have it again."""
    print(f"KILL_SEED={SEED}")  # noqa: T201  pytest shows it when the test fails
    return random.Random(SEED)  # noqa: S311  no secret


def load(place: Place) -> StackLock:
    """Read the stack's lock."""
    return parse_stack_lock(place.lock.read_bytes(), file=place.lock.name)


def forget(store: DirectoryFileStore, place: Place, files: Iterable[Digest]) -> None:
    """Remove files from the store and from the project."""
    for digest in files:
        store.path(digest).unlink(missing_ok=True)
    shutil.rmtree(place.project / "locks/files", ignore_errors=True)


def names_below(folder: Path) -> set[str]:
    """List all files below a folder."""
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if not path.is_dir()}


def content(output: Path) -> dict[str, str]:
    """Give the hash of each file of a layout, or of the archive."""
    if output.is_file():
        return {"": hash_of(output)}
    return {name: hash_of(output / name) for name in names_below(output)}


def hash_of(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def assert_whole_or_absent(found: Path, expected: Path) -> None:
    """See that an output is the image or none: where there is an index, all blobs are there and true."""
    if found.suffix:
        assert not found.exists() or hash_of(found) == hash_of(expected)
        return
    blobs = {path.name: hash_of(path) for path in (found / "blobs/sha256").glob("*") if path.name[0] != "."}
    assert all(name == actual for name, actual in blobs.items())
    if (found / "index.json").exists():
        assert {path.name for path in (expected / "blobs/sha256").iterdir()} <= set(blobs)


@contextmanager
def stalled() -> Iterator[str]:
    """Listen, and never answer."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"http://127.0.0.1:{server.getsockname()[1]}/simple"
