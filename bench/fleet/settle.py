"""Note of all stacks of a project that they are settled, as the user of this environment.

Usage: python bench/fleet/settle.py PROJECT
"""

from __future__ import annotations

import sys
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parents[2])]

from builder.project import open_project  # noqa: E402  needs the path
from builder.usecase.lock_model import LockOptions  # noqa: E402
from builder.wiring.locks import make_lock_tools  # noqa: E402
from tests.support.fleet import settle  # noqa: E402

if __name__ == "__main__":
    project = open_project(Path(sys.argv[1]))
    with make_lock_tools(project, print) as tools:
        settle(project, tools, LockOptions(upgrade=True))
