"""Starts a foreign program on this process's own terminal and streams, and waits for it."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any

from builder.errors import ToolError

_GRACE_S = 5
_FORWARDED = (signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2)


@dataclass(frozen=True, slots=True, kw_only=True)
class Quiet:
    """How a program is run that nobody watches."""

    log: Path | None = None
    """Takes its output, and it has no input; None for this process's own streams."""
    timeout_s: float | None = None


def run_foreground(
    argv: Sequence[str],
    *,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    quiet: Quiet = Quiet(),
) -> int:
    """Run a program to its end and give its exit status, 128 + N where signal N ended it.

    Interrupts from the terminal reach the program by themselves, being sent to the whole process group; here they
    are ignored, so that the program decides. Other signals that ask to end are handed on.

    Raises:
        ToolError: it cannot be started, or did not end in its time and was ended.
    """
    try:
        with (
            _streams(quiet.log) as streams,
            subprocess.Popen(list(argv), env=env, cwd=cwd, **streams) as process,
            forwarding(process.pid),
        ):
            return exit_status(_wait(process, argv, quiet.timeout_s))
    except OSError as error:
        raise ToolError(f"cannot start: {error.strerror}", argv=argv) from error


@contextmanager
def _streams(log: Path | None) -> Iterator[dict[str, Any]]:
    if log is None:
        yield {}
        return
    with log.open("wb") as stream:
        yield {"stdin": subprocess.DEVNULL, "stdout": stream, "stderr": subprocess.STDOUT}


def _wait(process: subprocess.Popen[bytes], argv: Sequence[str], timeout_s: float | None) -> int:
    """Wait for a program; one that does not end in time is asked to, and killed where it will not."""
    try:
        return process.wait(timeout_s)
    except subprocess.TimeoutExpired as error:
        process.terminate()
        try:
            process.wait(_GRACE_S)
        except subprocess.TimeoutExpired:
            process.kill()
        raise ToolError(f"did not end within {timeout_s:.0f} s, and was ended", argv=argv) from error


def exit_status(returncode: int) -> int:
    """Turn a return code of subprocess into a shell's exit status."""
    return returncode if returncode >= 0 else 128 - returncode


@contextmanager
def forwarding(pid: int) -> Iterator[None]:
    """Hand signals on to a child for a while; in another thread than the main one, which alone gets them, not at all."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def forward(number: int, frame: FrameType | None) -> None:
        del frame
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            return

    before = {number: signal.signal(number, forward) for number in _FORWARDED}
    before |= {number: signal.signal(number, signal.SIG_IGN) for number in (signal.SIGINT, signal.SIGQUIT)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def capture(argv: Sequence[str], what: str, *, timeout_s: float = 600) -> str:
    """Run a program quietly and give what it printed.

    Raises:
        ToolError: it is not there, failed, or took too long.
    """
    try:
        done = subprocess.run(
            list(argv), stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=timeout_s, check=False
        )
    except OSError as error:
        raise ToolError(f"{what}: cannot start: {error.strerror}", argv=argv) from error
    except subprocess.TimeoutExpired as error:
        raise ToolError(f"{what}: no answer within {timeout_s:.0f} s", argv=argv) from error
    if done.returncode:
        raise ToolError(what, argv=argv, exit_status=done.returncode, stderr=done.stderr[-2000:])
    return done.stdout
