"""Fixtures that several folders of tests share: the command line, and the shipped stacks built once a session."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import tomllib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

from builder.image.layout_reader import FolderLayout
from builder.oci.layout import LayoutImage, PlatformImage, parse_layout
from builder.platform import PLATFORMS
from tests.support.buildx import buildx_daemon
from tests.support.shared import SharedFolder, shared_folder
from tests.support.tools import ROOT, Registry, docker_daemon, registry

# A slow machine makes no property false.
settings.register_profile("unhurried", deadline=None)
settings.load_profile("unhurried")


def pytest_configure() -> None:
    """Let what tests start be interrupted: a shell starts what runs in the background with that switched off."""
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Where several processes take files of tests one by one, let the long ones come first: none is left with one at the end."""
    if hasattr(config, "workerinput"):
        slow = {item.path for item in items if item.get_closest_marker("slow")}
        items.sort(key=lambda item: item.path not in slow)


@dataclass(frozen=True, slots=True, kw_only=True)
class Built:
    """A stack's image as built from the committed lock, for all its platforms."""

    stack: str
    folder: Path
    summary: dict[str, Any]
    """What `build --json` printed."""

    @property
    def image(self) -> LayoutImage:
        """The layout, parsed."""
        return parse_layout(FolderLayout(self.folder))

    def platform(self, architecture: str) -> PlatformImage:
        """One platform's image."""
        wanted = PLATFORMS[f"linux/{architecture}"]
        return next(image for image in self.image.platforms if image.platform == wanted)


Kubler = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="session")
def kubler() -> Kubler:
    """Run the command line in this project, as a process of its own."""

    def run(*arguments: str | Path, status: int | None = 0) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            [sys.executable, "-m", "builder", "--project", str(ROOT), *map(str, arguments)],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            env=dict(os.environ),
        )
        if status is not None:
            assert done.returncode == status, (
                f"{arguments}: {done.returncode}\n{done.stdout[-3000:]}\n{done.stderr[-6000:]}"
            )
        return done

    return run


Build = Callable[[str, str], Built]


@pytest.fixture(scope="session")
def shared(tmp_path_factory: pytest.TempPathFactory) -> SharedFolder:
    """What all processes of this run share."""
    return shared_folder(tmp_path_factory.getbasetemp())


@pytest.fixture
def _few_processes(shared: SharedFolder) -> Iterator[None]:
    """Let no two tests limit the processes of builds at the same time: the kernel counts all that their one user has."""
    with shared.alone("few-processes"):
        yield


@pytest.fixture(scope="session")
def build_stack(kubler: Kubler, shared: SharedFolder) -> Build:
    """Build a shipped stack from its committed lock, once a run for each compression; skips where debs are gone."""

    def build(stack: str, compression: str) -> Built:
        def make(folder: Path) -> None:
            fetch_files(kubler, stack)
            built = kubler("build", stack, "--compression", compression, "--output", folder / "layout", "--json")
            (folder / "summary.json").write_text(built.stdout)

        folder = shared.get(f"{stack}-{compression}", make)
        return Built(stack=stack, folder=folder / "layout", summary=json.loads((folder / "summary.json").read_text()))

    return cache(build)


def fetch_files(kubler: Kubler, stack: str) -> None:
    """Fill the user's store with what a committed lock names."""
    fetched = kubler("fetch", stack, "--json", status=None)
    told = json.loads(fetched.stdout or "{}")
    if fetched.returncode and told.get("gone") and not told["failed"]:
        pytest.skip(f"locked debs are gone from every mirror and archive: {', '.join(told['gone'])}")
    assert fetched.returncode == 0, fetched.stderr[-6000:]


@pytest.fixture(scope="session")
def core(build_stack: Build) -> Built:
    """The shipped stack `core`, zstd."""
    return build_stack("core", "zstd")


@pytest.fixture(scope="session")
def core_gzip(build_stack: Build) -> Built:
    """The shipped stack `core`, gzip."""
    return build_stack("core", "gzip")


@pytest.fixture(scope="session")
def local_registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Registry]:
    """A docker-registry for this session."""
    with registry(tmp_path_factory.mktemp("registry")) as served:
        yield served


@pytest.fixture(scope="session")
def docker(tmp_path_factory: pytest.TempPathFactory, local_registry: Registry) -> Iterator[dict[str, str]]:
    """A docker daemon for this session: the environment for its clients."""
    with docker_daemon(tmp_path_factory.mktemp("docker"), insecure=[local_registry.host]) as env:
        yield env


@pytest.fixture(scope="session")
def buildx() -> Iterator[dict[str, str]]:
    """Trixie's docker with buildx and containerd's store of images, for this session."""
    with _run_buildx(containerd_store=True) as env:
        yield env


@pytest.fixture(scope="session")
def buildx_own_store() -> Iterator[dict[str, str]]:
    """The same with docker's own store."""
    with _run_buildx(containerd_store=False) as env:
        yield env


@pytest.fixture(params=["docker", "buildx", "buildx_own_store"])
def each_docker(request: pytest.FixtureRequest) -> dict[str, str]:
    """Each docker that builds: this machine's, and trixie's with either store of images."""
    env: dict[str, str] = request.getfixturevalue(request.param)
    return env


Configure = Callable[[dict[str, str]], dict[str, str]]


@pytest.fixture
def configure(tmp_path: Path) -> Configure:
    """The user's own settings of mirrors; the daemons of the tests have no bridge."""
    config = tmp_path / "config/airflow-kubler/config.toml"
    config.parent.mkdir(parents=True)
    own = Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config") / "airflow-kubler/config.toml"
    kept = own.read_text() if own.is_file() else ""
    assert "buildkit" not in tomllib.loads(kept)
    config.write_text(f'{kept}\n[buildkit]\nnetwork = "host"\n')
    return lambda daemon: {**daemon, "XDG_CONFIG_HOME": str(tmp_path / "config")}


@contextmanager
def _run_buildx(*, containerd_store: bool) -> Iterator[dict[str, str]]:
    # Paths of sockets are short: pytest's folders are not.
    with (
        tempfile.TemporaryDirectory(prefix="bk", ignore_cleanup_errors=True) as folder,
        buildx_daemon(Path(folder), containerd_store=containerd_store) as env,
    ):
        yield env
