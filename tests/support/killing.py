"""Kill a command at a moment of its life with -9, and look at what it leaves behind."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

_SESSION_FIELD = 3
"""Of /proc/<pid>/stat, counted behind the program's name; the state is the first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finished:
    """A command that ran to its end."""

    stdout: str
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Killed:
    """A command that was killed, or was over before."""

    over: bool
    """It had ended by itself."""
    orphans_s: float
    """How long its children went on."""


def run_whole(argv: Sequence[str | Path], env: Mapping[str, str], cwd: Path) -> Finished:
    """Run a command to its end; a failure fails the test with what it said."""
    begun = time.monotonic()
    done = subprocess.run(
        [str(word) for word in argv],
        env=dict(env),
        cwd=cwd,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, f"{argv}: {done.returncode}\n{done.stdout[-2000:]}\n{done.stderr[-4000:]}"
    return Finished(stdout=done.stdout, seconds=time.monotonic() - begun)


def run_and_kill(
    argv: Sequence[str | Path],
    env: Mapping[str, str],
    cwd: Path,
    *,
    after_s: float,
    once: Callable[[], bool] = lambda: True,
    patience_s: float = 5.0,
) -> Killed:
    """Start a command, kill its main process alone after some time, and wait for its children to go by themselves.

    Args:
        argv: the command.
        env: its environment.
        cwd: where it runs.
        after_s: how long to let it live.
        once: asked again and again until it is true: only then the time begins to run.
        patience_s: for the children.

    Raises:
        AssertionError: a child still runs after `patience_s`.
    """
    process = subprocess.Popen(
        [str(word) for word in argv],
        env=dict(env),
        cwd=cwd,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        while process.poll() is None and not once():
            time.sleep(0.005)
        over = process.wait(after_s) is not None
    except subprocess.TimeoutExpired:
        over = False
        process.kill()
        process.wait()
    killed = time.monotonic()
    while children := processes_of_session(process.pid):
        if time.monotonic() - killed > patience_s:
            for child in children:
                os.kill(child, signal.SIGKILL)
            raise AssertionError(f"{argv}: children outlive it: {', '.join(map(str, children))}")
        time.sleep(0.02)
    return Killed(over=over, orphans_s=time.monotonic() - killed)


def processes_of_session(session: int) -> tuple[int, ...]:
    """List the living processes of a session: whoever began it, its children stay in it."""
    found = []
    for entry in os.scandir("/proc"):
        if entry.name.isdigit():
            try:
                fields = Path(entry.path, "stat").read_text(errors="replace").rpartition(")")[2].split()
            except OSError:
                continue
            if int(fields[_SESSION_FIELD]) == session and fields[0] not in {"Z", "X"}:
                found.append(int(entry.name))
    return tuple(found)
