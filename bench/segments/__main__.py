"""A build on a fresh machine, with finished segments in a registry on the loopback and without: whole processes, in turn.

Needs the stack's files in the store, and docker-registry. The two take turns; medians of both, and their ratio.

Usage: python bench/segments [--runs N] [--json]
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from builder.store.location import CACHE_VARIABLE, cache_root

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))

from tests.support.tools import registry  # noqa: E402  needs the path

STACK = "core"
TARGET = 0.35


def run(project: Path, cache: Path, *words: str) -> tuple[float, str]:
    """Run the command line; returns seconds and what it said."""
    started = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-m", "builder", "--project", str(project), *words],
        env={**os.environ, CACHE_VARIABLE: str(cache)},
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    return time.perf_counter() - started, done.stdout


def fresh(folder: Path) -> Path:
    """Make a cache that holds the locked files and nothing that was made of them."""
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(cache_root(os.environ) / "files", folder / "files", copy_function=os.link)
    return folder


def main() -> int:
    """Measure, and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    times: dict[str, list[float]] = {"cold": [], "with segments": []}
    digests = set()
    place = cache_root(os.environ) / "tmp"
    with tempfile.TemporaryDirectory(dir=place) as name, registry(Path(name)) as served:
        folder = Path(name)
        project, repository = folder / "project", f"{served.host}/segments"
        shutil.copytree(ROOT / "stacks", project / "stacks")
        shutil.copytree(ROOT / "locks", project / "locks", ignore=shutil.ignore_patterns("files"))
        run(project, fresh(folder / "first"), "segments", "push", repository, STACK)
        for _ in range(options.runs):
            for label, words in (("cold", ()), ("with segments", ("--segments", repository))):
                cache, output = fresh(folder / "cache"), folder / "image"
                shutil.rmtree(output, ignore_errors=True)
                took, said = run(project, cache, "build", STACK, "--output", str(output), "--json", *words)
                times[label].append(took)
                digests.add(json.loads(said)["index_digest"])
    medians = {label: statistics.median(found) for label, found in times.items()}
    ratio = medians["with segments"] / medians["cold"]
    told = {"seconds": medians, "runs": times, "ratio": ratio, "target": TARGET, "same image": len(digests) == 1}
    if options.json:
        print(json.dumps(told, indent=2))
    else:
        print(
            f"cold {medians['cold']:.1f} s, with segments {medians['with segments']:.1f} s: {ratio:.2f} (at most {TARGET})"
        )
        print("the same image" if len(digests) == 1 else f"DIFFERENT IMAGES: {digests}")
    return 0 if ratio <= TARGET and len(digests) == 1 else 1


if __name__ == "__main__":
    sys.exit(main())
