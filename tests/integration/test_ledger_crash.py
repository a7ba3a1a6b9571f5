"""A build-and-record run that is killed, or whose disk fails, at each of its writes: what was acknowledged stands.

Writers at the same time, by the thousand: all entries there, the chain whole.
"""

from __future__ import annotations

import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from builder.ledger.check import check_ledger
from builder.ledger.database import SqliteLedger
from tests.support.ledgers import Ticking, make_ledger
from tests.support.tools import ROOT, require_tool

pytestmark = [pytest.mark.tools, pytest.mark.slow]

RUN = [sys.executable, "-m", "tests.support.build_and_record"]
FAULTS = {
    "killed as it writes pages": ("pwrite64", "signal=KILL", ""),
    "disk full for pages": ("pwrite64", "error=ENOSPC", "+"),
    "killed as it syncs": ("fdatasync", "signal=KILL", ""),
    "disk fails to sync": ("fdatasync", "error=EIO", ""),
    "killed as it writes files": ("write", "signal=KILL", ""),
    "disk full for files": ("write", "error=ENOSPC", "+"),
}


def run(folder: Path, *strace: str) -> subprocess.CompletedProcess[str]:
    folder.mkdir(parents=True)
    make_ledger(folder / "ledger.db")
    tracing = ["strace", "-f", "-qq", *strace, "-o", str(folder / "strace.txt")] if strace else []
    return subprocess.run([*tracing, *RUN, str(folder)], cwd=ROOT, capture_output=True, text=True, check=False)


def acknowledged(done: subprocess.CompletedProcess[str]) -> list[int]:
    # Of a line that was cut in two, nothing was acknowledged.
    return [int(line) for line in done.stdout.splitlines(keepends=True) if line.endswith("\n")]


def entries_of(folder: Path) -> list[int]:
    verdict = check_ledger(folder / "ledger.db", documents=True)
    assert verdict.problems == (), folder.name
    with SqliteLedger(folder / "ledger.db", Ticking(), write=False) as ledger:
        return [entry.number for entry in ledger.entries()]


@pytest.mark.parametrize("fault", FAULTS)
def test_what_was_acknowledged_outlives_a_fault_at_every_write(fault: str, tmp_path: Path) -> None:
    require_tool("strace")
    syscall, what, onwards = FAULTS[fault]
    counted = run(tmp_path / "counted", "-e", f"trace={syscall}")
    assert acknowledged(counted) == [1, 2, 3, 4], counted.stderr
    calls = len(re.findall(rf"{syscall}\(", (tmp_path / "counted/strace.txt").read_text()))
    assert calls > 5

    def look(when: int) -> int:
        folder = tmp_path / str(when)
        done = run(folder, "-e", f"trace={syscall}", "-e", f"inject={syscall}:{what}:when={when}{onwards}")
        # What fails when the file is closed, after the last entry is on the disk, harms nobody.
        assert done.returncode != 0 or acknowledged(done) == [1, 2, 3, 4], (when, done.stderr)
        held = entries_of(folder)
        assert set(acknowledged(done)) <= set(held), when
        if when % 4 == 1:
            again = subprocess.run([*RUN, str(folder)], cwd=ROOT, capture_output=True, text=True, check=False)
            assert again.returncode == 0, (when, again.stderr)
            assert entries_of(folder)[: len(held)] == held
        return len(held)

    with ThreadPoolExecutor(3) as pool:
        lengths = list(pool.map(look, range(1, calls + 1)))
    # Later faults leave more, and only the last ones leave all.
    assert lengths[0] < 5
    assert max(lengths) <= 5


def test_eight_processes_append_a_thousand_entries_each(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    make_ledger(path)
    code = (
        "import sys\nfrom pathlib import Path\n"
        "from builder.ledger.database import SqliteLedger\nfrom builder.ledger.model import NewEntry\n"
        "from tests.support.ledgers import ALICE, make_build\n"
        "with SqliteLedger(Path(sys.argv[1]), int, write=True) as ledger:\n"
        "    for number in range(1000): ledger.append([NewEntry(event=make_build(sys.argv[2], str(number)))], ALICE)\n"
    )
    writers = [subprocess.Popen([sys.executable, "-c", code, str(path), f"stack-{one}"], cwd=ROOT) for one in range(8)]
    assert [writer.wait(300) for writer in writers] == [0] * 8
    assert check_ledger(path).problems == ()
    with SqliteLedger(path, Ticking(), write=False) as ledger:
        assert ledger.head().size == 8001
        for one in range(8):
            assert len(ledger.find("stack", f"stack-{one}")) == 1000
