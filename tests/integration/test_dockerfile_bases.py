"""`Dockerfile.base` by a real dockerd with BuildKit: examples/odbc is locked, built and run, and loads the native library."""

from __future__ import annotations

import json
import os
import shutil
from functools import partial
from pathlib import Path

import pytest

from builder.image.base_layers import iter_file
from builder.image.base_tree import read_contents, read_tree
from builder.lock.base import parse_base_lock
from builder.platform import AMD64
from builder.usecase.build_base import build_base
from builder.wiring.images import build_tools
from builder.wiring.stores import make_file_store
from tests.conftest import Configure
from tests.support.filled_store import borrow_cache
from tests.support.small_stack import write_small_stack
from tests.support.tools import ROOT, give_up, run_tool

pytestmark = [pytest.mark.tools, pytest.mark.network, pytest.mark.slow]
CHECK = """
import ctypes, airflow
library = ctypes.CDLL("libodbc.so.2")
assert library.SQLAllocHandle
import pyodbc
print(airflow.__version__, pyodbc.drivers())
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """The example, with the base that the project ships a lock of."""
    if os.uname().machine != "x86_64":
        give_up("the example is for linux/amd64")
    shutil.copytree(ROOT / "examples/odbc", tmp_path / "odbc", ignore=shutil.ignore_patterns("locks", "build"))
    (tmp_path / "odbc/locks").mkdir()
    shutil.copy(ROOT / "locks/base.trixie.toml", tmp_path / "odbc/locks")
    return tmp_path / "odbc"


@pytest.fixture
def environment(docker: dict[str, str], configure: Configure) -> dict[str, str]:
    """Of this machine's docker."""
    return configure(docker)


def kubler(project: Path, env: dict[str, str], *arguments: str) -> str:
    return run_tool(ROOT / ".venv/bin/python", "-m", "builder", "--project", project, *arguments, env=env)


def images_in(environment: dict[str, str]) -> set[str]:
    """List the daemon's images that have a name of ours."""
    return set(run_tool("docker", "image", "ls", "--quiet", "airflow-kubler/*", env=environment).split())


def test_the_example_is_built_runs_airflow_and_loads_the_native_library(
    project: Path, each_docker: dict[str, str], configure: Configure, tmp_path: Path
) -> None:
    environment = configure(each_docker)
    # Of other tests: what compiles wheels is kept on purpose.
    images = images_in(environment)
    kubler(project, environment, "lock", "--base", "trixie-tools", "--base", "odbc")
    lock = parse_base_lock((project / "locks/base.odbc.toml").read_bytes(), file="locks/base.odbc.toml")
    image = lock.images[0]
    assert {name.partition("=")[0] for name in image.packages} >= {"libodbc2", "unixodbc-common", "libc6"}
    assert not any(name.startswith("apt=") for name in image.packages)
    assert not any(line.startswith("//") for line in image.packages)

    trixie = parse_base_lock((ROOT / "locks/base.trixie.toml").read_bytes(), file="locks/base.trixie.toml")
    ours = build_base(trixie, tmp_path / "trixie", build_tools(2), platforms=(AMD64,)).platforms[0].layers
    assert [layer.file.sha256 for layer in image.layers[: len(ours)]] == [one.layer.digest for one in ours]
    assert len(image.layers) == len(ours) + 1

    kubler(project, environment, "lock", "odbc")
    kubler(project, environment, "lock", "--check")
    kubler(project, environment, "fetch", "odbc")
    borrowed = {**environment, **borrow_cache(tmp_path / "cache")}
    said = kubler(project, borrowed, "run", "odbc", "--", "python", "-c", CHECK)
    assert said.startswith("3.3.2 ")
    write_small_stack(project, project / "locks/base.odbc.toml", AMD64)
    words = ("build", "--engine", "buildkit", "--check", "--json", "small", "-o", str(tmp_path / "small"))
    assert json.loads(kubler(project, environment, *words))["differences"] == []
    # Nothing of the builds is left in the daemon.
    assert images_in(environment) == images


def test_two_builds_by_buildkit_that_puts_times_back_are_identical(
    project: Path, buildx: dict[str, str], configure: Configure
) -> None:
    environment = configure(buildx)
    locks = []
    for _ in range(2):
        run_tool("docker", "builder", "prune", "--all", "--force", env=environment)
        kubler(project, environment, "lock", "--base", "trixie-tools", "--base", "odbc")
        locks.append((project / "locks/base.odbc.toml").read_bytes())
        (project / "locks/base.odbc.toml").unlink()
    assert locks[0] == locks[1]


def test_no_mirror_and_no_place_stands_in_what_is_locked(project: Path, environment: dict[str, str]) -> None:
    from builder.wiring.fetching import make_mirrors

    kubler(project, environment, "lock", "--base", "trixie-tools", "--base", "odbc")
    lock = (project / "locks/base.odbc.toml").read_text()
    hosts = {mirror.url.partition("://")[2].partition("/")[0] for mirror in make_mirrors().mirrors} - {""}
    assert not [host for host in hosts if host in lock]
    # No layer holds the secret either: what apt was told stays in the stage that fetched.
    image = parse_base_lock(lock.encode(), file="x").images[0]
    opened = partial(iter_file, make_file_store())
    tree = read_tree(image.layers, opened, where="x")
    ours = {path for path, node in tree.nodes.items() if node.layer == len(image.layers) - 1 and node.kind == "file"}
    assert "usr/lib/x86_64-linux-gnu/libodbc.so.2.0.0" in ours
    assert not [path for path in ours if "apt" in path.split("/")]
    contents = read_contents(tree, image.layers, opened, ours, where="x")
    assert not [path for path, data in contents if b"URIs: " in data]


def test_a_changed_dockerfile_or_base_makes_the_lock_stale(project: Path, environment: dict[str, str]) -> None:
    kubler(project, environment, "lock", "--base", "trixie-tools", "--base", "odbc")
    shutil.rmtree(project / "stacks/odbc")
    kubler(project, environment, "lock", "--check")
    dockerfile = project / "Dockerfile.base"
    dockerfile.write_text(dockerfile.read_text() + "# another\n")
    said = run_tool(
        ROOT / ".venv/bin/python", "-m", "builder", "--project", project, "lock", "--check", env=environment, status=1
    )
    assert "stacks/bases/odbc.toml changed" in said
