"""Reads of a channel under many concurrent readers while entries are appended: what each takes, and how soon a move is told.

- reads: by so many connections at the same time, each asking again as soon as it is answered, while a writer appends;
- told: seconds from the end of an append to the answer of the last of so many long polls.

Usage: python bench/serve [--readers N] [--seconds S] [--json]
"""

from __future__ import annotations

import argparse
import asyncio
import json
import re
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

ROOT = Path(__file__).parents[2]
sys.path[:0] = [str(ROOT)]

from builder.ledger.database import SqliteLedger  # noqa: E402  needs the path
from builder.ledger.events import Promoted  # noqa: E402
from builder.ledger.model import NewEntry  # noqa: E402
from tests.support.ledgers import ALICE, Ticking, digest_of, events_of_every_kind, make_build, make_ledger  # noqa: E402

CHANNEL = "/v1/stacks/core/channels/prod"
TARGETS = {"errors": 0, "told of a move, s": 1.0}


async def ask(port: int, path: str, headers: str = "") -> tuple[int, bytes]:
    """Ask once, on a connection of its own; returns the status and all that was answered."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{headers}\r\n".encode())
    answer = await reader.read()
    writer.close()
    return int(answer.split(b" ", 2)[1]) if answer else 0, answer


async def read_on(port: int, until: float, times: list[float]) -> int:
    """Ask again and again on one connection; returns how many answers were none."""
    errors = 0
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    while time.perf_counter() < until:
        begun = time.perf_counter()
        writer.write(f"GET {CHANNEL} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        head = await reader.readuntil(b"\r\n\r\n")
        length = re.search(rb"content-length: (\d+)", head)
        await reader.readexactly(int(length[1]) if length else 0)
        times.append(time.perf_counter() - begun)
        errors += not head.startswith(b"HTTP/1.1 200")
    writer.close()
    return errors


def keep_appending(path: Path, ended: threading.Event, counted: list[int]) -> None:
    """Append builds until told to end."""
    with SqliteLedger(path, Ticking(), write=True) as ledger:
        while not ended.is_set():
            counted[0] += 1
            ledger.append([NewEntry(event=make_build("core", f"night {counted[0]}"))], ALICE)
            time.sleep(0.01)


async def measure(path: Path, port: int, readers: int, seconds: float) -> dict[str, float]:
    """Read, then wait for a move."""
    times: list[float] = []
    ended, counted = threading.Event(), [0]
    writer = threading.Thread(target=keep_appending, args=(path, ended, counted))
    writer.start()
    until = time.perf_counter() + seconds
    errors = sum(await asyncio.gather(*(read_on(port, until, times) for _ in range(readers))))
    ended.set()
    writer.join()
    _, answer = await ask(port, CHANNEL)
    tag = re.search(rb"etag: (\S+)", answer)
    header = f"If-None-Match: {tag[1].decode() if tag else ''}\r\n"
    waiting = [asyncio.create_task(ask(port, f"{CHANNEL}?wait=30", header)) for _ in range(readers)]
    await asyncio.sleep(1)
    with SqliteLedger(path, Ticking(), write=True) as ledger:
        moved = Promoted(stack="core", channel="prod", digest=make_build(name="new").digest, rules=digest_of("rules"))
        ledger.append([NewEntry(event=moved)], ALICE)
    begun = time.perf_counter()
    answers = await asyncio.gather(*waiting)
    told = time.perf_counter() - begun
    errors += sum(status != 200 for status, _ in answers)
    times.sort()
    return {
        "errors": errors,
        "told of a move, s": told,
        "median of a read, ms": 1000 * times[len(times) // 2],
        "p99 of a read, ms": 1000 * times[int(len(times) * 0.99)],
        "reads a second": len(times) / seconds,
        "appends meanwhile": counted[0],
    }


def main() -> None:
    """Measure, and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--readers", type=int, default=200)
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        path = Path(name) / "ledger.db"
        make_ledger(path, [NewEntry(event=event) for event in events_of_every_kind()])
        argv = [sys.executable, "-m", "builder", "--ledger", str(path), "serve", "--port", "0"]
        with subprocess.Popen(argv, cwd=ROOT, stderr=subprocess.PIPE, text=True) as process:
            try:
                port = int((process.stderr.readline() if process.stderr else "").rpartition(":")[2])
                figures = asyncio.run(measure(path, port, options.readers, options.seconds))
            finally:
                process.terminate()
    if options.json:
        print(json.dumps({"targets": TARGETS, "figures": figures}, indent=1))
        return
    for label, value in figures.items():
        print(f"{label:30}{value:10.2f}{f'   at most {TARGETS[label]}' if label in TARGETS else ''}")


if __name__ == "__main__":
    main()
