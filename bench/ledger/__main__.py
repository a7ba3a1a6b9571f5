"""A ledger of many stacks and builds: what a question costs as a whole process, and what an entry costs as it grows.

- questions: `log`, `show`, `digest` and others, each the median of a few whole processes;
- growth: seconds and bytes of an append of one build with its documents, to a ledger of a hundredth of the builds and to the
  whole one; each append is synced to the disk, so seconds are also given without that.

Usage: python bench/ledger [--stacks N] [--builds N] [--runs N] [--json]
"""

from __future__ import annotations

import argparse
import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
sys.path[:0] = [str(ROOT)]

from builder.digest import Digest  # noqa: E402  needs the path
from builder.ledger.database import SqliteLedger  # noqa: E402
from builder.ledger.events import Built, Promoted, Pushed, Tested  # noqa: E402
from builder.ledger.model import NewDocument, NewEntry  # noqa: E402
from builder.ledger.parts import TagMove  # noqa: E402
from builder.lock.base import parse_base_lock  # noqa: E402
from builder.lock.pylock import dump_stack_lock, parse_stack_lock  # noqa: E402
from tests.support.ledgers import ALICE, Ticking, digest_of, make_build, make_ledger  # noqa: E402

BATCH = 500
TARGETS = {"question, s": 0.5, "append to all / append to a hundredth": 1.5, "bytes of an entry, late / early": 1.2}
REPOSITORY = "registry.example.org/team/airflow"


class Fleet:
    """Stacks whose locks are core's with a few distributions moved each night."""

    def __init__(self, stacks: int) -> None:
        self.names = tuple(f"stack-{number:04}" for number in range(stacks))
        self._dice = random.Random(7)  # noqa: S311  made-up data
        locks = ROOT / "locks"
        self.base = (locks / "base.trixie.toml").read_bytes()
        parse_base_lock(self.base, file="base.trixie.toml")
        core = parse_stack_lock((locks / "pylock.core.toml").read_bytes(), file="pylock.core.toml")
        self._lines = dump_stack_lock(core).decode().splitlines(keepends=True)
        self._hashed = [number for number, line in enumerate(self._lines) if 'sha256 = "' in line]
        self._last: dict[str, tuple[bytes, Digest | None]] = {}

    def lock(self, stack: str) -> NewDocument:
        """Make a stack's lock of tonight: five wheels are others than last night's."""
        before, like = self._last.get(stack, ("".join(self._lines).replace("core", stack, 3).encode(), None))
        lines = before.decode().splitlines(keepends=True)
        for _ in range(5):
            place = self._dice.choice(self._hashed)
            old = lines[place]
            start = old.index('sha256 = "') + len('sha256 = "')
            lines[place] = old[:start] + self._dice.randbytes(32).hex() + old[start + 64 :]
        data = "".join(lines).encode()
        self._last[stack] = (data, Digest.of(data))
        return NewDocument(data=data, like=like)


def entries_of(fleet: Fleet, builds: int) -> Iterator[NewEntry]:
    """Make builds, night by night, each with its push and test, and a promotion now and then."""
    for number in range(builds):
        stack, night = fleet.names[number % len(fleet.names)], number // len(fleet.names)
        lock = fleet.lock(stack)
        built = make_build(stack, f"night {night}", lock=f"night {night}")
        yield NewEntry(event=built, documents=[lock])
        tag = TagMove(tag=f"{stack}-{20260101 + night}.01")
        yield NewEntry(event=Pushed(digest=built.digest, repository=REPOSITORY, stack=stack, tags=(tag,), sent_bytes=7))
        yield NewEntry(event=Tested(digest=built.digest, name="stack", passed=True))
        if night % 5 == 0:
            yield NewEntry(
                event=Promoted(
                    stack=stack, channel="prod", digest=built.digest, rules=digest_of("rules"), database="safe"
                )
            )


def fill(path: Path, fleet: Fleet, builds: int) -> dict[str, float]:
    """Make the ledger; returns bytes of an entry in its second and its last third."""
    make_ledger(path)
    sizes: list[tuple[int, int]] = []
    waiting: list[NewEntry] = []
    count = 1
    with SqliteLedger(path, Ticking(), write=True) as ledger:
        for entry in entries_of(fleet, builds):
            waiting.append(entry)
            if len(waiting) == BATCH:
                count += len(ledger.append(waiting, ALICE))
                waiting.clear()
                sizes.append((count, path.stat().st_size))
        ledger.append(waiting, ALICE)
    if len(sizes) < 30:
        return {}
    third = len(sizes) // 3
    # The first third brings each stack's first lock, whole.
    early, late = (sizes[third], sizes[2 * third]), (sizes[2 * third], sizes[-1])
    return {
        name: (end[1] - begin[1]) / (end[0] - begin[0]) for name, (begin, end) in (("early", early), ("late", late))
    }


def append_seconds(path: Path, fleet: Fleet, runs: int) -> float:
    """Time an append of one build with its documents, by processor time: the disk's own is the same for all."""
    seconds = []
    with SqliteLedger(path, Ticking(), write=True) as ledger:
        for number, entry in enumerate(entries_of(fleet, runs * 4)):
            if isinstance(entry.event, Built):
                begun = time.process_time()
                ledger.append([entry], ALICE)
                seconds.append(time.process_time() - begun)
            if number >= runs * 4:
                break
    return statistics.median(seconds)


def ask(argv: Sequence[str], path: Path, runs: int) -> float:
    """Time a verb as a whole process; 0 where there is no such verb yet."""
    seconds = []
    for _ in range(runs):
        begun = time.perf_counter()
        done = subprocess.run(
            [sys.executable, "-m", "builder", "--ledger", str(path), *argv],
            cwd=ROOT,
            env={**os.environ},
            capture_output=True,
            text=True,
            check=False,
        )
        seconds.append(time.perf_counter() - begun)
        if done.returncode not in {0, 1}:
            sys.exit(f"{' '.join(argv)} ended with {done.returncode}: {done.stderr}")
    return statistics.median(seconds)


def measure(folder: Path, stacks: int, builds: int, runs: int) -> dict[str, Any]:
    """Make both ledgers, and ask."""
    small, large = folder / "small.db", folder / "ledger.db"
    few = Fleet(max(1, stacks // 100))
    fill(small, few, builds // 100)
    begun = time.perf_counter()
    fleet = Fleet(stacks)
    bytes_of_entry = fill(large, fleet, builds)
    filled = time.perf_counter() - begun
    ratio = append_seconds(large, fleet, 50) / append_seconds(small, few, 50)
    stack = fleet.names[len(fleet.names) // 2]
    digest = make_build(stack, "night 0", lock="night 0").digest
    questions = {
        "log STACK": ["log", stack],
        "show DIGEST": ["show", digest],
        "digest STACK --channel prod": ["digest", stack, "--channel", "prod"],
        "channels STACK": ["channels", stack],
        "ledger head": ["ledger", "head"],
    }
    return {
        "targets": TARGETS,
        "figures": {
            **{f"question, s: {name}": ask(argv, large, runs) for name, argv in questions.items()},
            "append to all / append to a hundredth": ratio,
            "bytes of an entry, late / early": bytes_of_entry["late"] / bytes_of_entry["early"]
            if bytes_of_entry
            else 0,
        },
        "details": {
            "stacks": stacks,
            "builds": builds,
            "seconds to make it": filled,
            "bytes": large.stat().st_size,
            "verify, s": ask(["ledger", "verify"], large, 1),
        },
    }


def main() -> None:
    """Measure, and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--stacks", type=int, default=1000)
    parser.add_argument("--builds", type=int, default=100_000)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        result = measure(Path(name), options.stacks, options.builds, options.runs)
    if options.json:
        print(json.dumps(result, indent=1))
        return
    for label, value in result["figures"].items():
        target = TARGETS.get(label, TARGETS["question, s"])
        print(f"{label:44}{value:8.3f}   at most {target}")
    for label, value in result["details"].items():
        print(f"  {label:42}{value:12,.1f}")


if __name__ == "__main__":
    main()
