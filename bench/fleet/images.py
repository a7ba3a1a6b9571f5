"""Images of made-up stacks that share nine tenths of their distributions, beside one image of all of them.

All stacks are built from an empty cache, one after another in one process as a night does, then by another process the union
of what they hold as one stack, from another empty cache. Figures: the ratio of processor seconds, of disk (cache and images, each file counted
once however many names it has), the most memory held, and what a stack costs that finds all of its layers there. Bytecode is
made up, so no interpreter is started: with a real one segments cost more, and stacks the same.

Used by `python bench/fleet`; alone: python bench/fleet/images.py [--stacks N] [--runs N] [--json]
"""

from __future__ import annotations

import argparse
import json
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
sys.path[:0] = [str(ROOT)]

from builder.lock.model import LockedCandidate, LockedFile, PlannedLayer, StackLock  # noqa: E402  needs the path
from tests.support.made_up import PLATFORMS, World, make_wheel, make_world, write_locks  # noqa: E402

SHARED, OWN = 45, 5
TARGETS = {"seconds": 1.2, "disk": 1.1}
_MODULES, _LINES, _BYTES = 12, 2400, 10
"""A wheel of them has 0.45 MB: what those of `core` have on average."""


def make_stacks(world: World, count: int) -> list[StackLock]:
    """Make locks: distributions that all have, five to a layer, and a layer of five more that nobody else has."""
    dice = random.Random(7)  # noqa: S311  made-up data
    shared = [_distribution(world, f"shared{number:03}", dice) for number in range(SHARED)]
    layers = [
        PlannedLayer(
            name=f"shared-{start:03}", stack="", projects=tuple(one.project for one in shared[start : start + 5])
        )
        for start in range(0, SHARED, 5)
    ]
    return [
        _stack(world, f"team-{number:03}", [*shared, *own], [*layers, _layer(own)])
        for number in range(count)
        for own in [[_distribution(world, f"own{number:03}n{one}", dice) for one in range(OWN)]]
    ]


def union_of(world: World, stacks: Sequence[StackLock]) -> StackLock:
    """Make the lock of one stack that holds what all of them hold, in as many layers as an image may have."""
    candidates = {one.project: one for stack in stacks for one in stack.candidates}
    own = [candidates[name] for name in sorted(candidates) if name.startswith("own")]
    width = max(OWN, -(-len(own) // 60))
    layers = [*stacks[0].plan[:-1], *(_layer(own[start : start + width]) for start in range(0, len(own), width))]
    return _stack(world, "union", list(candidates.values()), layers)


def _stack(world: World, name: str, candidates: Sequence[LockedCandidate], layers: Sequence[PlannedLayer]) -> StackLock:
    return replace(
        world.stack,
        stack=name,
        candidates=tuple(sorted(candidates, key=lambda one: one.project)),
        plan=tuple(replace(layer, stack=name) for layer in layers),
    )


def _layer(candidates: Sequence[LockedCandidate]) -> PlannedLayer:
    projects = tuple(sorted(one.project for one in candidates))
    return PlannedLayer(name=f"of-{projects[0]}", stack="", projects=projects)


def _distribution(world: World, project: str, dice: random.Random) -> LockedCandidate:
    files = {f"{project}/m{module}.py": _module(dice) for module in range(_MODULES)}
    data = make_wheel(project, "1.0", files, level=1)
    wheel = LockedFile(name=f"{project}-1.0-py3-none-any.whl", size=len(data), sha256=world.files.add(data))
    return LockedCandidate(
        project=project,
        version="1.0",
        wheels=dict.fromkeys((platform.name for platform in PLATFORMS), wheel),
        dependencies=(),
        wanted_by=(),
        upload_time=None,
    )


def _module(dice: random.Random) -> bytes:
    digits = dice.randbytes(_LINES * _BYTES).hex()
    width = 2 * _BYTES
    return "".join(f"x{line} = 0x{digits[line * width : line * width + width]}\n" for line in range(_LINES)).encode()


@dataclass(frozen=True, slots=True, kw_only=True)
class Built:
    """What building took."""

    seconds: float
    """Of a processor."""
    disk_mb: float
    memory_mb: float
    """The most that was held."""
    again_ms: float
    """Of a processor for each stack, when all were built once more into other folders."""


def build_all(world: World, folder: Path, stacks: Sequence[StackLock], first: StackLock) -> Built:
    """Build stacks by a process of their own, from an empty cache, after a first one elsewhere; nothing of it is left."""
    write_locks(replace(world, stack=first), folder / "warm")
    for stack in stacks:
        write_locks(replace(world, stack=stack), folder / "locks")
    argv = [sys.executable, str(ROOT / "bench/fleet/build_each.py"), str(world.files.root), str(folder)]
    done = json.loads(subprocess.run(argv, check=True, capture_output=True, text=True).stdout)
    shutil.rmtree(folder)
    return Built(**done)


def measure(folder: Path, count: int, runs: int = 1) -> dict[str, Any]:
    """Build stacks and their union, so many times; ratios are of builds that followed one another."""
    world = make_world(folder / "world")
    stacks = make_stacks(world, count)
    union = union_of(world, stacks)
    pairs = [
        (build_all(world, folder / "stacks", stacks, stacks[0]), build_all(world, folder / "union", [union], stacks[0]))
        for _ in range(runs)
    ]
    many, one = zip(*pairs, strict=True)
    return {
        "stacks": count,
        "seconds": min(built.seconds for built in many),
        "seconds of the union": min(built.seconds for built in one),
        "seconds / the union's": statistics.median(left.seconds / right.seconds for left, right in pairs),
        "disk, MB": many[0].disk_mb,
        "disk / the union's": many[0].disk_mb / one[0].disk_mb,
        "memory, MB": max(built.memory_mb for built in many),
        "memory of the union, MB": max(built.memory_mb for built in one),
        "a stack beyond the union, ms": statistics.median(left.seconds - right.seconds for left, right in pairs)
        / count
        * 1e3,
        "a stack that finds its layers, ms": min(built.again_ms for built in many),
    }


def main() -> None:
    """Measure, and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--stacks", type=int, default=100)
    parser.add_argument("--runs", type=int, default=1)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        found = measure(Path(name), options.stacks, options.runs)
    if options.json:
        print(json.dumps(found))
        return
    for label, value in found.items():
        print(f"{label:44}{value:10.2f}")


if __name__ == "__main__":
    main()
