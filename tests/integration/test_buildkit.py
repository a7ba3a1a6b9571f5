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

from tests.support.tools import ROOT, docker_daemon, run_tool

pytestmark = [pytest.mark.tools, pytest.mark.slow]


def test_core_by_buildkit_equals_ours_and_the_exported_dockerfile_builds_as_it_is(tmp_path: Path) -> None:
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
