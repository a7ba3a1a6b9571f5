"""The folder of nights: one folder each, with its journal and reports; and the lock that lets one night run at a time.

The lock is a file with its owner and expiry, held by flock as long as the process lives. Where the owner's machine is another
one, flock may not reach: then the owner's word holds until it expires.
"""

from __future__ import annotations

import fcntl
import json
import os
import socket
from collections.abc import Callable, Iterator
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Nights:
    """Nights of a project, on disk."""

    root: Path

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
        path = self.root / name / REPORT
        return path.read_bytes() if path.is_file() else None

    def unfinished(self) -> Night | None:
        """Find the last night, where it has not ended."""
        names = self.names()
        night = self.read(names[-1]) if names else None
        return night if night is not None and not night.ended else None

    def folder(self, name: str) -> Path:
        """Name a night's folder."""
        return self.root / name

    @contextmanager
    def journal(self, name: str) -> Iterator[Callable[[Begun | StepDone | Ended], None]]:
        """Open a night's journal to append to; what a kill cut short is taken off first. One thread writes at a time."""
        from threading import Lock

        from builder.nightly.journal import dump_line, whole_bytes

        path = self.root / name / JOURNAL
        path.parent.mkdir(parents=True, exist_ok=True)
        kept = whole_bytes(path.read_bytes()) if path.is_file() else 0
        with path.open("ab") as stream:
            stream.truncate(kept)
            turn = Lock()

            def write(line: Begun | StepDone | Ended) -> None:
                with turn:
                    stream.write(dump_line(line))
                    stream.flush()
                    os.fsync(stream.fileno())

            yield write

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
        self.root.mkdir(parents=True, exist_ok=True)
        path = self.root / _LOCK
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, _MODE)
        try:
            other = _read_owner(descriptor)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise _busy(path, other, "it runs on this machine: wait for it, or end it") from None
            host = socket.gethostname()
            if not take_over and other.get("host") not in {None, host} and _expires(other) > now():
                raise _busy(path, other, "wait, or where it is dead: airflow-kubler nightly --take-over")

            def renew() -> None:
                value = {"owner": owner, "host": host, "pid": os.getpid(), "expires": now() + hours * 3600}
                data = json.dumps(value).encode() + b"\n"
                os.pwrite(descriptor, data, 0)
                os.ftruncate(descriptor, len(data))
                os.fsync(descriptor)

            renew()
            yield renew
            os.ftruncate(descriptor, 0)
        finally:
            os.close(descriptor)


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
