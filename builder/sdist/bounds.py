"""Runs the driver within bounds, as the first process of a BuildKit step: `/build/job/bounds.py SETTINGS`.

A step has no bounds of its own in BuildKit. So this starts the driver as a user that nobody is, with limits, without anything
inherited, and ends all of the step when its time is over. Standard library only, of any Python that a base has.
"""

from __future__ import annotations

import json
import os
import resource
import shutil
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

_TAIL = 64 << 10


def main(settings: dict[str, Any]) -> None:
    """Run it, and write what came of it into /build/answer: status.json, output, result."""
    os.umask(0o022)
    answer = Path("/build/answer")
    answer.mkdir(mode=0o700)
    for folder in settings["scratch"]:
        Path(folder).mkdir(exist_ok=True)
        Path(folder).chmod(0o777)
    Path("/build/result").write_bytes(b"")
    Path("/build/result").chmod(0o666)
    status, timed_out, output = _watch(settings)
    # The answer's file alone is taken: a link in its place would be read by root.
    result = b"" if timed_out else _read_plain("/build/result", settings["result"])
    (answer / "status.json").write_text(json.dumps({"status": status, "timed_out": timed_out}))
    (answer / "output").write_bytes(output)
    (answer / "result").write_bytes(result)


def _watch(settings: dict[str, Any]) -> tuple[int, bool, bytes]:
    def limit() -> None:
        os.setsid()
        for name, value in settings["limits"].items():
            resource.setrlimit(getattr(resource, f"RLIMIT_{name.upper()}"), (value, value))

    process = subprocess.Popen(
        settings["argv"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env=settings["env"],
        cwd="/build",
        user=settings["user"],
        group=settings["user"],
        extra_groups=[],
        preexec_fn=limit,  # noqa: PLW1509 - no other thread is there yet
    )
    over = threading.Event()

    def stop() -> None:
        over.set()
        _end_all()

    timer = threading.Timer(settings["wall"], stop)
    timer.start()
    tail = bytearray()
    assert process.stdout is not None  # noqa: S101 - for mypy: it is a pipe
    while chunk := os.read(process.stdout.fileno(), _TAIL):
        tail += chunk
        del tail[:-_TAIL]
    status = process.wait()
    timer.cancel()
    _end_all()
    return (status if status >= 0 else 128 - status), over.is_set(), bytes(tail)


def _end_all() -> None:
    """End every other process of the step; none is anybody else's."""
    if os.getpid() != 1:
        return
    try:
        os.kill(-1, 9)
    except ProcessLookupError:
        return


def _read_plain(path: str, most: int) -> bytes:
    handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
    with os.fdopen(handle, "rb") as stream:
        return stream.read(most)


if __name__ == "__main__":
    main(json.loads(Path(sys.argv[1]).read_text()))
    shutil.rmtree("/build/src", ignore_errors=True)
