"""Starts a foreign program on this process's own terminal and streams, and waits for it."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

from builder.errors import ToolError

_FORWARDED = (signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2)


def run_foreground(argv: Sequence[str], *, env: Mapping[str, str] | None = None, cwd: Path | None = None) -> int:
    """Run a program to its end and give its exit status, 128 + N where signal N ended it.

    Interrupts from the terminal reach the program by themselves, being sent to the whole process group; here they
    are ignored, so that the program decides. Other signals that ask to end are handed on.
    """
    try:
        with subprocess.Popen(list(argv), env=env, cwd=cwd) as process, forwarding(process.pid):
            return exit_status(process.wait())
    except OSError as error:
        raise ToolError(f"cannot start: {error.strerror}", argv=argv) from error


def exit_status(returncode: int) -> int:
    """Turn a return code of subprocess into a shell's exit status."""
    return returncode if returncode >= 0 else 128 - returncode


@contextmanager
def forwarding(pid: int) -> Iterator[None]:
    """Hand signals on to a child for a while. Only in the main thread."""

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
