"""The locks of `core` through a real dockerd: the same file system, and Airflow runs from it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from tests.support.tools import ROOT, Registry, docker_daemon, run_tool

pytestmark = [pytest.mark.tools, pytest.mark.slow]


def test_core_by_buildkit_equals_ours_and_the_exported_dockerfile_builds_as_it_is(
    tmp_path: Path, local_registry: Registry
) -> None:
    folder = Path(tempfile.mkdtemp(prefix="bk"))
    try:
        with docker_daemon(folder) as environment:
            command = [sys.executable, "-m", "builder", "--project", str(ROOT)]
            done = subprocess.run(
                [*command, "build", "--engine", "buildkit", "--check", "--json", "core", "-o", str(tmp_path / "core")],
                env=dict(os.environ) | environment,
                capture_output=True,
                text=True,
                check=False,
            )
            assert done.returncode == 0, done.stderr
            assert json.loads(done.stdout)["differences"] == []
            _ship(command, tmp_path, local_registry.host)
            run_tool(*command, "export", "dockerfile", "core", "-o", tmp_path / "context")
            docker = {**environment, "DOCKER_BUILDKIT": "1"}
            # Debian's client: others want a plugin to build.
            client = "/usr/bin/docker"
            run_tool(client, "build", "--network", "none", "-t", "core", tmp_path / "context", env=docker)
            run = (client, "run", "--rm", "--network", "none", "core", "airflow")
            assert run_tool(*run, "version", env=docker).strip()
            run_tool(*run, "db", "migrate", env=docker)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _ship(command: list[str], folder: Path, host: str) -> None:
    """What BuildKit built is verified by its files, looked at, pushed and pulled like an image of the engine."""
    layout = folder / "core"
    verified = json.loads(run_tool(*command, "verify", "core", "--layout", layout, "--json"))
    assert verified["reproduced"]
    seen = json.loads(run_tool(*command, "inspect", "core", "--layout", layout, "--json"))
    repository = f"{host}/team/buildkit"
    run_tool(*command, "push", repository, "core", "--layout", layout)
    run_tool(*command, "pull", f"{repository}@{seen['index_digest']}", "-o", folder / "pulled")
    assert (folder / "pulled/index.json").is_file()
    assert json.loads(run_tool(*command, "verify", "core", "--layout", folder / "pulled", "--json"))["reproduced"]
