"""What builds leave in a docker daemon: nothing but a cache, which docker's own command removes; also at once, interrupted, failed."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from builder.lock.base import parse_base_lock
from builder.platform import platform_of_machine
from tests.conftest import Configure
from tests.support.small_stack import write_small_stack
from tests.support.tools import ROOT, run_tool, wait_until

pytestmark = [pytest.mark.tools, pytest.mark.network, pytest.mark.slow]
PLATFORM = platform_of_machine(os.uname().machine)
BASE = f"""
description = "trixie, and a file"
[dockerfile]
file = "Dockerfile.base"
base = "trixie"
platforms = ["{PLATFORM.name}"]
[python]
version = "3.13"
"""
PATH = "added"
MAIN = "import signal; signal.signal(2, signal.default_int_handler); from builder.cli.root import main; main()"
"""What a shell starts in the background ignores Ctrl-C."""


@pytest.fixture
def daemon(each_docker: dict[str, str], configure: Configure) -> dict[str, str]:
    """Each docker, with steps that have a network: the daemons of the tests have no bridge."""
    return configure(each_docker)


def write_project(folder: Path, command: str) -> Path:
    """Write a project with a Dockerfile that adds a file to trixie."""
    (folder / "stacks/bases").mkdir(parents=True)
    (folder / "locks").mkdir()
    shutil.copy(ROOT / "stacks/bases/trixie.toml", folder / "stacks/bases")
    shutil.copy(ROOT / "locks/base.trixie.toml", folder / "locks")
    (folder / "stacks/bases/ours.toml").write_text(BASE)
    (folder / "Dockerfile.base").write_text(f'ARG BASE\nFROM ${{BASE}}\nRUN ["/bin/sh", "-c", "{command}"]\n')
    return folder


def start(project: Path, env: dict[str, str]) -> subprocess.Popen[str]:
    argv = [sys.executable, "-c", MAIN, "--project", str(project), "lock", "--base", "ours"]
    return subprocess.Popen(
        argv,
        env=dict(os.environ) | env,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


def names(env: dict[str, str]) -> list[str]:
    words = ("image", "ls", "--format", "{{.Repository}}:{{.Tag}}", "airflow-kubler/*")
    listed = run_tool("docker", *words, env=env).split()
    return [name for name in listed if not name.startswith("airflow-kubler/build-root:")]


def test_two_builds_at_once_do_not_take_each_others_images(daemon: dict[str, str], tmp_path: Path) -> None:
    projects = [
        write_project(tmp_path / str(number), f"sleep {2 * number}; echo {number} > /{PATH}") for number in range(2)
    ]
    running = [start(project, daemon) for project in projects]
    for one in running:
        said, _ = one.communicate(timeout=300)
        assert one.returncode == 0, said
    locks = [parse_base_lock((project / "locks/base.ours.toml").read_bytes(), file="x") for project in projects]
    layers = [[layer.file.sha256 for layer in lock.images[0].layers] for lock in locks]
    assert layers[0][:-1] == layers[1][:-1]
    assert layers[0][-1] != layers[1][-1]
    assert names(daemon) == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["interrupted", "terminated"])
def test_a_build_that_is_ended_leaves_no_name(number: int, daemon: dict[str, str], tmp_path: Path) -> None:
    project = write_project(tmp_path, f"sleep 60; echo {tmp_path} > /{PATH}")
    running = start(project, daemon)
    wait_until(lambda: bool(names(daemon)), timeout_s=60, what="the image built on")
    os.killpg(running.pid, number)
    running.communicate(timeout=60)
    assert running.returncode in {130, 143}
    assert names(daemon) == []
    assert not (project / "locks/base.ours.toml").exists()


def test_a_build_that_fails_leaves_no_name(daemon: dict[str, str], tmp_path: Path) -> None:
    project = write_project(tmp_path, "echo nothing works; exit 3")
    running = start(project, daemon)
    said, _ = running.communicate(timeout=60)
    assert running.returncode == 4
    assert "nothing works" in said
    assert names(daemon) == []


def test_an_archive_is_loaded_under_its_name(each_docker: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "stacks").mkdir()
    (tmp_path / "locks").mkdir()
    write_small_stack(tmp_path, ROOT / "locks/base.trixie.toml", PLATFORM)
    words = ("--project", tmp_path, "build", "small", "--compression", "gzip", "-o", tmp_path / "small.tar")
    run_tool(sys.executable, "-m", "builder", *words)
    said = run_tool("docker", "load", "--input", tmp_path / "small.tar", env=each_docker)
    name = said.strip().removeprefix("Loaded image: ")
    assert name.startswith("airflow-small:")
    words_of_run = ("run", "--rm", "--network", "none", name, "python", "-c", "import greenlet; print(1)")
    assert run_tool("docker", *words_of_run, env=each_docker) == "1\n"
