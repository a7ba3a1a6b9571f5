"""Fleets of 10, 100 and 1,000 stacks that share nine tenths of their candidates: what each costs a night, held against what must hold.

- plan: `nightly --plan` as a whole process: for the first time after all locks changed, with nothing changed, with one deb
  changed on the mirror, and with one project that has a new release; wall and processor seconds, and the most memory held;
- affected: a question to the loaded graph, and `graph affected` as a whole process;
- lock: the lock step of a night for stacks that are settled, one after another in one process;
- images: building all of them from an empty cache, beside building the union of what they hold: see images.py.

The index and the mirror are on this machine; the mirror's suites have as many packages as Debian's. A fleet's index
answers 304, as PyPI does. Ratios are of a processor's time, since other work on the machine bears less on it than on a clock.

Usage: python bench/fleet [--stacks N] [--runs N] [--packages N] [--json]
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
sys.path[:0] = [str(ROOT)]

from bench.fleet.images import measure as measure_images  # noqa: E402  needs the path
from bench.fleet.serve import Pages, serve  # noqa: E402
from builder.lock.base import parse_base_lock  # noqa: E402
from builder.store.artefacts import DirectoryArtefactStore  # noqa: E402
from builder.usecase.affected import load_graph  # noqa: E402
from tests.support.archive_keys import Signer, new_signer  # noqa: E402
from tests.support.fleet import Fleet, make_fleet  # noqa: E402
from tests.support.fleet_mirror import FleetMirror  # noqa: E402

_MANY = 100
"""Images of more stacks are built once: that takes minutes."""
DEB = "libzstd1"
SHARED = "requests"
TARGETS = {
    "plan, nothing changed, s": 5.0,
    "plan, one deb changed, s": 5.0,
    "affected, in the process, s": 0.05,
    "images: processor / that of the union": 1.2,
    "images: disk / that of the union": 1.1,
    "images: most memory / that of the smallest fleet": 1.2,
    "a stack of a plan / that of 100 stacks": 1.2,
    "a stack of the lock step / that of 100 stacks": 1.2,
    "a stack that finds its layers / that of 100 stacks": 1.2,
}
"""Of the largest fleet; those of images hold for each."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """What one process took."""

    seconds: float
    cpu_seconds: float
    peak_mb: float
    out: str


class _Watcher(threading.Thread):
    """Reads the most that a process held, while it runs: `ru_maxrss` would tell of this process, which it is a copy of."""

    def __init__(self, pid: int) -> None:
        super().__init__(daemon=True)
        self.peak_kb = 0
        self._status = Path(f"/proc/{pid}/status")
        self.start()

    def run(self) -> None:
        with contextlib.suppress(OSError, StopIteration):
            while True:
                lines = self._status.read_text().splitlines()
                self.peak_kb = int(next(line for line in lines if line.startswith("VmHWM:")).split()[1])
                time.sleep(0.02)


@dataclass(kw_only=True)
class Night:
    """One fleet, and the user who asks about it."""

    fleet: Fleet
    home: Path
    index: Pages
    mirror: FleetMirror

    def run(self, *arguments: str, status: int) -> Run:
        """Run a verb as a whole process; another exit status ends the benchmark."""
        return self._run(
            [sys.executable, "-m", "builder", "--project", str(self.fleet.project.root), *arguments], status
        )

    def settle(self) -> None:
        """Note that all locks are settled."""
        self._run([sys.executable, str(ROOT / "bench/fleet/settle.py"), str(self.fleet.project.root)], 0)

    def lock_each(self) -> float:
        """Do the lock step of each stack, of which none changes; milliseconds of a processor for each of them."""
        script = str(ROOT / "bench/fleet/lock_each.py")
        return float(self._run([sys.executable, script, str(self.fleet.project.root)], 0).out.split()[-1])

    def _run(self, argv: Sequence[str], status: int) -> Run:
        out = self.home / "out"
        begun = time.perf_counter()
        with out.open("wb") as stream:
            process = subprocess.Popen(argv, cwd=ROOT, env=self._environment(), stdout=stream, stderr=subprocess.STDOUT)
            watcher = _Watcher(process.pid)
            _, code, usage = os.wait4(process.pid, 0)
            watcher.join()
        process.returncode = os.waitstatus_to_exitcode(code)
        seconds, text = time.perf_counter() - begun, out.read_text()
        if process.returncode != status:
            sys.exit(f"{' '.join(argv)} ended with {process.returncode}, not {status}:\n{text[-3000:]}")
        cpu = usage.ru_utime + usage.ru_stime
        return Run(seconds=seconds, cpu_seconds=cpu, peak_mb=watcher.peak_kb / 1024, out=text)

    def _environment(self) -> Mapping[str, str]:
        return {
            "PATH": os.environ["PATH"],
            "HOME": str(self.home),
            "AIRFLOW_KUBLER_CACHE": str(self.home / "cache"),
            "XDG_CONFIG_DIRS": str(self.home / "none"),
            "PIP_CONFIG_FILE": os.devnull,
            "UV_DEFAULT_INDEX": self.index.url,
        }


def make_mirror(folder: Path, fleet: Fleet, signer: Signer, home: Path, packages: int) -> FleetMirror:
    """Publish a mirror of the fleet's bases, and make it the user's."""
    paths = [fleet.project.base_lock_path(name) for name in fleet.project.base_names()]
    locks = tuple(parse_base_lock(path.read_bytes(), file=path.name) for path in paths)
    mirror = FleetMirror(root=folder, signer=signer, locks=locks, others=packages)
    mirror.publish(date=int(time.time()) - 3600)
    config, keyring = home / ".config/airflow-kubler/config.toml", home / "keyring.gpg"
    config.parent.mkdir(parents=True)
    keyring.write_bytes(signer.public)
    url = folder.as_uri()
    config.write_text(f'[debian]\nmirror = "{url}"\nsecurity-mirror = "{url}"\nkeyring = "{keyring}"\n')
    return mirror


def measure(folder: Path, stacks: int, runs: int, packages: int) -> dict[str, Any]:
    """Make a fleet, and ask."""
    home = folder / "home"
    home.mkdir()
    (folder / "project").mkdir()
    fleet = make_fleet(folder / "project", stacks)
    with new_signer() as signer, serve(fleet.pages) as index:
        mirror = make_mirror(folder / "mirror", fleet, signer, home, packages)
        night = Night(fleet=fleet, home=home, index=index, mirror=mirror)
        night.settle()
        found: dict[str, Any] = {"stacks": len(fleet.places), "projects": len(fleet.candidates)}
        found["shared"] = statistics.mean(fleet.shares) if fleet.shares else 1
        found["plan, first"] = night.run("nightly", "--plan", status=0)
        index.asked = 0
        found["plan, nothing changed"] = _median(runs, lambda: night.run("nightly", "--plan", status=0))
        found["pages asked"] = index.asked / runs
        index.put({SHARED: fleet.pages[SHARED].replace(b'"files": [', b'"files": [' + _release(SHARED), 1)})
        found["plan, one release"] = _median(runs, lambda: night.run("nightly", "--plan", status=1))
        index.put({SHARED: fleet.pages[SHARED]})
        found["lock step, a stack, ms"] = min(night.lock_each() for _ in range(runs))
        mirror.versions = {DEB: "9.9-1"}
        mirror.publish(date=int(time.time()) - 60)
        changed = night.run("nightly", "--plan", status=1)
        if DEB not in changed.out:
            sys.exit(f"the plan does not tell of {DEB}:\n{changed.out[-2000:]}")
        found["plan, one deb changed"] = changed
        found |= _ask(night, runs)
    return found


def _release(project: str) -> bytes:
    name = f"{project}-99.0-py3-none-any.whl"
    row = {"filename": name, "url": f"../../files/{name}", "hashes": {"sha256": "0" * 64}, "size": 1}
    return json.dumps(row).encode() + b", "


def _ask(night: Night, runs: int) -> dict[str, Any]:
    """Ask what is affected: the process, and the loaded graph."""
    by = {f"deb:{DEB}", f"project:{SHARED}", "base:trixie", "index"}
    night.run("graph", "affected", "--by", f"deb:{DEB}", status=0)  # the first one reads each lock
    found: dict[str, Any] = {
        "affected": _median(runs, lambda: night.run("graph", "affected", "--by", f"project:{SHARED}", status=0))
    }
    begun = time.process_time()
    graph = load_graph(night.fleet.project, DirectoryArtefactStore(night.home / "cache", durable=False))
    found["affected, loading"] = time.process_time() - begun
    seconds = []
    for one in sorted(by):
        begun = time.perf_counter()
        answer = graph.affected(one)
        seconds.append(time.perf_counter() - begun)
        found[f"stacks affected by {one}"] = len(answer.stacks)
    found["affected, in the process"] = max(seconds)
    return found


def _median(runs: int, run: Callable[[], Run]) -> Run:
    """Take the median of wall times, and the least of a processor's: the rest of it is the machine's."""
    done = [run() for _ in range(runs)]
    middle = sorted(done, key=lambda one: one.seconds)[runs // 2]
    return replace(middle, cpu_seconds=min(one.cpu_seconds for one in done))


def figures_of(fleets: Sequence[Mapping[str, Any]], images: Sequence[Mapping[str, Any]]) -> dict[str, float]:
    """Take what is held against the targets: of the largest fleet, and beside the smaller ones."""
    last, few = fleets[-1], fleets[-2]
    plan, again = "plan, nothing changed", "a stack that finds its layers, ms"

    def slope(value: Callable[[Run], float]) -> float:
        return (value(last[plan]) - value(few[plan])) / (last["stacks"] - few["stacks"])

    def share(fleet: Mapping[str, Any]) -> float:
        return float(fleet[plan].cpu_seconds / fleet["stacks"])

    return {
        "plan, nothing changed, s": last[plan].seconds,
        "plan, one deb changed, s": last["plan, one deb changed"].seconds,
        "affected, in the process, s": last["affected, in the process"],
        "images: processor / that of the union": max(one["seconds / the union's"] for one in images),
        "images: disk / that of the union": max(one["disk / the union's"] for one in images),
        "images: most memory / that of the smallest fleet": images[-1]["memory, MB"] / images[0]["memory, MB"],
        "a stack of a plan / that of 100 stacks": share(last) / share(few),
        "a stack of a plan beyond the first hundred, ms": slope(lambda run: run.cpu_seconds) * 1e3,
        "a stack of a plan beyond the first hundred, kB": slope(lambda run: run.peak_mb) * 1024,
        "a stack of the lock step / that of 100 stacks": last["lock step, a stack, ms"] / few["lock step, a stack, ms"],
        "a stack that finds its layers / that of 100 stacks": images[-1][again] / images[-2][again],
    }


def main() -> None:
    """Measure, and print; the exit status is 1 where a target is missed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--stacks", type=int, default=1000)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--packages", type=int, default=60_000)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    fleets, images = [], []
    for stacks in sorted({10, 100, options.stacks}):
        with tempfile.TemporaryDirectory() as name:
            fleets.append(measure(Path(name), stacks, options.runs, options.packages))
        with tempfile.TemporaryDirectory() as name:
            images.append(measure_images(Path(name), stacks, options.runs if stacks <= _MANY else 1))
        if not options.json:
            _print(fleets[-1])
            _print(images[-1], "images of ")
    figures = figures_of(fleets, images)
    missed = [label for label, target in TARGETS.items() if figures[label] > target]
    if options.json:
        details = {"fleets": fleets, "images": images}
        print(json.dumps({"targets": TARGETS, "figures": figures, "details": details}, indent=1, default=_plain))
    else:
        for label, value in figures.items():
            target = f"   at most {TARGETS[label]}{', missed' if label in missed else ''}" if label in TARGETS else ""
            print(f"{label:60}{value:8.3f}{target}")
    sys.exit(1 if missed else 0)


def _plain(run: Run) -> dict[str, float]:
    return {"seconds": run.seconds, "cpu_seconds": run.cpu_seconds, "peak_mb": run.peak_mb}


def _print(found: Mapping[str, Any], what: str = "") -> None:
    print(f"{what}{found['stacks']} stacks")
    for label, value in found.items():
        if isinstance(value, Run):
            print(f"  {label:44}{value.seconds:8.2f} s{value.cpu_seconds:8.2f} s of a processor{value.peak_mb:8.0f} MB")
        elif label != "stacks":
            print(f"  {label:44}{value:8.3f}")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
