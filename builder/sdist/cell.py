"""The cell that a build backend runs in: namespaces of its own, no network, no home, nothing of this machine's.

- The root is the base's, read-only. What can be written to are memory file systems of a bounded size, gone with the cell,
  and one file for the answer.
- The environment is the same few words on every machine; so are paths, times of files and their order.
- Processor time, memory, files, processes and wall time are bounded. When the wall time is over, all of it is ended.
- As root the backend runs as a user that nobody else is; else in a user namespace of the caller's.
"""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from builder.entry import Entry, file_entry
from builder.errors import ToolError
from builder.run.confined import NOBODY, PROGRAM, find_way, watch
from builder.run.namespaces import Spec
from builder.sdist import driver
from builder.sdist.driver import Request
from builder.sdist.root import write_entries

EPOCH = 1_790_000_000
"""What builds take for the time: the same second that files in layers have."""
REQUIRES = "build/requires"
"""The virtual environment of build requirements, relative to the root."""
USER = NOBODY
_HINT = "run as root, allow user namespaces, or ask for versions that have wheels"
ENVIRONMENT = {
    "LC_ALL": "C.UTF-8",
    "PATH": f"/{REQUIRES}/bin:/usr/bin:/bin",
    "PYTHONDONTWRITEBYTECODE": "1",
    "PYTHONHASHSEED": "0",
    "SOURCE_DATE_EPOCH": str(EPOCH),
    "TZ": "UTC",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class CellLimits:
    """How much a build may use."""

    wall_s: float = 600
    cpu_s: int = 300
    memory: int = 2 << 30
    """Bytes of address space, for each process."""
    file_size: int = 256 << 20
    processes: int = 128
    open_files: int = 1024
    scratch: int = 256 << 20
    """Bytes of each memory file system."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CellTask:
    """What is to be run."""

    root: Path
    """From ensure_root."""
    source: Sequence[Entry]
    """The sdist's files, relative to its top folder."""
    requires: Sequence[Entry]
    """Build requirements as installed, relative to the root."""
    python: str
    """Major and minor."""
    request: Request
    limits: CellLimits = field(default_factory=CellLimits)


@dataclass(frozen=True, slots=True, kw_only=True)
class CellAnswer:
    """What came of it; all of it untrusted."""

    status: int
    """128 + N where signal N ended it."""
    timed_out: bool
    output: str
    """The end of what was printed."""
    result: bytes


class Cell:
    """Runs build backends, each in a cell of its own. Safe in several threads.

    Args:
        scratch: where its folders are made, so that `store gc` finds what a killed run left.
        as_root: whether to do without a user namespace, as root alone can; None to find out.
    """

    def __init__(self, scratch: Path, *, as_root: bool | None = None) -> None:
        self._scratch = scratch
        self._as_root = as_root

    def run(self, task: CellTask) -> CellAnswer:
        """Run a hook to its end.

        Raises:
            ToolError: this machine allows no cell.
        """
        as_root = self._may_be_root()
        with self._folder() as folder:
            fill_folder(folder, task)
            spec = _make_spec(folder, task, as_root=as_root)
            (folder / "spec.json").write_text(json.dumps(spec))
            argv = [*PROGRAM, str(folder / "spec.json")]
            ended = watch(argv, task.limits.wall_s)
            failure = folder / "failure"
            if failure.exists() and (text := failure.read_text()):
                message = f"no isolated build can be started here: {text}"
                raise ToolError(message, argv=argv, exit_status=ended.status, hint=_HINT)
            with (folder / "result").open("rb") as stream:
                result = stream.read(task.limits.file_size)
        return CellAnswer(status=ended.status, timed_out=ended.timed_out, output=ended.output, result=result)

    @contextmanager
    def _folder(self) -> Iterator[Path]:
        self._scratch.mkdir(parents=True, exist_ok=True)
        folder = Path(tempfile.mkdtemp(dir=self._scratch, prefix="sdist-"))
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def _may_be_root(self) -> bool:
        """Find out which way is open: root's, or a user namespace."""
        if self._as_root is None:
            self._as_root, reasons = find_way()
            if self._as_root is None:
                message = f"no isolated build is possible here: {'; '.join(reasons)}"
                raise ToolError(message, argv=["userns"], hint=_HINT)
        return self._as_root


def fill_folder(folder: Path, task: CellTask) -> None:
    """Lay out what is bound into the cell; the answer's file alone may be written to, by whoever the backend runs as."""
    (folder / "sdist").mkdir()
    write_entries(task.source, folder / "sdist")
    write_entries([*task.requires, *_environment(task.python)], folder)
    (folder / REQUIRES / "bin/python").symlink_to(f"/usr/bin/python{task.python}")
    (folder / "driver.py").write_bytes(Path(driver.__file__).read_bytes())
    (folder / "result").touch()
    for path in folder.rglob("*"):
        if path.is_dir():
            path.chmod(0o755)
    (folder / "driver.py").chmod(0o644)
    (folder / "result").chmod(0o666)


def _environment(python: str) -> tuple[Entry, ...]:
    settings = "home = /usr/bin\ninclude-system-site-packages = false\n"
    return (
        file_entry(f"{REQUIRES}/pyvenv.cfg", settings.encode()),
        # Made even where there are no requirements, so that `site` finds its folder.
        file_entry(f"{REQUIRES}/lib/python{python}/site-packages/.keep", b""),
        file_entry(f"{REQUIRES}/bin/.keep", b""),
    )


def _make_spec(folder: Path, task: CellTask, *, as_root: bool) -> Spec:
    limits = task.limits
    python = f"/{REQUIRES}/bin/python"
    return Spec(
        argv=[python, "-s", "-P", "/build/driver.py", json.dumps(task.request)],
        env=ENVIRONMENT,
        workdir="/build",
        uid=USER,
        gid=USER,
        root=str(task.root),
        read_only=True,
        network=False,
        scratch=["/tmp", "/var/tmp", "/dev/shm", "/build/src", "/build/out"],  # noqa: S108 - paths in the cell
        binds=[
            (str(folder / "sdist"), "/build/sdist", True),
            (str(folder / REQUIRES), f"/{REQUIRES}", True),
            (str(folder / "driver.py"), "/build/driver.py", True),
            (str(folder / "result"), "/build/result", False),
        ],
        failure=str(folder / "failure"),
        as_root=as_root,
        scratch_options=f"size={limits.scratch},nr_inodes=50k",
        limits={
            "as": limits.memory,
            "core": 0,
            "cpu": limits.cpu_s,
            "fsize": limits.file_size,
            "nofile": limits.open_files,
            "nproc": limits.processes,
        },
    )
