"""What the processes of one test run share: made by whichever needs it first, in a folder of the run, while others wait."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from builder.atomic import alone_in

_WORKER = "PYTEST_XDIST_WORKER"
"""Set by pytest-xdist in its processes, each of which has a folder of its own below that of the run."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SharedFolder:
    """A folder that all processes of a run know.

    One thing is made at a time: what is worth sharing, as a build, keeps all processors busy by itself, and builds beside
    each other would do twice what they have in common.
    """

    root: Path

    @contextmanager
    def alone(self, name: str) -> Iterator[None]:
        """Keep out whoever in this run wants the same for itself."""
        folder = self.root / f"{name}.alone"
        folder.mkdir(exist_ok=True)
        with alone_in(folder):
            yield

    def get(self, name: str, make: Callable[[Path], object]) -> Path:
        """Give a folder that `make` fills, once in a run; where it fails or is killed, the next one to ask begins anew."""
        folder, unfinished = self.root / name, self.root / f"{name}.unfinished"
        with alone_in(self.root):
            if not folder.exists():
                shutil.rmtree(unfinished, ignore_errors=True)
                unfinished.mkdir()
                make(unfinished)
                unfinished.rename(folder)
        return folder


def shared_folder(own: Path) -> SharedFolder:
    """Make the folder that is shared.

    Args:
        own: the base of this process's temporary folders.
    """
    root = (own.parent if _WORKER in os.environ else own) / "shared"
    root.mkdir(exist_ok=True)
    return SharedFolder(root=root)
