"""How long builds take, as ratios of whole processes in one run on two cores. Needs the stacks' files in the store.

- cold: files in the store, no segment or layer cached; against the floor (floor.py), measured in turn with it;
- no-op: the same again; bump: one plugin of another version, cache warm; second platform: after the first;
- memory: the most that the process tree of a cold build held;
- bump of a bigger stack: shows that cost grows with what changed, not with the size of the image.

Usage: python bench/build [--runs N] [--json]
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from bump import bump
from floor import Floor, FloorInputs, measure_floor, prepare_floor
from process import Run, run_process

from builder.image.interpreter import ensure_interpreter
from builder.lock.base import parse_base_lock
from builder.lock.model import BaseLock, LockedFile, StackLock
from builder.lock.pylock import dump_stack_lock, parse_stack_lock
from builder.platform import Platform, platform_of_machine
from builder.store.artefacts import DirectoryArtefactStore
from builder.store.files import DirectoryFileStore
from builder.store.location import CACHE_VARIABLE, cache_root

ROOT = Path(__file__).parents[2]
STACK = "core"
BIGGER = "aws"
PLUGIN = "apache-airflow-providers-http"
CORES = 2
TARGETS = {
    "cold / floor": 1.5,
    "no-op, s": 0.35,
    "bump, s": 0.8,
    "second platform / cold": 0.6,
    "peak memory, MB": 700.0,
}


class Bench:
    """A project and a cache of its own, in a scratch folder; the files are links to those of the user's store."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.project = folder / "project"
        self.cache = folder / "cache"
        self.files = DirectoryFileStore(self.cache)
        self.here = platform_of_machine(os.uname().machine)
        shutil.copytree(ROOT / "stacks", self.project / "stacks")
        shutil.copytree(ROOT / "locks", self.project / "locks", ignore=shutil.ignore_patterns("files"))
        store = DirectoryFileStore(cache_root(os.environ))
        for stack in (STACK, BIGGER):
            for file in _files(self.lock(stack), self.base(stack)):
                self._link(store.path(file.sha256), self.files.path(file.sha256), stack)

    def lock(self, stack: str) -> StackLock:
        """Read a lock of the scratch project."""
        path = self.project / "locks" / f"pylock.{stack}.toml"
        return parse_stack_lock(path.read_bytes(), file=path.name)

    def base(self, stack: str) -> BaseLock:
        """Read the lock of a stack's base."""
        path = self.project / "locks" / f"base.{self.lock(stack).base}.toml"
        return parse_base_lock(path.read_bytes(), file=path.name)

    def build(self, stack: str, *platforms: Platform, watch_memory: bool = False) -> Run:
        """Run `airflow-kubler build` to the stack's own folder."""
        wanted = [word for platform in platforms for word in ("--platform", platform.name)]
        argv = [sys.executable, "-m", "builder", "--project", str(self.project), "build", stack]
        argv += ["--output", str(self.folder / "out" / stack), "--jobs", str(CORES), *wanted]
        return run_process(argv, self._env(), watch_memory=watch_memory)

    def forget(self) -> None:
        """Empty the cache of everything but files."""
        for path in self.cache.iterdir():
            if path.name != "files":
                shutil.rmtree(path)
        shutil.rmtree(self.folder / "out", ignore_errors=True)

    def _env(self) -> Mapping[str, str]:
        return {**os.environ, CACHE_VARIABLE: str(self.cache)}

    def _link(self, source: Path, target: Path, stack: str) -> None:
        if target.exists():
            return
        if not source.exists():
            sys.exit(f"{source} is not in the store; first: airflow-kubler fetch {stack}")
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            target.hardlink_to(source)
        except OSError:  # another file system
            shutil.copy2(source, target)


def main() -> None:
    parser = argparse.ArgumentParser(description="Build times as ratios.")
    parser.add_argument("--runs", type=int, default=3, help="of each; medians are shown")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:CORES])
    with tempfile.TemporaryDirectory(prefix="bench-build-") as folder:
        result = measure(Bench(Path(folder)), options.runs)
    print(json.dumps(result, indent=1) if options.json else render(result))


def measure(bench: Bench, runs: int) -> dict[str, Any]:
    """Measure everything; ratios are of neighbours in time, then the median is taken."""
    # A cold build too, but not timed: looking at its memory costs time.
    _say("first build: memory, and what the floor needs")
    watched = bench.build(STACK, bench.here, watch_memory=True)
    floor_inputs = _floor_inputs(bench)
    cold, floors, second, noop = [], [], [], []
    for number in range(1, runs + 1):
        _say(f"cold, floor, no-op, second platform: {number} of {runs}")
        floors.append(measure_floor(floor_inputs))
        bench.forget()
        cold.append(bench.build(STACK, bench.here))
        noop.append(bench.build(STACK, bench.here).seconds)
        second.append(bench.build(STACK, *bench.lock(STACK).platforms).seconds)
    bumps = {stack: _bumps(bench, stack, runs) for stack in (STACK, BIGGER)}
    sizes = {stack: _megabytes(bench, stack) for stack in (STACK, BIGGER)}
    return _result(watched=watched, cold=cold, floors=floors, noop=noop, second=second, bumps=bumps, sizes=sizes)


def _result(
    *,
    watched: Run,
    cold: Sequence[Run],
    floors: Sequence[Floor],
    noop: Sequence[float],
    second: Sequence[float],
    bumps: Mapping[str, Sequence[Run]],
    sizes: Mapping[str, float],
) -> dict[str, Any]:
    median = statistics.median
    figures = {
        "cold / floor": median(run.seconds / floor.total for run, floor in zip(cold, floors, strict=True)),
        "no-op, s": median(noop),
        "bump, s": median(run.seconds for run in bumps[STACK]),
        "second platform / cold": median(two / run.seconds for two, run in zip(second, cold, strict=True)),
        "peak memory, MB": watched.peak_bytes / 1e6,
    }
    bump_cpu = {stack: median(run.cpu_seconds for run in runs) for stack, runs in bumps.items()}
    details = {
        "cold, s": median(run.seconds for run in cold),
        "cold, processor s": median(run.cpu_seconds for run in cold),
        "floor, processor s": median(floor.cpu_seconds for floor in floors),
        "cold / floor, processor": median(
            run.cpu_seconds / floor.cpu_seconds for run, floor in zip(cold, floors, strict=True)
        ),
        "floor, s": median(floor.total for floor in floors),
        "floor: inflate, s": median(floor.inflate for floor in floors),
        "floor: bytecode, s": median(floor.bytecode for floor in floors),
        "floor: sha256 and zstd-3, s": median(floor.hash_and_compress for floor in floors),
        "second platform, s": median(second),
        f"bump in {BIGGER}, s": median(run.seconds for run in bumps[BIGGER]),
        "bump, processor s": bump_cpu[STACK],
        f"bump in {BIGGER} / in {STACK}, processor": bump_cpu[BIGGER] / bump_cpu[STACK],
        f"image of {BIGGER} / of {STACK}": sizes[BIGGER] / sizes[STACK],
    }
    return {"targets": TARGETS, "figures": figures, "details": details, "runs": len(cold), "cores": CORES}


def render(result: Mapping[str, Any]) -> str:
    """Draw the table."""
    lines = [f"{'':34} {'measured':>9} {'target':>9}"]
    for name, value in result["figures"].items():
        target = result["targets"][name]
        lines.append(f"{name:34} {value:9.2f} {'<= ' + format(target, 'g'):>9}  {'' if value <= target else 'missed'}")
    lines += [f"{name:34} {value:9.2f}" for name, value in result["details"].items()]
    return "\n".join([*lines, f"medians of {result['runs']} runs on {result['cores']} cores"])


def _floor_inputs(bench: Bench) -> FloorInputs:
    lock, base = bench.lock(STACK), bench.base(STACK)
    kept = DirectoryArtefactStore(bench.folder / "floor-cache")  # It must outlive `forget`.
    interpreter = ensure_interpreter(base, bench.files, kept, bench.here)
    here = bench.here.name
    wheels = {candidate.wheels[here].sha256: candidate.wheels[here] for candidate in lock.candidates_for(bench.here)}
    blobs = bench.folder / "out" / STACK / "blobs" / "sha256"
    index = json.loads((bench.folder / "out" / STACK / "index.json").read_text())
    folder = bench.folder / "floor"
    folder.mkdir()
    return prepare_floor(
        [bench.files.path(digest) for digest in wheels],
        [bench.files.path(deb.file.sha256) for deb in base.debs if bench.here in deb.platforms],
        [blobs / digest for digest in _layers(blobs, index)],
        interpreter,
        folder,
    )


def _layers(blobs: Path, document: Mapping[str, Any]) -> list[str]:
    """List the layers below an index, by digest."""
    found: list[str] = [layer["digest"].partition(":")[2] for layer in document.get("layers", ())]
    for child in document.get("manifests", ()):
        found += _layers(blobs, json.loads((blobs / child["digest"].partition(":")[2]).read_text()))
    return found


def _bumps(bench: Bench, stack: str, runs: int) -> list[Run]:
    """Time builds of one new version after another, each on a warm cache."""
    bench.build(stack, bench.here)
    lock = bench.lock(stack)
    path = bench.project / "locks" / f"pylock.{stack}.toml"
    timed = []
    for number in range(1, runs + 1):
        _say(f"bump in {stack}: {number} of {runs}")
        path.write_bytes(dump_stack_lock(bump(lock, PLUGIN, number, bench.files)))
        timed.append(bench.build(stack, bench.here))
    path.write_bytes(dump_stack_lock(lock))
    return timed


def _megabytes(bench: Bench, stack: str) -> float:
    blobs = bench.folder / "out" / stack / "blobs" / "sha256"
    return sum(path.stat().st_size for path in blobs.iterdir()) / 1e6


def _files(lock: StackLock, base: BaseLock) -> list[LockedFile]:
    wheels = [wheel for candidate in lock.candidates for wheel in candidate.wheels.values()]
    return [*wheels, *(deb.file for deb in base.debs), *(file for _, file in lock.files)]


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
