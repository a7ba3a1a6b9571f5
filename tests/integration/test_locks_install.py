"""Each shipped lock, installed by pip and by uv from locks/files, offline and hash-checked, gives exactly its candidates.

The Python is the base's own, unpacked from its locked debs, in a virtual environment of the usual shape: so markers, tags and
`requires-python` are judged by the very interpreter that the image has. pip is this environment's, which is pure Python.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from importlib.metadata import distribution
from pathlib import Path

import pytest
from packaging.utils import canonicalize_name
from packaging.version import Version
from uv import find_uv_bin

from builder.image.interpreter import ensure_interpreter
from builder.lock.base import parse_base_lock
from builder.lock.pylock import parse_stack_lock
from builder.platform import platform_of_machine
from builder.project import Project
from builder.wiring.stores import make_artefact_store, make_file_store
from tests.support.tools import ROOT

pytestmark = [pytest.mark.network, pytest.mark.slow]

PROJECT = Project(root=ROOT)
STACKS = tuple(name for name in PROJECT.stack_names() if PROJECT.stack_lock_path(name).is_file())
HOST = platform_of_machine(os.uname().machine)
PIP = Version("26.1")
"""The first pip whose `install -r` reads PEP 751."""
_LIST = "import importlib.metadata as m, json; print(json.dumps([[d.metadata['Name'], d.version] for d in m.distributions()]))"


class Environment:
    """A virtual environment of a base's own interpreter.

    Args:
        folder: where to make it.
        stack: whose lock is to be installed.
        pip: a folder with pip in it.
    """

    def __init__(self, folder: Path, stack: str, pip: Path) -> None:
        self.lock_path = PROJECT.stack_lock_path(stack)
        self.lock = parse_stack_lock(self.lock_path.read_bytes(), file=stack)
        base_path = PROJECT.base_lock_path(self.lock.base)
        base = parse_base_lock(base_path.read_bytes(), file=self.lock.base)
        argv = ensure_interpreter(base, make_file_store(), make_artefact_store(), HOST).argv
        loader, option, libraries, program = argv[:4]
        self.folder = folder
        self.python = folder / "venv/bin/python"
        self.python.parent.mkdir(parents=True)
        # The loader is told the environment's own name for Python, by which that finds pyvenv.cfg.
        self.python.write_text(f'#!/bin/sh\nexec {loader} --argv0 "$0" {option} {libraries} {program} "$@"\n')
        self.python.chmod(0o755)
        settings = f"home = {Path(program).parent}\ninclude-system-site-packages = false\n"
        (folder / "venv/pyvenv.cfg").write_text(settings)
        self.pip = pip

    def run(self, *argv: str, pip: bool = False) -> str:
        """Run a program of the environment, without network settings of the user."""
        environment = {"PATH": os.defpath, "HOME": str(self.folder), "PIP_CONFIG_FILE": os.devnull}
        # The interpreter lies in the user's cache, where nothing is to be written.
        environment |= {"PYTHONPYCACHEPREFIX": str(self.pip.with_name("bytecode"))}
        environment |= {"PYTHONPATH": str(self.pip)} if pip else {}
        # Not in the checkout: Python would find what is there.
        done = subprocess.run(argv, cwd=self.folder, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def installed(self) -> dict[str, str]:
        """List what is installed, by normalised name."""
        rows = json.loads(self.run(str(self.python), "-c", _LIST))
        return {canonicalize_name(name): version for name, version in rows}

    def locked(self) -> dict[str, str]:
        """List what the lock has for this machine."""
        return {candidate.project: candidate.version for candidate in self.lock.candidates_for(HOST)}

    def check(self) -> str:
        """Ask pip whether every requirement is met."""
        return self.run(str(self.python), "-m", "pip", "check", pip=True)


@pytest.fixture(scope="module")
def pip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """This environment's pip, alone in a folder."""
    found, folder = distribution("pip"), tmp_path_factory.mktemp("pip") / "pip"
    assert Version(found.version) >= PIP
    for part in ("pip", f"pip-{found.version}.dist-info"):
        shutil.copytree(str(found.locate_file(part)), folder / part, ignore=shutil.ignore_patterns("__pycache__"))
    return folder


@pytest.fixture
def environment(tmp_path: Path, request: pytest.FixtureRequest, pip: Path) -> Environment:
    """Make an environment for a stack, with its files fetched."""
    stack: str = request.param
    argv = [sys.executable, "-m", "builder", "--project", str(ROOT), "fetch", stack, "--platform", "host"]
    subprocess.run(argv, cwd=ROOT, check=True, capture_output=True)
    return Environment(tmp_path, stack, pip)


@pytest.mark.parametrize("environment", STACKS, indirect=True)
def test_pip_installs_exactly_the_lock(environment: Environment) -> None:
    install = (str(environment.python), "-m", "pip", "install", "--no-index", "--no-compile", "-q", "-r")
    environment.run(*install, str(environment.lock_path), pip=True)
    assert environment.installed() == environment.locked()
    assert environment.check() == "No broken requirements found.\n"


@pytest.mark.parametrize("environment", STACKS, indirect=True)
def test_uv_syncs_to_exactly_the_lock(environment: Environment) -> None:
    sync = (find_uv_bin(), "pip", "sync", "--offline", "--no-config", "--quiet", "--preview-features", "pylock")
    environment.run(*sync, "--python", str(environment.python), str(environment.lock_path))
    assert environment.installed() == environment.locked()
    assert environment.check() == "No broken requirements found.\n"


@pytest.mark.parametrize("environment", ["core"], indirect=True)
def test_exported_requirements_install_offline_from_a_folder_of_wheels(
    environment: Environment, tmp_path: Path
) -> None:
    requirements, wheels = tmp_path / "requirements.txt", tmp_path / "wheels"
    argv = [sys.executable, "-m", "builder", "--project", str(ROOT), "lock", "export", "core", "--platform", "host"]
    argv += ["--format", "requirements", "--output", str(requirements), "--wheels", str(wheels)]
    subprocess.run(argv, check=True, capture_output=True)
    install = (str(environment.python), "-m", "pip", "install", "--no-compile", "-q", "--require-hashes", "--no-index")
    environment.run(*install, "--find-links", str(wheels), "-r", str(requirements), pip=True)
    assert environment.installed() == environment.locked()
