"""The same suite for every engine that starts from an unpacked root, on a small image made of this machine's own shell."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from builder.run.model import Engine
from builder.run.oci_runtime import OciRuntimeEngine
from builder.run.rootfs import TreeStore
from builder.run.userns import UserNamespaceEngine
from builder.store.artefacts import DirectoryArtefactStore
from tests.support.tools import give_up

pytestmark = pytest.mark.tools

PROGRAM = """
import json, os, sys
from pathlib import Path
from builder.run.model import RunWish, Volume
from builder.store.artefacts import DirectoryArtefactStore
from tests.integration.test_engines import make_engine
from tests.support.tiny_image import write_tiny_image

told = json.loads(sys.argv[1])
folder = Path(told.pop("folder"))
engine = make_engine(told.pop("engine"), DirectoryArtefactStore(folder / "cache", durable=False))
image = write_tiny_image(folder / "image", os.uname().machine)
volumes = tuple(Volume(source=Path(a), target=b, read_only=c) for a, b, c in told.pop("volumes", ()))
home = told.pop("home", None)
wish = RunWish(command=("-c", told.pop("script")), volumes=volumes, home=home and Path(home), **told)
sys.exit(engine.run(image, wish))
"""


def make_engine(name: str, store: TreeStore) -> Engine:
    return UserNamespaceEngine(store) if name == "userns" else OciRuntimeEngine(name, store)


@pytest.fixture(params=["runc", "crun", "userns"])
def engine(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    name: str = request.param
    reason = make_engine(name, DirectoryArtefactStore(tmp_path / "probe")).unavailable()
    if reason == "refuses this machine's hybrid cgroups":
        pytest.skip(f"{name} {reason}")
    if reason:
        give_up(f"{name} {reason}")
    return name


def run(engine: str, folder: Path, script: str, *, said: str = "", **wish: object) -> tuple[int, str]:
    """Run a script of the small image in a process of its own; gives status and output."""
    told = json.dumps({"engine": engine, "folder": str(folder), "script": script, "network": "none"} | wish)
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, told],
        cwd=Path(__file__).parents[2],
        env=dict(os.environ) | {"PYTHONPATH": "."},
        input=said,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    return done.returncode, done.stdout + done.stderr


def test_user_is_the_images(engine: str, tmp_path: Path) -> None:
    assert run(engine, tmp_path, "id -u; id -g; pwd") == (0, "50000\n0\n/opt/airflow\n")


def test_standard_input_and_exit_status_are_passed_on(engine: str, tmp_path: Path) -> None:
    assert run(engine, tmp_path, "cat; exit 7", said="hello\n") == (7, "hello\n")


def test_root_is_read_only_and_scratch_is_writable(engine: str, tmp_path: Path) -> None:
    status, told = run(engine, tmp_path, "touch /tmp/a /var/tmp/b /dev/shm/c x && touch /usr/x")
    assert status == 1
    assert told == "touch: cannot touch '/usr/x': Read-only file system\n"


def test_process_has_no_capabilities_and_gains_none(engine: str, tmp_path: Path) -> None:
    status, told = run(engine, tmp_path, "cat /proc/self/status")
    assert status == 0
    assert "CapEff:\t0000000000000000" in told
    assert "CapPrm:\t0000000000000000" in told
    assert "NoNewPrivs:\t1" in told


def test_processes_outside_are_not_seen(engine: str, tmp_path: Path) -> None:
    assert run(engine, tmp_path, "kill -0 2 2>/dev/null || echo alone") == (0, "alone\n")


def test_localhost_has_an_address_without_network(engine: str, tmp_path: Path) -> None:
    assert run(engine, tmp_path, "cat /etc/hosts")[1].startswith("127.0.0.1 localhost\n")


def test_variables_come_from_image_and_wish(engine: str, tmp_path: Path) -> None:
    assert run(engine, tmp_path, "echo $GREETING $A", env=[["A", "b"]]) == (0, "hello b\n")


def test_home_is_kept(engine: str, tmp_path: Path) -> None:
    home = tmp_path / "kept"
    assert run(engine, tmp_path / "1", "ls; touch x", home=str(home)) == (0, "dags\n")
    assert run(engine, tmp_path / "2", "ls", home=str(home)) == (0, "dags\nx\n")


def test_volume_below_home_is_shown_read_only(engine: str, tmp_path: Path) -> None:
    shown = tmp_path / "shown"
    shown.mkdir()
    (shown / "dag.py").touch()
    status, told = run(
        engine, tmp_path, "ls dags/new; touch dags/new/x", volumes=[[str(shown), "/opt/airflow/dags/new", True]]
    )
    assert status == 1
    assert told == "dag.py\ntouch: cannot touch 'dags/new/x': Read-only file system\n"


def test_volume_without_a_place_in_the_image_is_refused(engine: str, tmp_path: Path) -> None:
    status, told = run(engine, tmp_path, "true", volumes=[[str(tmp_path), "/nowhere", False]])
    assert status == 1
    assert "/nowhere is not there in the image, whose root is read-only" in told


def test_writable_root_is_a_copy_that_is_thrown_away(engine: str, tmp_path: Path) -> None:
    shown = tmp_path / "shown"
    shown.mkdir()
    volumes = [[str(shown), "/nowhere", False]]
    assert run(engine, tmp_path, "ls -d /nowhere", read_only=False, volumes=volumes) == (0, "/nowhere\n")
    assert not list((tmp_path / "cache").rglob("nowhere"))
