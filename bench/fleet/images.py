"""Images of 10 and 100 made-up stacks that share nine tenths of their distributions, beside one image of all of them.

All stacks are built from an empty cache, one after another, then the union of what they hold as one stack, from another
empty cache. Printed: the ratio of processor seconds, of disk (cache and images, each file counted once however many names
it has), and the most memory held. Bytecode is made up, so no interpreter is started.

Usage: python bench/fleet/images.py [--stacks N] [--json]
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

ROOT = Path(__file__).parents[2]
sys.path[:0] = [str(ROOT)]

from builder.lock.model import LockedCandidate, PlannedLayer, StackLock  # noqa: E402  needs the path
from builder.store.artefacts import DirectoryArtefactStore  # noqa: E402
from builder.usecase.build import BuildRequest, BuildTools, build  # noqa: E402
from tests.support.made_up import World, make_candidate, make_world, write_locks  # noqa: E402

SHARED, OWN = 45, 5
TARGETS = {"seconds": 1.2, "disk": 1.1, "memory": 1.2}
_MODULES, _LINES = 12, 2400
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
    files = {
        f"{project}/m{module}.py": "".join(f"x{line} = {dice.getrandbits(90)}\n" for line in range(_LINES)).encode()
        for module in range(_MODULES)
    }
    return make_candidate(world.files, project, "1.0", files)


def build_all(world: World, folder: Path, stacks: Sequence[StackLock]) -> Mapping[str, float]:
    """Build stacks one after another from an empty cache; says what that took."""
    cache = folder / "cache"
    tools = BuildTools(
        files=world.files, artefacts=DirectoryArtefactStore(cache, durable=False), compilers=world.compilers, jobs=2
    )
    for stack in stacks:
        write_locks(replace(world, stack=stack), folder / "locks")
    Path("/proc/self/clear_refs").write_text("5")  # the most memory held counts from here
    begun = time.process_time()
    for stack in stacks:
        build(BuildRequest(stack=stack.stack, locks=folder / "locks", output=folder / "images" / stack.stack), tools)
    seconds = time.process_time() - begun
    status = Path("/proc/self/status").read_text().splitlines()
    peak = next(int(line.split()[1]) for line in status if line.startswith("VmHWM:"))
    files = {path.stat().st_ino: path.stat().st_size for path in folder.rglob("*") if path.is_file()}
    return {"seconds": seconds, "disk": sum(files.values()) / 1e6, "memory": peak / 1024}


def measure(folder: Path, count: int) -> dict[str, Mapping[str, float]]:
    """Build the stacks, and their union."""
    world = make_world(folder / "world")
    stacks = make_stacks(world, count)
    warm = folder / "warm"
    build_all(world, warm, stacks[:1])  # imports, and what a process does once
    return {
        "stacks": build_all(world, folder / "stacks", stacks),
        "union": build_all(world, folder / "union", [union_of(world, stacks)]),
    }


def main() -> None:
    """Measure, and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--stacks", type=int, default=100)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    found = {}
    for count in sorted({10, options.stacks}):
        with tempfile.TemporaryDirectory() as name:
            found[count] = measure(Path(name), count)
    if options.json:
        print(json.dumps({"targets": TARGETS, "figures": found}, indent=1))
        return
    for count, both in found.items():
        for what, unit in (("seconds", "s"), ("disk", "MB"), ("memory", "MB")):
            all_of, one = both["stacks"][what], both["union"][what]
            label = f"{count} stacks / their union, {what}"
            print(f"{label:40}{all_of / one:7.2f}   at most {TARGETS[what]}   {all_of:9.1f} and {one:9.1f} {unit}")
    few, many = (both["stacks"]["memory"] for both in (found[min(found)], found[max(found)]))
    print(f"{'memory, most stacks / fewest':40}{many / few:7.2f}   at most {TARGETS['memory']}")


if __name__ == "__main__":
    main()
