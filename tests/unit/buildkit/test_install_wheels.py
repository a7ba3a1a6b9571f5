"""The second reading of wheels: the same files as the engine's, and nothing outside of its folder."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from builder.buildkit import install_wheels
from builder.buildkit.install_wheels import Target, installed_files
from builder.wheel import bytecode
from builder.wheel.compile_worker import compile_source
from builder.wheel.install import install_entries
from builder.wheel.refusal import Refusal
from builder.wheel.wheel import read_wheel
from tests.support.hostile_wheels import A1, A2, A3, A5, A6, Hostile
from tests.support.wheels import WheelParts

PREFIX = "home/airflow/.local"
PYTHON = f"{sys.version_info.major}.{sys.version_info.minor}"
MTIME = 1_790_000_000
WHEELS = {
    "plain": WheelParts(),
    "every scheme": WheelParts(
        name="De_mo",
        files={
            "demo/__init__.py": b"SETS = [x in {'a', 'b'} for x in 'ab']\n",
            "demo/data, with comma.txt": b"d",
            "De_mo-1.0.data/purelib/pure.py": b"p = 1\n",
            "De_mo-1.0.data/platlib/plat.py": b"q = 2\n",
            "De_mo-1.0.data/scripts/run": b"#!python -E\nx",
            "De_mo-1.0.data/scripts/windowed": b"#!pythonw\r\nx",
            "De_mo-1.0.data/scripts/shell": b"#!/bin/sh\nx",
            "De_mo-1.0.data/headers/sub/demo.h": b"h",
            "De_mo-1.0.data/data/share/demo.txt": b"d",
        },
    ),
    "entry points": WheelParts(
        files={"demo/__init__.py": b""},
        entry_points=b"# a comment\n[console_scripts]\nRun-It = demo.cli:main.inner [extra]\n\n[gui_scripts]\nshow=demo:show\n"
        b"[other]\nx = demo:y\n",
    ),
    "modes": WheelParts(
        files={"demo/tool": b"#!/bin/sh\n", "demo/lib.so": b"\x7fELF", "demo/data.bin": b"data", "demo/plain": b"#!x"},
        executable=("demo/tool", "demo/lib.so", "demo/data.bin"),
    ),
    "bytecode of its own": WheelParts(
        files={
            "demo/__init__.py": b"x = 1\n",
            "demo/__pycache__/__init__.cpython-313.pyc": b"evil",
            "demo/old.pyc": b"kept",
            "demo/template.py": b"{{ not python }}\n",
        }
    ),
}


def run(folder: Path, *wheels: tuple[str, bytes], lie: str = "") -> subprocess.CompletedProcess[str]:
    """Run it as a step of a Dockerfile does: by a bare Python, beside the compiler."""
    layer, program = folder / "layer", folder / "install"
    for made in (layer, program):
        made.mkdir(parents=True)
    listed = []
    for name, data in wheels:
        (layer / name).write_bytes(data)
        listed.append({"name": name, "sha256": lie or hashlib.sha256(data).hexdigest()})
    settings = {"mtime": MTIME, "prefix": PREFIX, "python": PYTHON, "wheels": listed}
    (layer / "layer.json").write_text(json.dumps(settings))
    shutil.copy(install_wheels.__file__, program / "install_wheels.py")
    shutil.copy(bytecode.WORKER, program / "compile_worker.py")
    argv = [sys.executable, "-I", "-S", "-B", str(program / "install_wheels.py"), str(layer), str(folder / "out")]
    return subprocess.run(argv, capture_output=True, text=True, check=False, umask=0o077)


def tree(folder: Path) -> dict[str, tuple[bytes, int]]:
    return {
        path.relative_to(folder).as_posix(): (path.read_bytes(), stat.S_IMODE(path.stat().st_mode))
        for path in folder.rglob("*")
        if path.is_file()
    }


def engines(parts: WheelParts) -> dict[str, tuple[bytes, int]]:
    wheel = read_wheel(parts.pack(), file_name=parts.file_name)
    made = {}
    for entry in install_entries(wheel, python=PYTHON, prefix=PREFIX):
        made[entry.path] = (entry.data, entry.mode)
        compiled = compile_source(f"/{entry.path}", entry.data) if entry.path.endswith(".py") else None
        if compiled is not None and "/site-packages/" in entry.path:
            folder, _, name = entry.path.rpartition("/")
            tag = f"cpython-{PYTHON.replace('.', '')}"
            made[f"{folder}/__pycache__/{name.removesuffix('.py')}.{tag}.pyc"] = (compiled, 0o644)
    return made


@pytest.mark.parametrize("name", WHEELS)
def test_it_installs_what_the_engine_does(name: str, tmp_path: Path) -> None:
    parts = WHEELS[name]
    done = run(tmp_path, (parts.file_name, parts.pack()))
    assert done.returncode == 0, done.stderr
    assert tree(tmp_path / "out") == engines(parts)


def test_times_are_those_of_the_layer_whatever_the_umask(tmp_path: Path) -> None:
    assert run(tmp_path, (WHEELS["plain"].file_name, WHEELS["plain"].pack())).returncode == 0
    made = [path for path in (tmp_path / "out").rglob("*") if path.is_file()]
    assert {int(path.stat().st_mtime) for path in made} == {MTIME}
    folders = [path for path in (tmp_path / "out" / PREFIX / "lib").rglob("*") if path.is_dir()]
    assert {stat.S_IMODE(path.stat().st_mode) for path in folders} == {0o755}


def test_a_wheel_that_is_not_the_locked_one_is_refused(tmp_path: Path) -> None:
    done = run(tmp_path, (WHEELS["plain"].file_name, WHEELS["plain"].pack()), lie="0" * 64)
    assert done.returncode == 1
    assert f"the lock says {'0' * 64}" in done.stderr
    assert tree(tmp_path / "out") == {}


def test_two_wheels_of_a_layer_lie_side_by_side(tmp_path: Path) -> None:
    one, two = WheelParts(name="one", files={"one.py": b""}), WheelParts(name="two", files={"two.py": b""})
    done = run(tmp_path, (one.file_name, one.pack()), (two.file_name, two.pack()))
    assert done.returncode == 0, done.stderr
    assert tree(tmp_path / "out") == {**engines(one), **engines(two)}


@pytest.mark.parametrize("hostile", [*A1, *A2, *A3, *A5, *A6], ids=lambda one: one.name.replace(" ", "-"))
def test_whatever_a_wheel_holds_nothing_is_written_outside(hostile: Hostile, tmp_path: Path) -> None:
    # The engine refuses each of these before it reaches a context; here they must do no harm all the same.
    out = tmp_path / "a/b/c/out"
    out.mkdir(parents=True)
    climbs = hostile.kind in {Refusal.NAME_TRAVERSAL, Refusal.NAME_ABSOLUTE, Refusal.SCRIPT_NAME}
    refused = False
    try:
        made = installed_files(hostile.make(), hostile.file_name, python="3.13", prefix=PREFIX)
        for path, (body, program) in made.items():
            Target(out, MTIME).write(path, body, program=program)
    except Exception:  # noqa: BLE001  however it refuses, the step ends
        refused = True
    assert refused or not climbs
    assert [path for path in tmp_path.rglob("*") if not path.is_dir() and not path.is_relative_to(out)] == []
    assert not [path for path in out.rglob("*") if path.is_symlink() or not (path.is_file() or path.is_dir())]
    assert not [path for path in out.rglob("*") if path.stat().st_mode & 0o6000]


@pytest.mark.parametrize("path", ["../x", "a/../x", "/x", "a//x", "a/./x", "", "a/"])
def test_a_path_that_climbs_is_refused(path: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="a path that climbs"):
        Target(tmp_path / "out", MTIME).write(path, b"", program=False)
    assert list(tmp_path.iterdir()) == []


def test_folders_that_the_image_has_keep_its_rights(tmp_path: Path) -> None:
    there = tmp_path / "image/folder"
    there.mkdir(parents=True)
    there.chmod(0o2770)
    out = tmp_path / "out"
    out.mkdir()
    path = f"{there.relative_to('/')}/new/file"
    Target(out, MTIME).write(path, b"x", program=True)
    made = out / there.relative_to("/")
    assert stat.S_IMODE(made.stat().st_mode) == 0o2770
    assert (made.stat().st_uid, made.stat().st_gid) == (os.geteuid(), there.stat().st_gid)
    assert stat.S_IMODE((made / "new").stat().st_mode) == 0o755
    assert stat.S_IMODE((made / "new/file").stat().st_mode) == 0o755


def test_a_file_in_the_place_of_a_folder_of_the_image_is_refused(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("/etc")
    (tmp_path / "out").mkdir()
    with pytest.raises(ValueError, match="is no folder"):
        Target(tmp_path / "out", MTIME).write(f"{(tmp_path / 'link').relative_to('/')}/x", b"", program=False)
