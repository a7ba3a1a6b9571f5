"""Nightly: begin a night or go on with one that was killed, do its work, say what came out."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from msgspec.structs import replace

from builder.nightly.journal import Ended, next_name
from builder.nightly.model import Begun, Night, StepDone
from builder.usecase.night import NightRoom, NightWork, run_night

if TYPE_CHECKING:
    from builder.usecase.night import Tasks

Write = Callable[[Begun | StepDone | Ended], None]


class NightStore(Protocol):
    """Keeps nights."""

    def names(self) -> tuple[str, ...]:
        """List nights, oldest first."""

    def read(self, name: str) -> Night:
        """Read a night."""

    def unfinished(self) -> Night | None:
        """Find the last night, where it has not ended."""

    def journal(self, name: str) -> AbstractContextManager[Write]:
        """Open a night's journal to append to."""


class NightShelf(NightStore, Protocol):
    """Keeps nights with their files, and the word that one runs whose tasks are processes of their own."""

    def report(self, name: str) -> bytes | None:
        """Read a night's report.json; None where it is not over."""

    def file(self, name: str, file: str) -> bytes | None:
        """Read a file of a night; None where it is not there."""

    def keep(self, name: str, file: str, data: bytes) -> None:
        """Keep a file of a night, in place of what was there."""

    def place(self, name: str) -> str:
        """Say where a night's files are."""

    def lend(self, owner: str, hours: int, now: Callable[[], int]) -> None:
        """Say that a night runs; raises BuildError where another one does."""

    def give_back(self, owner: str) -> None:
        """Say that a night that was lent is over."""


def begin(store: NightStore, day: str, make: Callable[[str], Begun], *, anew: bool = False) -> tuple[Night, bool]:
    """Find the night to go on with, or begin one; tells whether it was begun before.

    Args:
        store: keeps nights.
        day: as `20261130`: of a new night's name.
        make: makes the first line of a new night, given its name.
        anew: leave what was not finished.
    """
    night = None if anew else store.unfinished()
    if night is not None:
        return night, True
    return Night(begun=make(next_name(day, store.names()))), False


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """How a night is run."""

    now: Callable[[], int]
    """Seconds since the epoch."""
    workers: int = 1
    """Images in work at a time."""
    say: Callable[[str], None] = lambda _: None
    """Told of each step."""
    beat: Callable[[], None] = lambda: None
    """Called at each step, to say that the night still runs."""
    close: Callable[[Night], None] = lambda _: None
    """Reports on the night, before it counts as over: where a kill comes in between, the next run does it again."""


def carry_out(store: NightStore, night: Night, tasks: Tasks, work: NightWork, run: Run) -> Night:
    """Do a night to its end; returns it as it then is.

    Args:
        store: keeps nights.
        night: as it is on disk, or new.
        tasks: what is to be done.
        work: does it.
        run: how.
    """
    with store.journal(night.begun.night) as write:
        if night.begun.night not in store.names():
            write(night.begun)

        def note(done: StepDone) -> None:
            write(done)
            run.beat()

        run_night(tasks, night, NightRoom(work=work, write=note, say=run.say, workers=run.workers))
        over = replace(store.read(night.begun.night), ended=run.now())
        run.close(over)
        write(Ended(ended=over.ended))
    return over
