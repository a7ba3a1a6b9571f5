"""Pushes to a registry on the loopback beside skopeo and crane: whole processes, in turn, the same layouts.

- empty: an image of two platforms to a registry that holds nothing; each gets a registry of its own, and a fresh one each time;
- after a bump: the same stack with one plugin of another version, to a registry that holds the image before;
- nothing new: the same again.

Each figure is the median of the ratios of neighbours in time, ours to the faster of the two. On two cores the registry,
which hashes and writes what comes, takes most of the time of a push to an empty one.

Needs the stack's files in the store, docker-registry, skopeo and crane. Usage: python bench/push [--runs N] [--memory] [--json]
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
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "bench" / "build")]

from bump import bump  # noqa: E402  needs the path

from builder.lock.pylock import dump_stack_lock, parse_stack_lock  # noqa: E402
from builder.store.files import DirectoryFileStore  # noqa: E402
from builder.store.location import CACHE_VARIABLE, cache_root  # noqa: E402
from tests.support.tools import registry, require_tool  # noqa: E402

STACK = "core"
PLUGIN = "apache-airflow-providers-http"
OURS, CRANE, SKOPEO = "airflow-kubler", "crane", "skopeo"
SCENES = ("empty", "after a bump", "nothing new")
TARGETS = {
    **dict.fromkeys((f"{scene}: ours / faster peer" for scene in SCENES), 1.0),
    "bytes after a bump / changed layers": 1.1,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Layouts:
    """The image, and the one after a bump."""

    first: Path
    bumped: Path

    def changed_bytes(self) -> int:
        """Sum the layers, of both platforms, that only the bumped image has."""
        new = self._layers(self.bumped)
        return sum(new[digest] for digest in new.keys() - self._layers(self.first).keys())

    def _layers(self, layout: Path) -> dict[str, int]:
        """Map the digests of a layout's layers to their sizes in bytes."""

        def read(digest: str) -> Any:
            return json.loads((layout / "blobs" / digest.replace(":", "/")).read_bytes())

        index = json.loads((layout / "index.json").read_bytes())["manifests"][0]["digest"]
        manifests = (read(child["digest"]) for child in read(index)["manifests"])
        return {layer["digest"]: layer["size"] for manifest in manifests for layer in manifest["layers"]}


def prepare(folder: Path) -> Layouts:
    """Build both images in a scratch project and cache; the files are links to those of the user's store."""
    project, cache = folder / "project", folder / "cache"
    shutil.copytree(ROOT / "stacks", project / "stacks")
    shutil.copytree(ROOT / "locks", project / "locks", ignore=shutil.ignore_patterns("files"))
    shutil.copytree(cache_root(os.environ) / "files", cache / "files", copy_function=os.link)
    layouts = Layouts(first=folder / "first", bumped=folder / "bumped")

    def build(target: Path) -> None:
        argv = [sys.executable, "-m", "builder", "--project", str(project), "build", STACK, "--output", str(target)]
        subprocess.run(argv, env={**os.environ, CACHE_VARIABLE: str(cache)}, cwd=ROOT, capture_output=True, check=True)

    build(layouts.first)
    path = project / "locks" / f"pylock.{STACK}.toml"
    lock = parse_stack_lock(path.read_bytes(), file=path.name)
    path.write_bytes(dump_stack_lock(bump(lock, PLUGIN, 1, DirectoryFileStore(cache))))
    build(layouts.bumped)
    return layouts


def argv_of(tool: str, layout: Path, host: str) -> Sequence[str]:
    """Write the command that pushes a layout under one tag."""
    if tool == CRANE:
        return [require_tool(CRANE), "push", "--index", "--insecure", str(layout), f"{host}/team/airflow:bench"]
    if tool == SKOPEO:
        target = f"docker://{host}/team/airflow:bench"
        return [
            require_tool(SKOPEO),
            "copy",
            "--quiet",
            "--all",
            "--dest-tls-verify=false",
            f"oci:{layout}:{STACK}",
            target,
        ]
    own = [sys.executable, "-m", "builder", "push", f"{host}/team/airflow", STACK, "--layout", str(layout)]
    return [*own, "--no-dated", "--tag", "bench", "--json"]


def run(argv: Sequence[str]) -> tuple[float, str]:
    """Run a program; returns seconds of wall time and what it said."""
    started = time.perf_counter()
    done = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, check=False)
    seconds = time.perf_counter() - started
    if done.returncode:
        sys.exit(f"{' '.join(argv)} ended with {done.returncode}:\n{done.stdout}{done.stderr}")
    return seconds, done.stdout


def turn(tool: str, layouts: Layouts, place: Path) -> tuple[dict[str, float], int]:
    """Push all three ways to a fresh registry; returns seconds by scene, and the bytes sent after the bump, by ours."""
    with tempfile.TemporaryDirectory(dir=place) as name, registry(Path(name)) as served:
        first, _ = run(argv_of(tool, layouts.first, served.host))
        second, said = run(argv_of(tool, layouts.bumped, served.host))
        third, _ = run(argv_of(tool, layouts.bumped, served.host))
    sent = json.loads(said)["sent_bytes"] if tool == OURS else 0
    return dict(zip(SCENES, (first, second, third), strict=True)), sent


def measure(layouts: Layouts, place: Path, runs: int) -> dict[str, Any]:
    """Let the three take turns; what is read lies in the page cache from a first turn that does not count."""
    tools = (OURS, CRANE, SKOPEO)
    times: dict[str, list[Mapping[str, float]]] = {tool: [] for tool in tools}
    _, sent = turn(OURS, layouts, place)
    for _ in range(runs):
        for tool in tools:
            times[tool].append(turn(tool, layouts, place)[0])
    figures = {}
    for scene in SCENES:
        ratios = (
            ours[scene] / min(crane[scene], skopeo[scene])
            for ours, crane, skopeo in zip(times[OURS], times[CRANE], times[SKOPEO], strict=True)
        )
        figures[f"{scene}: ours / faster peer"] = statistics.median(ratios)
    figures["bytes after a bump / changed layers"] = sent / layouts.changed_bytes()
    seconds = {
        f"{scene}: {tool}, s": statistics.median(one[scene] for one in times[tool])
        for scene in SCENES
        for tool in tools
    }
    return {"targets": TARGETS, "figures": figures, "details": seconds, "runs": runs}


def main() -> None:
    """Measure, and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument(
        "--memory", action="store_true", help="the registry keeps its files in memory: no disk is measured"
    )
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    scratch = cache_root(os.environ) / "tmp"
    scratch.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=scratch) as name:
        place = Path("/dev/shm") if options.memory else Path(name)  # noqa: S108  memory is what is wanted
        result = measure(prepare(Path(name)), place, options.runs)
    if options.json:
        print(json.dumps(result, indent=1))
        return
    for label, value in result["figures"].items():
        print(f"{label:40}{value:8.2f}   at most {result['targets'][label]}")
    for label, value in result["details"].items():
        print(f"  {label:40}{value:8.3f}")


if __name__ == "__main__":
    main()
