"""One whole process: its wall time, and the memory of it and all its children."""

from __future__ import annotations

import contextlib
import os
import resource
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

_SAMPLE_S = 0.05


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """What a process took."""

    seconds: float
    """Wall time."""
    cpu_seconds: float
    peak_bytes: int
    """The most that the process tree held at once: proportional set sizes, sampled."""


def run_process(argv: Sequence[str], env: Mapping[str, str], *, watch_memory: bool = False) -> Run:
    """Run a program to its end; a failure ends the benchmark."""
    start, cpu = time.perf_counter(), cpu_seconds()
    process = subprocess.Popen(argv, env=dict(env), stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    peak = [0]
    watcher = threading.Thread(target=_watch, args=(process, peak))
    if watch_memory:
        watcher.start()
    out, err = process.communicate()
    seconds = time.perf_counter() - start
    if watch_memory:
        watcher.join()
    if process.returncode:
        sys.exit(f"{' '.join(argv)} ended with {process.returncode}:\n{(out + err).decode(errors='replace')}")
    return Run(seconds=seconds, cpu_seconds=cpu_seconds() - cpu, peak_bytes=peak[0])


def cpu_seconds(*, children_only: bool = True) -> float:
    """Sum the processor time of all children that have ended, and of this process where asked for."""
    kinds = [resource.RUSAGE_CHILDREN, *([] if children_only else [resource.RUSAGE_SELF])]
    usages = [resource.getrusage(kind) for kind in kinds]
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)


def _watch(process: subprocess.Popen[bytes], peak: list[int]) -> None:
    while process.poll() is None:
        peak[0] = max(peak[0], sum(_pss(pid) for pid in _tree(process.pid)))
        time.sleep(_SAMPLE_S)


def _tree(root: int) -> list[int]:
    parents: dict[int, int] = {}
    for name in os.listdir("/proc"):  # noqa: PTH208 (names are all that is needed, often)
        with contextlib.suppress(OSError, ValueError):
            stat = Path("/proc", str(int(name)), "stat").read_text()
            parents[int(name)] = int(stat.rpartition(")")[2].split()[1])
    tree = [root]
    for pid in tree:
        tree += [child for child, parent in parents.items() if parent == pid]
    return tree


def _pss(pid: int) -> int:
    with contextlib.suppress(OSError):
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) * 1024
    return 0
