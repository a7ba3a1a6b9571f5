"""The committed lock of `core`, both platforms, built by another Python: one and the same layout.

Other users, folders, umasks and hash seeds are the matter of test_build_twice.py; here it is the interpreter that runs this
program, whose standard library (zlib, tarfile, json, tomllib) may leave no trace in an image.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.support.filled_store import files_of_stack, link_files
from tests.support.tools import ROOT, give_up, run_tool

if TYPE_CHECKING:
    from tests.conftest import Built

pytestmark = [pytest.mark.slow, pytest.mark.network]

MINORS = (14, 13, 12, 11)


@pytest.fixture(scope="module")
def other_python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Another version of Python than this one, with what this program needs."""
    found = next((path for path in iter_pythons() if is_other(path)), None)
    if found is None:
        give_up(f"no Python but {sys.version_info.major}.{sys.version_info.minor} on PATH or below ~/.pyenv")
    folder = tmp_path_factory.mktemp("other") / "venv"
    run_tool(found, "-m", "venv", "--without-pip", folder)
    python = folder / "bin" / "python"
    pins = ROOT / "requirements/runtime.txt"
    # By the pip of this environment, which is at hand.
    pip = (sys.executable, "-m", "pip", "--python", python, "install", "--quiet", "--no-compile")
    run_tool(*pip, "--require-hashes", "--only-binary", ":all:", "-r", pins)
    return python


def test_core_is_the_same_by_another_python(core: Built, other_python: Path, tmp_path: Path) -> None:
    cache, output = tmp_path / "cache", tmp_path / "layout"
    link_files(cache, files_of_stack("core"))
    done = subprocess.run(
        [
            other_python,
            "-m",
            "builder",
            "--project",
            ROOT,
            "build",
            "core",
            "--jobs",
            "1",
            "--output",
            output,
            "--json",
        ],
        env={
            "PATH": os.environ["PATH"],
            "PYTHONPATH": str(ROOT),
            "AIRFLOW_KUBLER_CACHE": str(cache),
            "TZ": "Asia/Tokyo",
            "LC_ALL": "C",
            "PYTHONHASHSEED": "4242",
        },
        cwd=tmp_path,
        umask=0o077,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == core.summary
    assert run_tool("diff", "-r", core.folder, output) == ""


def iter_pythons() -> Iterator[Path]:
    """List interpreters that may be there, the newest first."""
    home = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv")
    for minor in MINORS:
        yield from sorted((home / "versions").glob(f"3.{minor}.*/bin/python3.{minor}"))
        if on_path := shutil.which(f"python3.{minor}"):
            yield Path(on_path)


def is_other(python: Path) -> bool:
    """Tell whether it starts, is another version than this one, and can make virtual environments."""
    program = "import sys, venv; print(*sys.version_info[:2])"
    said = subprocess.run([python, "-c", program], capture_output=True, text=True, check=False)
    return said.returncode == 0 and said.stdout.split() != [str(number) for number in sys.version_info[:2]]
