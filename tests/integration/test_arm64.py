"""The arm64 image, built without emulation, starts Airflow under an emulator."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from builder.run.model import RunnableImage
from builder.run.rootfs import ensure_rootfs
from builder.wiring.stores import make_artefact_store
from tests.conftest import Built
from tests.support.tools import require_tool, run_tool

pytestmark = [pytest.mark.network, pytest.mark.tools, pytest.mark.slow]


def test_airflow_says_its_version_on_arm64(core: Built, tmp_path: Path) -> None:
    emulator = require_tool("qemu-aarch64")
    image = RunnableImage(stack="core", layout=core.folder, reference=core.image.name, image=core.platform("arm64"))
    root = ensure_rootfs(make_artefact_store(), image)
    # Not in a container: absolute paths lead into the root by qemu's -L, and Python is told where it lies.
    env = {
        "AIRFLOW_HOME": str(tmp_path),
        "PYTHONHOME": str(root / "usr"),
        "PYTHONPATH": str(root / "home/airflow/.local/lib/python3.13/site-packages"),
        "LC_ALL": "C.UTF-8",
        "HOME": str(tmp_path),
        "PATH": os.defpath,
    }
    program = root / "usr/bin/python3.13"
    told = run_tool(emulator, "-L", root, program, "-W", "ignore", "-m", "airflow", "version", env=env)
    assert told.splitlines()[-1] == "3.3.2"
