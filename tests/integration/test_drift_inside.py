"""A really built image, changed as people change running containers: all of it is found, and nothing where nothing was done."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pip
import pytest

from builder.platform import platform_of_machine
from builder.run.model import RunnableImage
from builder.run.rootfs import unpack_image
from builder.usecase.drift import inside_script
from tests.conftest import Built, Kubler
from tests.support.tools import ROOT, require_root, require_tool
from tests.support.wheels import WheelParts

pytestmark = [pytest.mark.network, pytest.mark.tools, pytest.mark.slow]
PYTHON = "/home/airflow/.local/bin/python"
SITE = "home/airflow/.local/lib/python3.13/site-packages"
Compare = Callable[[str], list[tuple[str, str | None]]]


@pytest.fixture(scope="module")
def ledger(core: Built, kubler: Kubler, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A ledger with the build of `core`."""
    path = tmp_path_factory.mktemp("ledger") / "ledger.db"
    kubler("--ledger", path, "ledger", "init", "--origin", "example.org/airflow")
    kubler("--ledger", path, "build", core.stack, "--output", path.parent / "core")
    return path


@pytest.fixture
def compare(core: Built, ledger: Path, tmp_path: Path) -> Compare:
    """Hold what a container says against the lock that the ledger has, by the command."""

    def run(said: str) -> list[tuple[str, str | None]]:
        path = tmp_path / "listing"
        path.write_text(said)
        words = ("drift", "freeze", path, "--image", core.summary["index_digest"], "--json")
        done = subprocess.run(
            [sys.executable, "-m", "builder", "--project", ROOT, "--ledger", ledger, *words],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        found = json.loads(done.stdout)["findings"]
        assert done.returncode == (1 if found else 0), done.stderr
        return [(one["kind"], one["project"]) for one in found]

    return run


def run_image(*command: str | Path, stdin: str = "") -> str:
    done = subprocess.run(
        [sys.executable, "-m", "builder", "--project", ROOT, "run", "core", *command],
        input=stdin, capture_output=True, text=True, check=True,
    )  # fmt: skip
    return done.stdout


def test_an_image_that_nobody_touched_has_no_drift(core: Built, compare: Compare) -> None:
    require_root("runc needs it")
    require_tool("runc")
    del core
    assert compare(run_image("--", "python", "-", stdin=inside_script())) == []
    # As the API's exec has it: the script is one of the command's words.
    assert compare(run_image("--", "python", "-c", inside_script())) == []
    folder = Path(pip.__file__).parent.parent
    for words in (("freeze",), ("list", "--format", "json")):
        said = run_image("-v", f"{folder}:/opt/airflow/plugins:ro", "--", "python", "-c", _PIP, *words)
        assert compare(said) == []


_PIP = """
import importlib.util, sys
# pip alone out of a folder that holds more: its neighbours are not installed here.
spec = importlib.util.spec_from_file_location("pip", "/opt/airflow/plugins/pip/__init__.py", submodule_search_locations=["/opt/airflow/plugins/pip"])
sys.modules["pip"] = module = importlib.util.module_from_spec(spec)
spec.loader.exec_module(module)
from pip._internal.cli.main import main
sys.exit(main(["--disable-pip-version-check", "--no-cache-dir", *sys.argv[1:]]))
"""


def test_what_was_done_to_a_container_is_found(core: Built, compare: Compare, tmp_path: Path) -> None:
    require_root("chroot needs it")
    chroot = require_tool("chroot")
    root = tmp_path / "root"
    root.mkdir()
    machine = platform_of_machine(os.uname().machine)
    image = next(one for one in core.image.platforms if one.platform == machine)
    unpack_image(RunnableImage(stack="core", layout=core.folder, reference="core", image=image), root)
    shutil.copytree(
        Path(pip.__file__).parent, root / "opt/airflow/plugins/pip", ignore=shutil.ignore_patterns("__pycache__")
    )

    def inside(*words: str) -> str:
        done = subprocess.run(
            [chroot, root, PYTHON, *words], capture_output=True, text=True, check=False, env={"HOME": "/opt/airflow"}
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def install(name: str, version: str) -> None:
        parts = WheelParts(
            name=name, version=version, files={f"{name}/__init__.py": b"", f"{name}/core.py": b"x = 1\n"}
        )
        (root / parts.file_name).write_bytes(parts.pack())
        inside("-c", _PIP, "install", "--no-index", "--no-deps", f"/{parts.file_name}")

    assert compare(inside("-c", inside_script())) == []
    install("hotfix", "1.0")
    for said in (
        inside("-c", inside_script()),
        inside("-c", _PIP, "freeze"),
        inside("-c", _PIP, "list", "--format", "json"),
    ):
        assert compare(said) == [("distribution added", "hotfix")]
    install("idna", "99.0")
    assert compare(inside("-c", _PIP, "freeze")) == [("distribution added", "hotfix"), ("distribution changed", "idna")]
    inside("-c", _PIP, "uninstall", "--yes", "hotfix", "idna")
    assert compare(inside("-c", inside_script())) == [("distribution removed", "idna")]
    (root / SITE / "attr/_make.py").write_text("# patched by hand\n")
    (root / SITE / "sitecustomize.py").write_text("")
    assert compare(inside("-c", inside_script())) == [
        ("files changed", "attrs"),
        ("distribution removed", "idna"),
        ("files added", None),
    ]
