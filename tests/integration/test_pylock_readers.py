"""pip and uv read our locks as they are, files/ and all."""

from __future__ import annotations

import os
import subprocess
import sys
import venv
from pathlib import Path

import pytest
import uv

from builder.lock.model import BuiltWheel, LockedFile
from builder.lock.pylock import dump_stack_lock, wheel_path
from builder.platform import AMD64, ARM64
from tests.support.index_server import make_wheel
from tests.support.stack_locks import make_candidate, make_file, make_lock

VERSIONS = {"alpha": "1.0", "beta": "2.0"}


@pytest.fixture
def lock(tmp_path: Path) -> Path:
    """Write a lock for this Python, with its wheels beside it; beta is for this machine's platform alone."""
    from builder.digest import Digest

    here = AMD64 if os.uname().machine == AMD64.machine else ARM64
    candidates = []
    for project, version in VERSIONS.items():
        data = make_wheel(project, version)
        file = LockedFile(name=f"{project}-{version}-py3-none-any.whl", size=len(data), sha256=Digest.of(data))
        path = tmp_path / wheel_path(file)
        path.parent.mkdir(parents=True)
        path.write_bytes(data)
        platforms = (AMD64, ARM64) if project == "alpha" else (here,)
        # What our own tables say besides changes nothing: a built wheel is a wheel, its sdist is nobody's to build.
        built = BuiltWheel(sdist=make_file(f"{project}-{version}.tar.gz"), requires=()) if project == "alpha" else None
        wheels = {platform.name: file for platform in platforms}
        candidates.append(
            make_candidate(
                project, version, wheels=wheels, dependencies=(), tested=version, index="internal", built=built
            )
        )
    python = ".".join(str(part) for part in sys.version_info[:3])
    path = tmp_path / "pylock.etl.toml"
    path.write_bytes(dump_stack_lock(make_lock(*candidates, python_version=python)))
    return path


def installed(python: Path) -> dict[str, str]:
    code = "from importlib.metadata import distributions as d\nfor x in d(): print(x.metadata['Name'], x.version, sep='==')"
    text = subprocess.run([python, "-c", code], capture_output=True, text=True, check=True).stdout
    pairs = (line.partition("==") for line in text.splitlines())
    return {name: version for name, _, version in pairs if name in VERSIONS}


@pytest.mark.slow
def test_uv_syncs_from_a_lock_offline(tmp_path: Path, lock: Path) -> None:
    venv.create(tmp_path / "venv", with_pip=False)
    python = tmp_path / "venv/bin/python"
    environment = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "UV_NO_CONFIG": "1"}
    command = [
        uv.find_uv_bin(),
        "pip",
        "sync",
        "--offline",
        "--preview-features",
        "pylock",
        "--python",
        str(python),
        str(lock),
    ]
    subprocess.run(command, env=environment, check=True, capture_output=True)
    assert installed(python) == VERSIONS


@pytest.mark.slow
@pytest.mark.network
def test_pip_installs_from_a_lock(tmp_path: Path, lock: Path) -> None:
    venv.create(tmp_path / "venv", with_pip=True)
    python = str(tmp_path / "venv/bin/python")
    subprocess.run([python, "-m", "pip", "install", "-q", "pip>=26.1"], check=True, capture_output=True)
    command = [python, "-m", "pip", "install", "--no-index", "-r", str(lock)]
    subprocess.run(command, check=True, capture_output=True, env={**os.environ, "PIP_CONFIG_FILE": os.devnull})
    assert installed(Path(python)) == VERSIONS


@pytest.mark.slow
def test_uv_notices_a_file_that_is_not_the_locked_one(tmp_path: Path, lock: Path) -> None:
    venv.create(tmp_path / "venv", with_pip=False)
    wheel = next(tmp_path.glob("files/*/alpha*.whl"))
    wheel.write_bytes(make_wheel("alpha", "1.0", ["other"]))
    environment = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "UV_NO_CONFIG": "1"}
    python = str(tmp_path / "venv/bin/python")
    command = [
        uv.find_uv_bin(),
        "pip",
        "sync",
        "--offline",
        "--preview-features",
        "pylock",
        "--python",
        python,
        str(lock),
    ]
    assert subprocess.run(command, env=environment, check=False, capture_output=True).returncode != 0
