"""The script that runs in containers: any Python, the standard library, every file held to RECORD."""

from __future__ import annotations

import ast
import base64
import hashlib
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from builder.usecase.drift import inside_script


def record_line(path: str, data: bytes) -> str:
    digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
    return f"{path},sha256={digest},{len(data)}"


def install(site: Path, name: str, version: str = "1.0") -> None:
    info = site / f"{name}-{version}.dist-info"
    info.mkdir(parents=True)
    (site / name).mkdir()
    files = {
        f"{name}/__init__.py": b"",
        f"{name}/core.py": b"x = 1\n",
        f"{info.name}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n".encode(),
        f"{info.name}/INSTALLER": b"airflow-kubler\n",
        f"../../../bin/{name}": b"#!python\n",
    }
    (site / "../../../bin").resolve().mkdir(exist_ok=True)
    for path, data in files.items():
        (site / path).resolve().write_bytes(data)
    rows = [*(record_line(path, data) for path, data in files.items()), f"{info.name}/RECORD,,"]
    (info / "RECORD").write_text("\n".join(rows) + "\n")


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """Site-packages of a virtual environment of this Python: a link and a file are all that makes one."""
    base = Path(sys.base_prefix)
    found = tmp_path / "venv/lib" / f"python{sys.version_info[0]}.{sys.version_info[1]}" / "site-packages"
    found.mkdir(parents=True)
    (tmp_path / "venv/bin").mkdir()
    (tmp_path / "venv/bin/python").symlink_to(Path(sys.executable).resolve())
    (tmp_path / "venv/pyvenv.cfg").write_text(f"home = {base / 'bin'}\ninclude-system-site-packages = false\n")
    install(found, "alpha")
    install(found, "beta")
    return found


def run(site: Path, *, env: dict[str, str] | None = None, cwd: Path | None = None) -> dict[str, Any]:
    python = site.parents[2] / "bin/python"
    done = subprocess.run(
        [python, "-"],
        input=inside_script(),
        capture_output=True,
        text=True,
        check=True,
        cwd=cwd,
        env=dict(os.environ) | (env or {}),
    )
    assert done.stderr == ""
    told: dict[str, Any] = json.loads(done.stdout)
    return told


def by_name(told: dict[str, Any]) -> dict[str, Any]:
    return {one["name"]: one for one in told["distributions"]}


def test_what_is_whole_is_told_as_whole(site: Path) -> None:
    told = run(site)
    assert told["format"] == "airflow-kubler inside 1"
    assert told["prefix"] == str(site.parents[2])
    assert (told["strays"], told["more_strays"]) == ([], 0)
    assert by_name(told)["alpha"] == {
        "name": "alpha", "version": "1.0", "place": str(site), "installer": "airflow-kubler",
        "changed": [], "missing": [], "more_changed": 0,
    }  # fmt: skip
    assert set(by_name(told)) == {"alpha", "beta"}


def test_changed_missing_and_stray_files_are_told(site: Path) -> None:
    (site / "alpha/core.py").write_text("x = 2\n")
    (site / "beta/core.py").unlink()
    (site / "../../../bin/beta").resolve().write_text("#!/bin/sh\n")
    (site / "sitecustomize.py").write_text("")
    (site / "evil.pth").write_text("")
    (site / "alpha/__pycache__").mkdir()
    (site / "alpha/__pycache__/core.cpython-39.pyc").write_bytes(b"")
    told = run(site)
    assert by_name(told)["alpha"]["changed"] == ["alpha/core.py"]
    assert by_name(told)["beta"]["changed"] == ["../../../bin/beta"]
    assert by_name(told)["beta"]["missing"] == ["beta/core.py"]
    assert told["strays"] == [str(site / "evil.pth"), str(site / "sitecustomize.py")]


def test_lists_have_an_end(site: Path) -> None:
    for number in range(120):
        (site / f"stray{number}.py").write_text("")
    told = run(site)
    assert (len(told["strays"]), told["more_strays"]) == (50, 70)


def test_what_comes_by_another_path_is_told_with_its_place(site: Path, tmp_path: Path) -> None:
    extra = tmp_path / "a/b/c/extra"
    install(extra, "gamma")
    assert by_name(run(site, env={"PYTHONPATH": str(extra)}))["gamma"]["place"] == str(extra)
    # The folder that a person happens to stand in is none that Airflow imports from.
    assert "gamma" not in by_name(run(site, cwd=extra))


def test_broken_metadata_stops_nothing(site: Path) -> None:
    (site / "alpha-1.0.dist-info/METADATA").write_bytes(b"\xff\xfe")
    (site / "beta-1.0.dist-info/METADATA").unlink()
    (site / "beta-1.0.dist-info/RECORD").write_text('"unclosed\nbeta/core.py,nonsense=x,1\n')
    (site / "empty-2.0.dist-info").mkdir()
    (site / "egg.egg-info").write_text("Name: egg\nVersion: 3\n")
    told = run(site)
    assert {"alpha", "beta", "empty", "egg"} <= set(by_name(told))


def test_it_is_written_for_python_3_9_and_the_standard_library_alone() -> None:
    tree = ast.parse(inside_script(), feature_version=(3, 9))
    imported = {name.name for node in ast.walk(tree) if isinstance(node, ast.Import) for name in node.names}
    imported |= {str(node.module) for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    assert {name.partition(".")[0] for name in imported} <= sys.stdlib_module_names


def pythons() -> list[str]:
    """Find the Pythons of this machine that it is written for: on the path, and those of pyenv."""
    found = []
    for version in ("3.9", "3.10", "3.11", "3.12", "3.13", "3.14"):
        kept = sorted((Path.home() / ".pyenv/versions").glob(f"{version}.*/bin/python{version}"))
        found.append(str(kept[-1]) if kept else shutil.which(f"python{version}"))
    return [*(path for path in found if path and _starts(path)), sys.executable]


def _starts(program: str) -> bool:
    return subprocess.run([program, "-V"], capture_output=True, check=False).returncode == 0


@pytest.mark.parametrize("program", pythons(), ids=lambda path: Path(path).name)
def test_it_runs_in_the_pythons_that_are_here(program: str) -> None:
    done = subprocess.run([program, "-W", "error", "-c", inside_script()], capture_output=True, text=True, check=True)
    told = json.loads(done.stdout)
    assert (done.stderr, told["format"]) == ("", "airflow-kubler inside 1")
