"""A program shut in by namespaces.py: which way is open on this machine, and how it is watched until it ends."""

from __future__ import annotations

import os
import selectors
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

PROGRAM = (sys.executable, "-P", "-m", "builder.run.namespaces")
NOBODY = 61_184
"""Between Debian's and systemd's ranges: nobody's. So a limit of processes counts those of what is shut in alone."""
_TAIL = 64 << 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """How a program ended."""

    status: int
    """128 + N where signal N ended it."""
    timed_out: bool
    output: str
    """The end of what it printed."""


def find_way() -> tuple[bool | None, tuple[str, ...]]:
    """Find out how programs can be shut in here: True as root without a user namespace, False in one of the caller's.

    Returns:
        None, with every reason, where neither way is open.
    """
    reasons = []
    for as_root in ([True] if os.geteuid() == 0 else []) + [False]:
        argv = [*PROGRAM, "--probe", *(["root"] if as_root else [])]
        done = subprocess.run(argv, capture_output=True, text=True, check=False)
        if done.returncode == 0:
            return as_root, ()
        reasons.append(done.stderr.strip().rpartition("\n")[2])
    return None, tuple(reasons)


def watch(
    argv: Sequence[str],
    wall_s: float,
    *,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
) -> Ended:
    """Run a program to its end or the end of its time; keep the end of what it says.

    Args:
        argv: the program.
        wall_s: its time. What is shut in by namespaces ends with its first process.
        env: its environment; ours by default.
        cwd: its folder.
    """
    tail = bytearray()
    deadline = time.monotonic() + wall_s
    timed_out = False
    with (
        subprocess.Popen(
            list(argv),
            env=env,
            cwd=cwd,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        ) as process,
        selectors.DefaultSelector() as selector,
    ):
        assert process.stdout is not None  # noqa: S101 - for mypy: it is a pipe
        selector.register(process.stdout, selectors.EVENT_READ)
        try:
            while not timed_out:
                left = deadline - time.monotonic()
                timed_out = left <= 0
                if selector.select(max(0.0, left)):
                    chunk = os.read(process.stdout.fileno(), _TAIL)
                    if not chunk:
                        break
                    tail += chunk
                    del tail[:-_TAIL]
        finally:
            # Where it ended by itself this does nothing.
            if timed_out or sys.exc_info()[0] is not None:
                process.kill()
        status = process.wait()
    return Ended(
        status=status if status >= 0 else 128 - status, timed_out=timed_out, output=tail.decode("utf-8", "replace")
    )
