"""The image that nights run in: the commands of docs/nightly-airflow.md as they stand there, and the CronJob's, in the image that they make."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import stat
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from builder.lock.pylock import parse_stack_lock
from builder.platform import platform_of_machine
from tests.support.filled_store import borrow_cache, debs_of_base, link_files
from tests.support.index_project import IndexProject, make_index_project
from tests.support.index_server import Index, Said
from tests.support.night_project import serve_night_index
from tests.support.tools import ROOT, give_up, run_tool

pytestmark = [pytest.mark.network, pytest.mark.slow]

PAGE = (ROOT / "docs/nightly-airflow.md").read_text().partition("## The image\n")[2].partition("\n## ")[0]
MAKE, VERSION, PROVIDER, NIGHT, OFFLINE = re.findall(r"^\$ (.*)$", PAGE, re.MULTILINE)
STACKS = ("finance", "child")
CHILD = 'description = "Made up"\nextends = "finance"\n[plugins]\nrequirements = ["gamma"]\n'


@dataclass(frozen=True, slots=True, kw_only=True)
class Builder:
    """A copy of examples/builder whose image is made, and what runs it."""

    folder: Path
    environment: Mapping[str, str]
    """With a cache of this test's own: no other run will have this image."""

    def run(self, command: str, project: IndexProject | None = None, index: str = "") -> str:
        """Run a command of the page, with this folder, a project and its cache in place of those that it names."""
        words = command.replace("--project examples/builder", f"--project {self.folder}")
        if project:
            words = words.replace("-v /srv/stacks:", f"-v {project.folder}:")
            words = words.replace("-v /srv/cache:", f"-v {cache_of(project)}:")
        # Where indexes are is the user's own setting, wherever the program runs.
        words = words.replace(" run builder ", " run builder -e UV_DEFAULT_INDEX ")
        done = subprocess.run(
            ["bash", "-c", words],
            cwd=ROOT,
            env={**self.environment, "UV_DEFAULT_INDEX": index},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        assert done.returncode == 0, f"{words}\n{done.stdout[-6000:]}"
        return done.stdout


@pytest.fixture(scope="module")
def builder(tmp_path_factory: pytest.TempPathFactory) -> Builder:
    """Make the image by the page's first command, for this machine's platform."""
    if not (ROOT / ".git").exists():
        give_up("what is committed is packed, and this is no clone")
    folder, programs = tmp_path_factory.mktemp("image") / "builder", Path(sys.executable).parent
    shutil.copytree(ROOT / "examples/builder", folder, ignore=shutil.ignore_patterns("locks", "build", "dists"))
    stack = folder / "stacks/builder/stack.toml"
    both, own = '["linux/amd64", "linux/arm64"]', f'["{platform_of_machine(os.uname().machine).name}"]'
    assert both in stack.read_text()
    stack.write_text(stack.read_text().replace(both, own))
    # The environment is the one that this runs in, however old its mark is.
    words = [*shlex.split(MAKE), "--silent", "--old-file=.venv/.made", f"BIN={programs}", f"BUILDER={folder}"]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-6000:]
    assert done.stdout.rstrip().endswith("is what the lock of builder gives")
    environment = {**os.environ, **borrow_cache(folder.parent / "cache")}
    return Builder(folder=folder, environment={**environment, "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}"})


@pytest.fixture(scope="module")
def index() -> Iterator[Index]:
    """What the stacks of a night ask for."""
    with serve_night_index() as served:
        yield served


def make_project(root: Path, index: Index, cache: Mapping[str, str]) -> IndexProject:
    """Make two stacks, one on the other."""
    project = make_index_project(root, [("default", index)]).with_settings(**cache)
    project.ask_for("alpha")
    (project.folder / "stacks/nightly.toml").write_text("[nightly]\nbases = false\ntests = false\n")
    (project.folder / "stacks/child").mkdir()
    (project.folder / "stacks/child/stack.toml").write_text(CHILD)
    project.run("ledger", "init")
    return project


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory, index: Index) -> IndexProject:
    """A night of these stacks on this machine."""
    root = tmp_path_factory.mktemp("alone")
    project = make_project(root, index, borrow_cache(root / "cache"))
    project.run("nightly")
    return project


@pytest.fixture(scope="module")
def inside(tmp_path_factory: pytest.TempPathFactory, index: Index) -> IndexProject:
    """The same stacks, and a cache with the debs of their base alone: what is made of them is made in the image."""
    root = tmp_path_factory.mktemp("inside")
    link_files(root / "cache", debs_of_base("trixie"))
    return make_project(root, index, {"AIRFLOW_KUBLER_CACHE": str(root / "cache")})


def cache_of(project: IndexProject) -> Path:
    return Path(project.settings["AIRFLOW_KUBLER_CACHE"])


def open_to_group(*folders: Path) -> None:
    """Let group 0 write, which the image's user is of; files of caches are others' too, and are left as they are."""
    for folder in folders:
        for path in (folder, *folder.rglob("*")):
            mode = path.lstat().st_mode
            if stat.S_ISDIR(mode) or (stat.S_ISREG(mode) and path.lstat().st_nlink == 1):
                path.chmod(mode | 0o060 | (0o010 if stat.S_ISDIR(mode) else 0))


def built(project: IndexProject, *stacks: str) -> dict[str, Any]:
    """Read the index of each image: its digests."""
    return {name: json.loads((project.folder / f"build/{name}/index.json").read_bytes()) for name in stacks}


def test_the_program_in_the_image_is_the_one_that_is_committed_here(builder: Builder) -> None:
    assert builder.run(VERSION).splitlines()[-1] == "airflow-kubler, version 0.1.0"
    assert re.search(r"^airflow-kubler +\| 0\.1\.0", builder.run(PROVIDER), re.MULTILINE)


def test_its_lock_names_the_program_by_hash_and_no_path_of_this_machine(builder: Builder) -> None:
    data = (builder.folder / "locks/pylock.builder.toml").read_bytes()
    lock = parse_stack_lock(data, file="builder")
    ours = next(candidate for candidate in lock.candidates if candidate.project == "airflow-kubler")
    assert ours.index == "here"
    assert ours.built is not None
    assert ours.built.sdist.name == "airflow_kubler-0.1.0.zip"
    assert lock.airflow_version == "3.3.2"
    assert str(builder.folder).encode() not in data


def test_a_night_of_airflow_in_the_image_comes_to_the_digests_of_this_machine(
    builder: Builder, index: Index, alone: IndexProject, inside: IndexProject
) -> None:
    open_to_group(inside.folder, cache_of(inside))
    said = builder.run(NIGHT, inside, index.simple)
    assert re.search(r"^airflow_kubler_nightly \| /opt/airflow/dags/nightly.py", said, re.MULTILINE)
    assert built(inside, *STACKS) == built(alone, *STACKS)

    # A pod of the CronJob, a night in which something moved; the project is a clone now, and of another user than the pod's.
    index.offer("alpha", "1.1", "beta", said=Said(metadata=True))
    for command in (
        "init --quiet",
        "config user.name Night",
        "config user.email night@example.org",
        "add .",
        "commit -qm x",
    ):
        run_tool("git", "-C", inside.folder, *command.split())
    open_to_group(inside.folder)

    job = yaml.safe_load((ROOT / "examples/nightly/cronjob.yaml").read_text())
    [container] = job["spec"]["jobTemplate"]["spec"]["template"]["spec"]["containers"]
    words = shlex.join(["bash", "-c", shlex.join([*container["command"], *container["args"], "--commit"])])
    builder.run(OFFLINE.partition(" --network")[0] + f" -- {words}", inside, index.simple)
    changed = run_tool("git", "-C", inside.folder, "show", "--name-only", "--format=%an")
    assert changed.split() == ["Night", "locks/pylock.child.toml", "locks/pylock.finance.toml"]
    alone.run("nightly")
    assert built(inside, *STACKS) == built(alone, *STACKS)

    # With the index the network is gone; the cache has what is needed.
    shutil.rmtree(inside.folder / "build/finance")
    builder.run(OFFLINE, inside)
    assert built(inside, "finance") == built(alone, "finance")
