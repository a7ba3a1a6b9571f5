"""Writes docs/graph.svg: the shipped stacks as `airflow-kubler graph --format svg` draws them, over a made-up ledger.

Run by `make golden`, after stacks or the drawing changed. tests/unit/picture/test_stacks.py compares.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[2]
sys.path[:0] = [str(ROOT)]

from tests.support.shipped_ledger import make_shipped_ledger  # noqa: E402  needs the path

PICTURE = ROOT / "docs/graph.svg"


def draw() -> bytes:
    """Run the command."""
    with tempfile.TemporaryDirectory() as folder:
        ledger = make_shipped_ledger(Path(folder) / "ledger.db")
        argv = [sys.executable, "-m", "builder", "--project", str(ROOT), "--ledger", str(ledger)]
        return subprocess.run([*argv, "graph", "--format", "svg"], check=True, stdout=subprocess.PIPE).stdout


if __name__ == "__main__":
    PICTURE.write_bytes(draw())
