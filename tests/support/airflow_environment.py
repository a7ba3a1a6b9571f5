"""A virtual environment of a shipped stack's locked wheels with this program in it: Airflow as teams run it, without an image."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from sysconfig import get_path

from uv import find_uv_bin

from tests.conftest import Kubler, fetch_files
from tests.support.index_project import IndexProject
from tests.support.tools import ROOT, give_up

_STACKS = {(3, 11): "core-py311", (3, 13): "core"}
"""By the Python that they are for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AirflowEnvironment:
    """Airflow, its settings and what it wrote, in a folder."""

    folder: Path
    home: Path
    settings: Mapping[str, str]
    """Of the environment."""

    @property
    def environment(self) -> dict[str, str]:
        """All that its processes have of the environment."""
        return {
            **self.settings,
            "AIRFLOW_HOME": str(self.home),
            "PATH": f"{self.folder / 'bin'}{os.pathsep}{self.settings['PATH']}",
        }

    def run(self, *arguments: str, status: int = 0) -> str:
        """Run `airflow`; returns all that it said. Another exit status fails the test."""
        done = subprocess.run(
            [self.folder / "bin/airflow", *arguments],
            cwd=self.home,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        assert done.returncode == status, f"{arguments}: {done.returncode}\n{done.stdout[-6000:]}"
        return done.stdout


def make_airflow(folder: Path, home: Path, project: IndexProject) -> AirflowEnvironment:
    """Set Airflow up to run the nights of a project, by the DAG of the examples.

    Args:
        folder: where it is installed.
        home: where it shall write; not there yet.
        project: whose nights they are.
    """
    home.mkdir()
    settings = {
        **project.environment(),
        "AIRFLOW__CORE__DAGS_FOLDER": str(ROOT / "examples/nightly/dags"),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW_KUBLER_PROJECT": str(project.folder),
    }
    return AirflowEnvironment(folder=folder, home=home, settings=settings)


def install_airflow(folder: Path, kubler: Kubler) -> None:
    """Install what the lock names, offline, for the Python that runs this; and behind it what this program needs.

    So of a distribution that both need, it is Airflow's that is used: as where `airflow-kubler` is installed into an image.
    """
    stack = _STACKS.get(sys.version_info[:2])
    if stack is None:
        give_up("no shipped stack is for this Python")
    fetch_files(kubler, stack)
    uv = find_uv_bin()
    for words in (
        ("venv", "--quiet", "--python", sys.executable, folder),
        (
            *("pip", "install", "--quiet", "--offline", "--no-deps", "--python", folder / "bin/python"),
            *("-r", ROOT / f"locks/pylock.{stack}.toml"),
        ),
    ):
        done = subprocess.run([uv, *words], env=dict(os.environ), capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
    [packages] = folder.glob("lib/python*/site-packages")
    ours = get_path("purelib")
    (packages / "zz-ours.pth").write_text(f"import site; site.addsitedir({ours!r})\n")
