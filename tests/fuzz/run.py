"""Fuzz readers, by atheris where it is installed, else blindly: `python -m tests.fuzz.run --seconds 60 [TARGET ...]`, or `make fuzz`.

Each target runs in a process of its own, within bounds of time and memory for each input. What coverage found is kept in
`.fuzz/<target>` for the next run; an input that made a find lies in `.fuzz/finds` and belongs, once the reader is mended,
into `tests/fuzz/regressions/<target>`, which the usual tests read.
"""

from __future__ import annotations

import argparse
import importlib.util
import resource
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
WORK = ROOT / ".fuzz"
INSTRUMENTED = ("builder", "packaging", "tomllib", "tarfile", "zipfile", "html.parser", "elftools", "debian", "ast")
MEMORY_MIB = 1536
"""What one target may hold: the longest input of 64 KiB must not grow to more."""
INPUT_SECONDS = 20
"""That one input may take. Instrumented code is some ten times slower."""
LONGEST = 1 << 16


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=int, default=60, help="for each target")
    parser.add_argument("--one", action="store_true", help="run the one target in this process")
    parser.add_argument("--blind", action="store_true", help="do without atheris")
    parser.add_argument("targets", nargs="*")
    options = parser.parse_args()
    blind = options.blind or importlib.util.find_spec("atheris") is None
    if options.one:
        (fuzz_without_coverage if blind else fuzz)(options.targets[0], options.seconds)
        return
    from tests.fuzz.targets import BY_NAME

    names = options.targets or list(BY_NAME)
    found = [name for name in names if not run(name, options.seconds, blind=blind)]
    print(f"finds: {', '.join(found) or 'none'}", flush=True)
    sys.exit(bool(found))


def run(name: str, seconds: int, *, blind: bool) -> bool:
    """Run a target in a process of its own; tells whether it found nothing."""
    argv = [sys.executable, "-m", "tests.fuzz.run", "--one", "--seconds", str(seconds), *(["--blind"] * blind), name]
    done = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, errors="replace", check=False)
    said = {key: value for line in done.stderr.splitlines() for key, _, value in [line.rpartition(":")]}
    runs, peak = said.get("stat::number_of_executed_units", "?").strip(), said.get("stat::peak_rss_mb", "?").strip()
    print(f"{name}: {runs} runs, {peak} MiB, {'nothing found' if not done.returncode else 'FOUND'}", flush=True)
    if done.returncode:
        told = [line for line in done.stderr.splitlines() if "ERROR" in line or "Test unit written" in line]
        print(done.stdout[-3000:] or done.stderr[-3000:], *told, sep="\n", flush=True)
    return done.returncode == 0


def fuzz_without_coverage(name: str, seconds: int) -> None:
    """Fuzz in this process, with changes by chance."""
    from tests.fuzz.blind import fuzz_blindly
    from tests.fuzz.targets import BY_NAME

    finds = WORK / "finds"
    finds.mkdir(parents=True, exist_ok=True)
    runs = fuzz_blindly(
        BY_NAME[name],
        seconds=seconds,
        finds=finds,
        input_seconds=INPUT_SECONDS,
        memory_mib=MEMORY_MIB,
        longest=LONGEST,
    )
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10
    sys.stderr.write(f"stat::number_of_executed_units: {runs}\nstat::peak_rss_mb: {peak}\n")


def fuzz(name: str, seconds: int) -> None:
    """Fuzz in this process, until the time is over or something is found."""
    atheris: Any = importlib.import_module("atheris")
    with atheris.instrument_imports(include=list(INSTRUMENTED)):
        from tests.fuzz.targets import BY_NAME

    target = BY_NAME[name]
    corpus, finds = WORK / name, WORK / "finds"
    for folder in (corpus, finds):
        folder.mkdir(parents=True, exist_ok=True)
    for number, seed in enumerate(target.all_seeds()):
        (corpus / f"seed-{number}").write_bytes(seed)
    arguments = [
        sys.argv[0],
        f"-max_total_time={seconds}",
        f"-max_len={LONGEST}",
        f"-timeout={INPUT_SECONDS}",
        f"-rss_limit_mb={MEMORY_MIB}",
        f"-artifact_prefix={finds}/{name}-",
        "-print_final_stats=1",
        str(corpus),
    ]
    atheris.Setup(arguments, target.run)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
