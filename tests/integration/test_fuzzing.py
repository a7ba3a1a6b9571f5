"""Ten seconds of fuzzing for each of the five readers that take most from outside; `make fuzz` has them all, and ten minutes for each."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.support.tools import ROOT

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("target", ["wheel", "deb", "stack-lock", "packages", "registry"])
def test_a_short_run_of_a_target_finds_nothing(target: str) -> None:
    argv = [sys.executable, "-m", "tests.fuzz.run", "--seconds", "10", target]
    done = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
    assert "finds: none" in done.stdout


def test_the_blind_engine_reads_inputs_too() -> None:
    argv = [sys.executable, "-m", "tests.fuzz.run", "--blind", "--seconds", "2", "challenge"]
    done = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, check=True)
    assert int(done.stdout.partition("challenge: ")[2].partition(" runs")[0]) > 100
