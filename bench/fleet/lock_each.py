"""Do the lock step of a night for each stack of a project, of which none changes; prints what a stack takes of a processor, in ms.

Usage: python bench/fleet/lock_each.py PROJECT
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parents[2])]

from builder.project import open_project  # noqa: E402  needs the path
from builder.stack.graph import build_order  # noqa: E402
from builder.usecase.lock import ReadBefore, lock_stacks  # noqa: E402
from builder.usecase.lock_heads import LockHeads  # noqa: E402
from builder.usecase.lock_model import LockOptions  # noqa: E402
from builder.wiring.locks import make_lock_tools  # noqa: E402
from builder.wiring.stores import make_build_store  # noqa: E402


def main() -> None:
    """Lock, and print."""
    project = open_project(Path(sys.argv[1]))
    known = ReadBefore(stacks=project.load_stacks(), heads=LockHeads(make_build_store()))
    names = build_order(known.stacks)
    with make_lock_tools(project, lambda _: None, refresh=True) as tools:
        begun = time.process_time()
        for name in names:
            report = lock_stacks(project, tools, [name], LockOptions(upgrade=True), known=known)
            assert not report.stacks[0].changed, name
        print((time.process_time() - begun) / len(names) * 1e3)


if __name__ == "__main__":
    main()
