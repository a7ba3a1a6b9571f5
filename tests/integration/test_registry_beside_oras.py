"""Registries that are busy: wherever oras gets through, so do we, with the same image in the end."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.support.registries import Fault, SmallRegistry, once
from tests.support.registry_images import write_real_layout
from tests.support.tools import ROOT, require_tool

pytestmark = [pytest.mark.tools, pytest.mark.slow]
Argv = Callable[[str, Path], list[str]]
"""Gives what pushes a layout to a host, or pulls from it into a folder."""
ENV = {name: value for name, value in os.environ.items() if not name.startswith(("DOCKER_", "REGISTRY_"))}


def oras_pushes(host: str, layout: Path) -> list[str]:
    return [require_tool("oras"), "cp", "--from-oci-layout", f"{layout}:img", "--to-plain-http", f"{host}/image:t"]


def we_push(host: str, layout: Path) -> list[str]:
    words = ("push", f"{host}/image", "img", "--layout", str(layout), "--tag", "t", "--no-dated")
    return [sys.executable, "-m", "builder", *words]


def oras_pulls(host: str, folder: Path) -> list[str]:
    return [require_tool("oras"), "cp", "--from-plain-http", f"{host}/image:t", "--to-oci-layout", f"{folder}:t"]


def we_pull(host: str, folder: Path) -> list[str]:
    return [sys.executable, "-m", "builder", "pull", f"{host}/image:t", "-o", str(folder)]


def runs(argv: list[str], home: Path) -> bool:
    env = ENV | {"DOCKER_CONFIG": str(home / "no-credentials")}
    return subprocess.run(argv, cwd=ROOT, env=env, capture_output=True, check=False, timeout=120).returncode == 0


def blobs_of(folder: Path) -> set[str]:
    return {path.name for path in folder.glob("blobs/sha256/*")}


FAULTS = pytest.mark.parametrize(
    "fault",
    [Fault(status=status, headers=said) for status in (429, 503) for said in ({}, {"Retry-After": "1"})],
    ids=["429", "429-retry-after", "503", "503-retry-after"],
)
LONG = Fault(status=503)
"""As often as oras can bear."""


@FAULTS
@pytest.mark.parametrize(
    ("method", "part"),
    [("HEAD", "/blobs/"), ("POST", "/uploads/"), ("PUT", "/uploads/"), ("PUT", "/manifests/")],
    ids=["head", "post", "put", "manifest"],
)
def test_push_gets_through_two_of_any_kind(tmp_path: Path, fault: Fault, method: str, part: str) -> None:
    # oras gives up where the PUT of an upload is refused.
    _, ours = pushed(tmp_path, (fault,) * 2, method, part)
    assert ours


def test_push_gets_through_where_oras_does(tmp_path: Path) -> None:
    assert pushed(tmp_path, (LONG,) * 5, "PUT", "/manifests/") == (True, True)


def pushed(folder: Path, faults: tuple[Fault, ...], method: str, part: str) -> tuple[bool, bool]:
    """Push by oras and by us; whoever gets through gets the same image there."""
    layout = folder / "layout"
    digest = write_real_layout(layout).digest

    def push(argv: Argv) -> bool:
        with SmallRegistry(fault=once(*faults, method=method, part=part)) as served:
            through = runs(argv(served.host, layout), folder)
            assert not through or served.state.tags["image", "t"] == str(digest)
        return through

    return beside_each_other(push, oras_pushes, we_push)


@FAULTS
@pytest.mark.parametrize("part", ["/manifests/", "/blobs/"])
def test_pull_gets_through_two_of_any_kind(tmp_path: Path, fault: Fault, part: str) -> None:
    assert pulled(tmp_path, (fault,) * 2, part) == (True, True)


def test_pull_gets_through_where_oras_does(tmp_path: Path) -> None:
    assert pulled(tmp_path, (LONG,) * 5, "/manifests/") == (True, True)


def pulled(folder: Path, faults: tuple[Fault, ...], part: str) -> tuple[bool, bool]:
    """Pull by oras and by us; whoever gets through has the same image."""
    layout = folder / "layout"
    write_real_layout(layout)
    with SmallRegistry() as served:
        assert runs(we_push(served.host, layout), folder)

    def pull(argv: Argv) -> bool:
        with SmallRegistry(fault=once(*faults, method="GET", part=part)) as bent:
            bent.state = served.state
            through = runs(argv(bent.host, folder / argv.__name__), folder)
            assert not through or blobs_of(folder / argv.__name__) == blobs_of(layout)
        return through

    return beside_each_other(pull, oras_pulls, we_pull)


def beside_each_other(run: Callable[[Argv], bool], one: Argv, other: Argv) -> tuple[bool, bool]:
    """Let both have their faults at the same time: most of it is waiting until one may ask again."""
    with ThreadPoolExecutor() as pool:
        first, second = pool.map(run, (one, other))
    return first, second
