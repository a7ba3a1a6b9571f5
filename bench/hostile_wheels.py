"""Show every hostile wheel of the tests to pip and uv, and write the table of verdicts in docs/wheels.md.

Run from the project's folder: `python -m bench.hostile_wheels --pip PYTHON_WITH_PIP --write docs/wheels.md`.
Nothing is run of what gets installed. A verdict says only whether the installer ended with success: where it does, it may
have left the odd part out, or have put it where it belongs.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

from builder.wheel.refusal import WheelRefusedError
from builder.wheel.wheel import read_wheel
from tests.support.hostile_wheels import HOSTILE, Hostile

BEGIN = "<!-- verdicts: begin -->"
END = "<!-- verdicts: end -->"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pip", default=sys.executable, help="a Python with pip")
    parser.add_argument("--uv", default=str(Path(sys.executable).with_name("uv")))
    parser.add_argument("--write", type=Path, help="a page with the two marks; else the table is printed")
    options = parser.parse_args()
    table = render(options.pip, options.uv)
    if options.write is None:
        print(table)
        return
    page = options.write.read_text()
    options.write.write_text(re.sub(f"{BEGIN}.*{END}", lambda _: f"{BEGIN}\n{table}\n{END}", page, flags=re.DOTALL))


def render(pip: str, uv: str) -> str:
    pip_version = first_words([pip, "-m", "pip", "--version"])
    uv_version = first_words([uv, "--version"])
    rows = [
        f"| | hostile wheel | airflow-kubler refuses it as | {pip_version} | {uv_version} |",
        "|---|---|---|---|---|",
    ]
    for hostile in HOSTILE:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / hostile.file_name
            path.write_bytes(hostile.make())
            by_pip = verdict([pip, "-m", "pip", "install", "--no-deps", "--no-index", "--no-compile", "--target"], path)
            by_uv = verdict(
                [uv, "pip", "install", "--no-deps", "--no-index", "--offline", "--python", pip, "--target"], path
            )
        rows.append(f"| {hostile.threat} | {hostile.name} | `{ours(hostile)}` | {by_pip} | {by_uv} |")
    return "\n".join(rows)


def first_words(argv: list[str]) -> str:
    return " ".join(subprocess.run(argv, capture_output=True, text=True, check=True).stdout.split()[:2])


def ours(hostile: Hostile) -> str:
    try:
        read_wheel(hostile.make(), file_name=hostile.file_name)
    except WheelRefusedError as error:
        return str(error.kind)
    raise AssertionError(hostile.name)


def verdict(argv: list[str], wheel: Path) -> str:
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder) / "deep" / "down" / "target"
        env = {
            "PATH": os.defpath,
            "HOME": folder,
            "UV_CACHE_DIR": f"{folder}/cache",
            "TMPDIR": folder,
            "PIP_CONFIG_FILE": os.devnull,
        }
        done = subprocess.run([*argv, str(target), str(wheel)], env=env, capture_output=True, check=False, timeout=300)
        if done.returncode:
            return "refuses"
        above = {*(Path(folder) / "deep").iterdir(), *target.parent.iterdir()}
        return "accepts" if above == {target.parent, target} else "**writes outside**"


if __name__ == "__main__":
    main()
