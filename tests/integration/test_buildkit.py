"""Locks through real dockerds: the same file system as the engine's, and what is in it runs."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import tarfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import zstandard

from builder.buildkit.base import write_index
from builder.digest import Digest
from builder.lock.base import parse_base_lock
from builder.oci import media
from builder.oci.descriptor import describe
from builder.oci.layout import blob_path
from builder.oci.manifest import Manifest, dump_manifest, parse_manifest
from builder.platform import PLATFORMS, platform_of_machine
from builder.usecase.build_base import build_base
from builder.wiring.images import build_tools
from tests.support.small_stack import write_small_stack
from tests.support.tools import ROOT, Registry, give_up, run_tool

pytestmark = [pytest.mark.tools, pytest.mark.slow]
PLATFORM = platform_of_machine(os.uname().machine)
PYTHON = "import greenlet, markupsafe._speedups, yaml, pathlib; print(pathlib.Path('/opt/airflow/dags/small.py').read_text())"
IMAGE_BASE = """
description = "trixie, as an image"
[image]
layout = "{layout}"
platforms = ["{platform}"]
[python]
version = "3.13"
"""


def kubler(project: Path, *words: str | Path, status: int = 0, env: dict[str, str] | None = None) -> str:
    return run_tool(sys.executable, "-m", "builder", "--project", project, *words, env=env, status=status)


def refuse(project: Path, *words: str | Path, env: dict[str, str]) -> str:
    """Run what has to end with status 4; gives what it said."""
    argv = [sys.executable, "-m", "builder", "--project", *map(str, (project, *words))]
    done = subprocess.run(argv, env=dict(os.environ) | env, capture_output=True, text=True, check=False)
    assert done.returncode == 4, done.stderr
    return done.stderr


def build(project: Path, stack: str, layout: Path, environment: dict[str, str]) -> dict[str, Any]:
    words = ("build", "--engine", "buildkit", "--check", "--json", stack, "-o", layout)
    told: dict[str, Any] = json.loads(kubler(project, *words, env=environment))
    assert told["differences"] == []
    return told


@pytest.fixture
def small(tmp_path: Path) -> Path:
    """A project with the stack `small` on trixie."""
    project = tmp_path / "project"
    (project / "stacks/bases").mkdir(parents=True)
    (project / "locks").mkdir()
    write_small_stack(project, ROOT / "locks/base.trixie.toml", PLATFORM)
    return project


def test_core_by_docker_equals_ours_and_runs_airflow(tmp_path: Path, docker: dict[str, str]) -> None:
    build(ROOT, "core", tmp_path / "core", docker)
    assert kubler(ROOT, "run", "core", "--layout", tmp_path / "core", "--", "airflow", "version") == "3.3.2\n"


def test_what_buildkit_built_is_shipped_and_verified_by_its_files(
    small: Path, docker: dict[str, str], local_registry: Registry, tmp_path: Path
) -> None:
    layout, pulled = tmp_path / "out", tmp_path / "pulled"
    digest = build(small, "small", layout, docker)["index_digest"]
    repository = f"{local_registry.host}/team/buildkit"
    kubler(small, "push", repository, "small", "--layout", layout)
    kubler(small, "pull", f"{repository}@{digest}", "-o", pulled)
    assert json.loads(kubler(small, "inspect", "small", "--layout", pulled, "--json"))["index_digest"] == digest
    assert json.loads(kubler(small, "verify", "small", "--layout", pulled, "--files", "--json"))["reproduced"]
    said = kubler(small, "verify", "small", "--layout", pulled, "--json", status=1)
    assert "BuildKit built it" in json.loads(said)["differences"][0]["what"]


def test_the_exported_dockerfile_builds_as_it_is(tmp_path: Path, docker: dict[str, str]) -> None:
    kubler(ROOT, "export", "dockerfile", "core", "-o", tmp_path / "context")
    environment = {**docker, "DOCKER_BUILDKIT": "1"}
    # Debian's client: others want a plugin to build.
    client = "/usr/bin/docker"
    run_tool(client, "build", "--network", "none", "-t", "core", tmp_path / "context", env=environment)
    run = (client, "run", "--rm", "--network", "none", "core", "airflow")
    assert run_tool(*run, "version", env=environment) == "3.3.2\n"
    run_tool(*run, "db", "migrate", env=environment)


def test_a_stack_by_each_docker_equals_ours_and_runs(small: Path, each_docker: dict[str, str], tmp_path: Path) -> None:
    build(small, "small", tmp_path / "out", each_docker)
    said = kubler(small, "run", "small", "--layout", tmp_path / "out", "--", "python", "-c", PYTHON)
    assert said.startswith("# a file of the stack")
    assert run_tool("docker", "image", "ls", "--quiet", "airflow-kubler/built", env=each_docker) == ""


def test_two_builds_by_buildkit_that_puts_times_back_are_identical(
    small: Path, buildx: dict[str, str], tmp_path: Path
) -> None:
    digests = set()
    for number in range(2):
        run_tool("docker", "builder", "prune", "--all", "--force", env=buildx)
        digests.add(build(small, "small", tmp_path / f"out{number}", buildx)["index_digest"])
    assert len(digests) == 1


def test_a_stack_on_an_image_equals_ours(small: Path, docker: dict[str, str], tmp_path: Path) -> None:
    write_image_base(small, tmp_path / "trixie")
    build(small, "small", tmp_path / "out", docker)
    said = kubler(small, "run", "small", "--layout", tmp_path / "out", "--", "python", "-c", PYTHON)
    assert said.startswith("# a file of the stack")


def test_a_base_that_hides_files_is_refused_with_the_way_out(
    small: Path, docker: dict[str, str], tmp_path: Path
) -> None:
    write_image_base(small, tmp_path / "trixie", hidden="usr/share/.wh.doc")
    done = kubler(small, "build", "small", "-o", tmp_path / "own", "--json")
    assert json.loads(done)["platforms"]
    words = ("build", "--engine", "buildkit", "small", "-o", tmp_path / "out")
    said = refuse(small, *words, env=docker)
    assert "hides files of lower layers (usr/share/.wh.doc), which no Dockerfile can take over" in said
    assert "own engine" in said
    assert not (tmp_path / "out").exists()


def write_image_base(project: Path, layout: Path, hidden: str = "") -> None:
    """Put the stack on an image: trixie as a layout, with a layer that hides a path where one is named."""
    lock = parse_base_lock((ROOT / "locks/base.trixie.toml").read_bytes(), file="base.trixie.toml")
    image = build_base(lock, layout, build_tools(2), platforms=(PLATFORM,))
    if hidden:
        _hide(layout, image.platforms[0].manifest, hidden)
    base = IMAGE_BASE.format(layout=layout, platform=PLATFORM.name)
    (project / "stacks/bases/theirs.toml").write_text(base)
    kubler(project, "lock", "--base", "theirs")
    write_small_stack(project, project / "locks/base.theirs.toml", PLATFORM)


def _hide(layout: Path, manifest: bytes, hidden: str) -> None:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        tar.addfile(tarfile.TarInfo(hidden))
    blob = zstandard.compress(buffer.getvalue())
    read = parse_manifest(manifest)
    config = json.loads((layout / blob_path(read.config.digest)).read_bytes())
    config["rootfs"]["diff_ids"].append(str(Digest.of(buffer.getvalue())))
    config["history"].append({"created": config["created"]})
    documents = [json.dumps(config).encode()]
    layers = (*read.layers, describe(media.LAYER_ZSTD, blob))
    documents.append(dump_manifest(Manifest(config=describe(media.CONFIG, documents[0]), layers=layers)))
    for data in (blob, *documents):
        (layout / blob_path(Digest.of(data))).write_bytes(data)
    write_index(layout, "theirs", [replace(describe(media.MANIFEST, documents[1]), platform=PLATFORM)])


def test_a_platform_that_the_daemon_cannot_run_is_refused_with_the_way_out(
    small: Path, each_docker: dict[str, str], tmp_path: Path
) -> None:
    other = next(name for name in ("linux/amd64", "linux/arm64") if name != PLATFORM.name)
    if Path("/proc/sys/fs/binfmt_misc/status").exists():
        give_up("this machine may run other platforms")
    write_small_stack(small, ROOT / "locks/base.trixie.toml", PLATFORMS[other])
    words = ("build", "--engine", "buildkit", "--platform", other, "small", "-o", tmp_path / "out")
    said = refuse(small, *words, env=each_docker)
    assert f"the docker daemon's machine runs no programs for {other}" in said
    assert "own engine" in said
