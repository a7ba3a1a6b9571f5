"""The folder of nights: one folder each, with its journal and reports; and the lock that lets one night run at a time.

The lock is a file with its owner and expiry, held by flock as long as the process lives. Where the owner's machine is another
one, flock may not reach: then the owner's word holds until it expires. A night whose tasks are processes of their own, as on
Airflow, has nobody to hold the lock: it is lent to the run, by word, from task to task.
"""

from __future__ import annotations

import fcntl
import json
import os
import socket
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from builder.errors import BuildError, InvalidInputError

if TYPE_CHECKING:
    from builder.nightly.journal import Ended
    from builder.nightly.model import Begun, Night, StepDone

JOURNAL: Final = "journal.jsonl"
REPORT: Final = "report.json"
_LOCK: Final = "lock"
_MODE: Final = 0o644
LENT: Final = "tasks of a run"
"""In place of a host: those of a night that is many processes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Nights:
    """Nights of a project, on disk."""

    root: Path
    moment_s: float = 10.0
    """How long tasks of a run wait for each other's word."""

    def names(self) -> tuple[str, ...]:
        """List nights, oldest first; one that was killed before its first line is none."""
        found = (path.parent.name for path in self.root.glob(f"*/{JOURNAL}") if b"\n" in path.read_bytes())
        return tuple(sorted(found, key=_order))

    def read(self, name: str) -> Night:
        """Read a night; raises InvalidInputError where it is damaged or not there."""
        from builder.nightly.journal import parse_journal

        path = self.root / name / JOURNAL
        if not path.is_file():
            raise InvalidInputError(
                f"no night {name[:80]!r}", context=str(self.root), hint="airflow-kubler nightly --list"
            )
        return parse_journal(path.read_bytes(), file=str(path))

    def report(self, name: str) -> bytes | None:
        """Read a night's report.json; None where it is not over."""
        return self.file(name, REPORT)

    def unfinished(self) -> Night | None:
        """Find the last night, where it has not ended."""
        names = self.names()
        night = self.read(names[-1]) if names else None
        return night if night is not None and not night.ended else None

    def folder(self, name: str) -> Path:
        """Name a night's folder."""
        return self.root / name

    def file(self, name: str, file: str) -> bytes | None:
        """Read a file of a night; None where it is not there."""
        path = self.root / name / file
        return path.read_bytes() if path.is_file() else None

    def size(self, name: str) -> int:
        """Tell how many bytes a night's journal has; 0 where there is none."""
        path = self.root / name / JOURNAL
        return path.stat().st_size if path.is_file() else 0

    def keep(self, name: str, file: str, data: bytes) -> None:
        """Keep a file of a night, in place of what was there."""
        from builder.atomic import replacing

        path = self.root / name / file
        path.parent.mkdir(parents=True, exist_ok=True)
        with replacing(path, mode=_MODE, durable=True) as stream:
            stream.write(data)

    def place(self, name: str) -> str:
        """Say where a night's files are."""
        return str(self.folder(name))

    @contextmanager
    def journal(self, name: str) -> Iterator[Callable[[Begun | StepDone | Ended], None]]:
        """Open a night's journal to append to; threads and processes may write at the same time, and none cuts into another's line.

        What a kill cut short is taken off first.
        """
        from builder.nightly.journal import dump_line

        path = self.root / name / JOURNAL
        path.parent.mkdir(parents=True, exist_ok=True)
        yield lambda line: _append(path, dump_line(line))

    @contextmanager
    def alone(
        self, owner: str, hours: int, now: Callable[[], int], *, take_over: bool = False
    ) -> Iterator[Callable[[], None]]:
        """Be the one night that runs; gives what says that it still does.

        Args:
            owner: who runs it, as `user@host`.
            hours: after which it counts as dead on other machines.
            now: seconds since the epoch.
            take_over: whatever another machine's night said.

        Raises:
            BuildError: another one runs.
        """
        path, host = self.root / _LOCK, socket.gethostname()
        with _open_lock(path) as descriptor:
            other = _read_owner(descriptor)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise _busy(path, other, "it runs on this machine: wait for it, or end it") from None
            if not take_over and other.get("host") not in {None, host} and _expires(other) > now():
                raise _busy(path, other, "wait, or where it is dead: airflow-kubler nightly --take-over")

            def renew() -> None:
                expires = now() + hours * 3600
                _write_owner(descriptor, {"owner": owner, "host": host, "pid": os.getpid(), "expires": expires})

            renew()
            yield renew
            os.ftruncate(descriptor, 0)

    def lend(self, owner: str, hours: int, now: Callable[[], int]) -> None:
        """Say that a night runs whose tasks are processes of their own, on whatever machine; again by each of them.

        No process holds it: the owner's word does, until it expires or is given back. So `alone` refuses a night beside it.

        Args:
            owner: names the run that the tasks are of; tasks of another run are refused.
            hours: after which it counts as dead.
            now: seconds since the epoch.

        Raises:
            BuildError: another night runs.
        """
        path = self.root / _LOCK
        with _open_lock(path) as descriptor:
            other = _read_owner(descriptor)
            try:
                # Tasks of one run come at the same time, each for a moment; a night of one process stays.
                _wait_for(descriptor, self.moment_s)
            except BlockingIOError:
                raise _busy(path, other, "wait for it, or end it") from None
            other = _read_owner(descriptor)
            # A night of one process on this machine is dead: else it would have the lock.
            is_dead = other.get("host") in {None, socket.gethostname()} or _expires(other) <= now()
            if not is_dead and (other.get("owner"), other.get("host")) != (owner, LENT):
                raise _busy(path, other, "wait, or where it is dead: airflow-kubler nightly --take-over")
            _write_owner(descriptor, {"owner": owner, "host": LENT, "pid": 0, "expires": now() + hours * 3600})

    def give_back(self, owner: str) -> None:
        """Say that a night that was lent is over."""
        with _open_lock(self.root / _LOCK) as descriptor, _turn(descriptor):
            if _read_owner(descriptor).get("owner") == owner:
                os.ftruncate(descriptor, 0)


@contextmanager
def _open_lock(path: Path) -> Iterator[int]:
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, _MODE)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _wait_for(descriptor: int, seconds: float) -> None:
    """Get a lock that others have for a moment; raises BlockingIOError where one keeps it."""
    end = time.monotonic() + seconds
    while True:
        try:
            return fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > end:
                raise
            time.sleep(0.05)


def _write_owner(descriptor: int, owner: Mapping[str, object]) -> None:
    data = json.dumps(owner).encode() + b"\n"
    os.pwrite(descriptor, data, 0)
    os.ftruncate(descriptor, len(data))
    os.fsync(descriptor)


def _append(path: Path, line: bytes) -> None:
    """Append a line whole and synced; opened for each, since a lock is of one opening, and threads would share it."""
    descriptor = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, _MODE)
    try:
        with _turn(descriptor):
            _cut(descriptor)
            written = os.write(descriptor, line)
            if written != len(line):
                _cut(descriptor)
                raise BuildError("could not be written to its end", context=str(path), hint="is the disk full?")
            os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def _turn(descriptor: int) -> Iterator[None]:
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    try:
        yield
    finally:
        fcntl.flock(descriptor, fcntl.LOCK_UN)


def _cut(descriptor: int) -> None:
    """Take off a last line without its end: whoever wrote it is dead, since nobody has the lock."""
    size = os.fstat(descriptor).st_size
    if not size or os.pread(descriptor, 1, size - 1) == b"\n":
        return
    from builder.nightly.journal import whole_bytes

    os.ftruncate(descriptor, whole_bytes(os.pread(descriptor, size, 0)))


def _read_owner(descriptor: int) -> dict[str, object]:
    try:
        value = json.loads(os.pread(descriptor, 4096, 0) or b"{}")
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}


def _expires(owner: dict[str, object]) -> int:
    value = owner.get("expires")
    return value if isinstance(value, int) else 0


def _busy(path: Path, other: dict[str, object], hint: str) -> BuildError:
    who = f"{other.get('owner', 'somebody')} (process {other.get('pid', '?')} on {other.get('host', '?')})"
    return BuildError(f"a night of {who} is running", context=str(path), hint=hint)


def _order(name: str) -> tuple[str, int]:
    day, _, number = name.partition(".")
    return day, int(number) if number.isdecimal() else 0
