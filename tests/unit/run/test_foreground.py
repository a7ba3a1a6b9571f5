"""Programs that nobody watches."""

from __future__ import annotations

import sys
import threading
import time
from pathlib import Path

import pytest

from builder.errors import ToolError
from builder.run.foreground import Quiet, run_foreground


def test_all_output_goes_to_the_log_and_there_is_no_input(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    log = tmp_path / "log"
    assert run_foreground(["sh", "-c", "cat; echo a; echo b >&2; exit 3"], quiet=Quiet(log=log)) == 3
    assert log.read_text() == "a\nb\n"
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("script", ["sleep 60", "trap '' TERM; echo on; while :; do sleep 0.1; done"])
def test_what_does_not_end_in_its_time_is_ended(script: str, tmp_path: Path) -> None:
    began = time.monotonic()
    with pytest.raises(ToolError, match="did not end within 1 s, and was ended"):
        run_foreground(["sh", "-c", script], quiet=Quiet(log=tmp_path / "log", timeout_s=1))
    assert time.monotonic() - began < 30


def test_it_may_run_in_any_thread(tmp_path: Path) -> None:
    found: list[int] = []
    argv = [sys.executable, "-c", "raise SystemExit(4)"]
    thread = threading.Thread(target=lambda: found.append(run_foreground(argv, quiet=Quiet(log=tmp_path / "log"))))
    thread.start()
    thread.join()
    assert found == [4]
