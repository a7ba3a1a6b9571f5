"""Build each stack that has a lock in FOLDER/locks, from an empty cache, and once more; prints what that took as JSON.

Before that it builds the one stack that has a lock in FOLDER/warm, so that imports are not counted.

Usage: python bench/fleet/build_each.py STORE FOLDER
"""

from __future__ import annotations

import json
import shutil
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parents[2])]

from builder.store.artefacts import DirectoryArtefactStore  # noqa: E402  needs the path
from builder.store.files import DirectoryFileStore  # noqa: E402
from builder.usecase.build import RECORD_KIND, BuildRequest, BuildTools, build  # noqa: E402
from builder.usecase.build_memory import BuildMemory  # noqa: E402
from tests.support.made_up import FakeCompilers  # noqa: E402


def make_tools(store: Path, cache: Path) -> BuildTools:
    """Make what a night builds with, but for the interpreter."""
    files, artefacts = DirectoryFileStore(store), DirectoryArtefactStore(cache, durable=False)
    return BuildTools(files=files, artefacts=artefacts, compilers=FakeCompilers(), jobs=2)


def build_each(tools: BuildTools, locks: Path, output: Path, stacks: Sequence[str]) -> float:
    """Build; seconds of a processor."""
    begun = time.process_time()
    for stack in stacks:
        build(BuildRequest(stack=stack, locks=locks, output=output / stack), tools)
    return time.process_time() - begun


def _stacks(locks: Path) -> list[str]:
    return sorted(path.name.split(".")[1] for path in locks.glob("pylock.*.toml"))


def main() -> None:
    """Build, and print."""
    store, folder = map(Path, sys.argv[1:])
    locks, cache, warm = folder / "locks", folder / "cache", folder / "warm"
    build_each(make_tools(store, warm / "cache"), warm, warm, _stacks(warm))
    shutil.rmtree(warm)
    stacks = _stacks(locks)
    tools = make_tools(store, cache)
    Path("/proc/self/clear_refs").write_text("5")  # the most memory held counts from here
    seconds = build_each(tools, locks, folder / "images", stacks)
    status = Path("/proc/self/status").read_text().splitlines()
    peak_kb = next(int(line.split()[1]) for line in status if line.startswith("VmHWM:"))
    disk = sum({path.stat().st_ino: path.stat().st_size for path in folder.rglob("*") if path.is_file()}.values())
    shutil.rmtree(cache / "artefacts" / RECORD_KIND)  # what says that an image was built
    again = build_each(replace(tools, memory=BuildMemory()), locks, folder / "again", stacks)
    print(
        json.dumps(
            {
                "seconds": seconds,
                "disk_mb": disk / 1e6,
                "memory_mb": peak_kb / 1024,
                "again_ms": again / len(stacks) * 1e3,
            }
        )
    )


if __name__ == "__main__":
    main()
