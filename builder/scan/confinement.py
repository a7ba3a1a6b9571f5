"""How a scanner is run: shut in, so that it sees what it scans and what it knows, and nothing else of this machine.

- No network, no environment of the user's, no home; namespaces of its own, a user without rights, no privileges to gain.
- What it reads is bound in read-only; its database is a copy of its own, since it wants to write to it. It may write there, into a
  memory file system, and into one file for the report.
- Time, memory, sizes of files and processes are bounded.

Where this machine allows no namespaces it is run as the user, in an empty environment and within the limits, and that is said: it
could then reach the network and the user's files.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Protocol

from builder.errors import ScanError
from builder.run.confined import NOBODY, PROGRAM, Ended, find_way, watch
from builder.run.namespaces import Spec
from builder.scan import limited

SYSTEM: Final = ("bin", "lib", "lib64", "usr")
"""What a program that is not whole by itself needs of this machine: libraries, an interpreter. Read-only."""
_ELF: Final = b"\x7fELF"
_TOP: Final = "/scan"
_PROGRAM: Final = "/program"


@dataclass(frozen=True, slots=True, kw_only=True)
class ScanLimits:
    """How much a scan may use."""

    wall_s: float = 600
    cpu_s: int = 900
    memory: int = 8 << 30
    """Bytes of address space: the database is mapped into it."""
    file_size: int = 256 << 20
    """Of each file that is written, the report among them."""
    database_size: int = 4 << 30
    processes: int = 512
    open_files: int = 1024
    scratch: int = 2 << 30
    """Bytes of the memory file system; files of layers that are larger than 200 MB are laid there."""

    def to_dict(self) -> dict[str, int]:
        """Name them as setrlimit(2) does."""
        return {
            "as": self.memory,
            "core": 0,
            "cpu": self.cpu_s,
            "fsize": self.file_size,
            "nofile": self.open_files,
            "nproc": self.processes,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """A program to run once."""

    program: Path
    """A copy that nobody else writes to."""
    arguments: Callable[[str], Sequence[str]]
    """Given the folder where all that is bound lies by name, makes the arguments."""
    folder: Path
    """Empty, and gone after the run."""
    binds: Mapping[str, Path] = field(default_factory=dict)
    """Files and folders that it reads, by name: relative paths, below which it sees them."""
    writable: Mapping[str, Path] = field(default_factory=dict)
    """Files that it writes; there already, and of this run alone."""
    limits: ScanLimits = field(default_factory=ScanLimits)


class Confinement(Protocol):
    """Runs a scanner."""

    @property
    def isolated(self) -> bool:
        """Tell whether it has no network and sees nothing of this machine."""

    def run(self, task: Task) -> Ended:
        """Run a program to its end; raises ScanError where it cannot be started."""


class Cell:
    """In namespaces of its own.

    Args:
        as_root: whether to do without a user namespace, as root alone can.
    """

    isolated = True

    def __init__(self, *, as_root: bool) -> None:
        self._as_root = as_root

    def run(self, task: Task) -> Ended:
        """Run a program to its end."""
        root, failure = task.folder / "root", task.folder / "failure"
        spec = self._make_spec(task, root, failure)
        path = task.folder / "spec.json"
        path.write_text(json.dumps(spec))
        ended = watch([*PROGRAM, str(path)], task.limits.wall_s)
        if failure.exists() and (text := failure.read_text()):
            raise ScanError(f"the scanner could not be started: {text}", context=str(task.program))
        return ended

    def _make_spec(self, task: Task, root: Path, failure: Path) -> Spec:
        bound = [(path, f"{_TOP}/{name}", True) for name, path in task.binds.items()]
        bound += [(path, f"{_TOP}/{name}", False) for name, path in task.writable.items()]
        bound.append((task.program, _PROGRAM, True))
        system = _lay_out(root, bound, system=not is_whole(task.program))
        for path in task.writable.values():
            # Whoever the scanner runs as shall write there.
            path.chmod(0o666)
        return Spec(
            argv=[_PROGRAM, *task.arguments(_TOP)],
            env=_environment("/tmp"),  # noqa: S108 - a path in the cell
            workdir="/tmp",  # noqa: S108 - as above
            uid=NOBODY,
            gid=NOBODY,
            root=str(root),
            read_only=True,
            network=False,
            scratch=["/tmp"],  # noqa: S108 - as above
            binds=[(str(path), target, read_only) for path, target, read_only in (*bound, *system)],
            failure=str(failure),
            as_root=self._as_root,
            scratch_options=f"size={task.limits.scratch}",
            limits=task.limits.to_dict(),
        )


class Unconfined:
    """As the user, where nothing else is possible: the environment is empty and the limits hold, and no more than that."""

    isolated = False

    def run(self, task: Task) -> Ended:
        """Run a program to its end."""
        top = task.folder / "scan"
        for name, path in (*task.binds.items(), *task.writable.items()):
            (top / name).parent.mkdir(parents=True, exist_ok=True)
            (top / name).symlink_to(path.resolve())
        home = task.folder / "home"
        home.mkdir(mode=0o700)
        argv = [str(task.program), *task.arguments(str(top))]
        limits = json.dumps(task.limits.to_dict())
        return watch(
            [sys.executable, "-I", limited.__file__, limits, *argv],
            task.limits.wall_s,
            env=_environment(str(home)),
            cwd=home,
        )


def find_confinement() -> tuple[Confinement, str]:
    """Find the best way to run a scanner here, and why it is not a better one; empty where it is the best."""
    as_root, reasons = find_way()
    if as_root is None:
        return Unconfined(), "; ".join(reasons)
    return Cell(as_root=as_root), ""


def is_whole(program: Path) -> bool:
    """Tell a program that needs nothing beside itself from one with a loader, and from a script."""
    with program.open("rb") as stream:
        if stream.read(len(_ELF)) != _ELF:
            return False
        from elftools.elf.elffile import ELFFile

        stream.seek(0)
        return all(segment["p_type"] != "PT_INTERP" for segment in ELFFile(stream).iter_segments())


def _environment(home: str) -> dict[str, str]:
    return {
        "HOME": home,
        "TMPDIR": home,
        "PATH": "/usr/bin:/bin",
        "LC_ALL": "C.UTF-8",
        "TZ": "UTC",
        "XDG_CACHE_HOME": home,
    }


def _lay_out(root: Path, bound: Sequence[tuple[Path, str, bool]], *, system: bool) -> list[tuple[Path, str, bool]]:
    """Make the folder that becomes the root; returns what else is to be bound of this machine."""
    for name in ("dev", "proc", "tmp"):
        (root / name).mkdir(parents=True)
    for path, target, _ in bound:
        place = root / target.removeprefix("/")
        place.parent.mkdir(parents=True, exist_ok=True)
        if path.is_dir():
            place.mkdir()
        else:
            place.touch()
    links = []
    for name in SYSTEM if system else ():
        there = Path("/") / name
        if there.is_symlink():
            (root / name).symlink_to(there.readlink())
        elif there.is_dir():
            (root / name).mkdir()
            links.append((there, f"/{name}", True))
    for path in (root, *root.rglob("*")):
        if path.is_dir() and not path.is_symlink():
            path.chmod(0o755)
    return links
