"""`test` where there is nothing to test with, or nothing to be tested."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from click.testing import CliRunner

from builder.cli.root import root
from tests.support.tools import ROOT


def test_an_engine_that_is_not_there_ends_with_4() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "builder", "--project", str(ROOT), "test", "core", "--engine", "podman"],
        env={"PATH": "/nowhere"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr.splitlines()[0]) == (4, "error: podman: is not installed")


def test_a_layout_goes_with_one_stack(tmp_path: Path) -> None:
    done = CliRunner().invoke(root, ["--project", str(ROOT), "test", "core", "aws", "--layout", str(tmp_path)])
    assert done.exit_code == 2
    assert "--layout holds one image: name its stack." in done.output
