"""What a run needs on disk: nothing is made outside of it, and nobody else reads its variables."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from builder.errors import InvalidInputError
from builder.run.model import RunWish, Volume
from builder.run.sandbox import make_sandbox


@pytest.fixture
def rootfs(tmp_path: Path) -> Path:
    root = tmp_path / "rootfs"
    (root / "opt/airflow/dags").mkdir(parents=True)
    return root


def wish(tmp_path: Path, target: str, *, home: Path | None = None) -> RunWish:
    source = tmp_path / "source"
    source.mkdir(exist_ok=True)
    return RunWish(command=(), home=home, network="none", volumes=(Volume(source=source, target=target),))


def test_a_volume_below_airflow_home_gets_its_place(rootfs: Path, tmp_path: Path) -> None:
    with make_sandbox(rootfs, wish(tmp_path, "/opt/airflow/dags/mine")) as sandbox:
        assert (sandbox.home / "dags/mine").is_dir()


@pytest.mark.parametrize("target", ["/opt/airflow/link/new", "/opt/airflow/../../../../outside/new"])
def test_a_place_outside_is_never_made(rootfs: Path, tmp_path: Path, target: str) -> None:
    outside, home = tmp_path / "outside", tmp_path / "home"
    outside.mkdir()
    home.mkdir()
    (home / "link").symlink_to(outside)  # A container can leave this in a folder that is kept.
    with (
        pytest.raises(InvalidInputError, match="leads through a link or upwards"),
        make_sandbox(rootfs, wish(tmp_path, target, home=home)),
    ):
        pass
    assert not list(outside.iterdir())


def test_files_of_the_engine_are_for_its_user_alone(rootfs: Path) -> None:
    with make_sandbox(rootfs, RunWish(command=(), network="none")) as sandbox:
        path = sandbox.write_private("spec.json", "{}")
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert not path.exists()
