"""A night whose tasks are done by processes of their own: begun by one, ended by one, a task at a time in between.

What they share is the project's folder: its locks, what is built, the journal, the ledger. Invariants:

- Each task reads from the journal how what it stands on came out, and so needs nothing from whoever starts it but its name.
- A task that was killed, or is done twice, goes on after its last step that still stands.
- All judge by the time at which the night began: cool-downs and the tag of the day are the same for all of them.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Final

from builder.errors import InvalidInputError
from builder.usecase.night_settings import load_night_settings
from builder.wiring.nightly import OUTPUT
from builder.wiring.nights import Nights

if TYPE_CHECKING:
    from builder.nightly.model import Begun, StepDone
    from builder.nightly.settings import NightSettings
    from builder.nightly.summary import NightSummary
    from builder.project import Project
    from builder.usecase.night import Task
    from builder.wiring.night_git import NightGit

_FOLDER: Final = "nights"
LEDGER: Final = "ledger.db"


@dataclass(frozen=True, kw_only=True)
class NightRun:
    """One run of a night, as its processes see it."""

    project: Project
    ledger: Path | None
    owner: str
    """Names the run to those who want to begin another: the same for all its tasks."""
    jobs: int
    say: Callable[[str], None]

    @cached_property
    def nights(self) -> Nights:
        """The project's nights."""
        return Nights(root=self.project.root / OUTPUT / _FOLDER)

    @cached_property
    def settings(self) -> NightSettings:
        """What stacks/nightly.toml says."""
        return load_night_settings(self.project)

    def begin(self, stacks: Sequence[str] = ()) -> str:
        """Begin a night, or go on with one that has not ended; returns its name.

        Args:
            stacks: of a new night; all where there are none.

        Raises:
            BuildError: another night runs.
        """
        from builder.usecase.nightly import begin
        from builder.wiring.ledgers import clock
        from builder.wiring.nightly import begun_maker

        self._renew()
        now = clock()
        day = dt.datetime.fromtimestamp(now, dt.UTC).strftime("%Y%m%d")
        make: Callable[[str], Begun] = begun_maker(self.project, self.settings, self.ledger, stacks, now, self.owner)
        night, again = begin(self.nights, day, make)
        name = night.begun.night
        self._git(name).begin(self.say, again=again)
        if not again:
            with self.nights.journal(name) as write:
                write(night.begun)
        self.say(f"night {name}{' goes on' if again else ''}: {len(night.begun.before)} stacks")
        return name

    def do(self, name: str, task: Task) -> tuple[StepDone, ...]:
        """Do a task of a night; returns the steps that ended in this run, none where all stood already.

        Raises:
            InvalidInputError: the night has no such task.
            BuildError: another night runs.
        """
        from builder.usecase.night import NightRoom, run_task
        from builder.wiring.locks import make_lock_tools
        from builder.wiring.nightly import make_tasks_of, open_work

        night = self.nights.read(name)
        tasks = make_tasks_of(self.project, self.settings, tuple(night.begun.before))
        if task not in tasks:
            raise InvalidInputError(f"night {name} has no task for {task.node}", hint="it began before that was there")
        self._renew()
        with ExitStack() as later:
            tools = later.enter_context(make_lock_tools(self.project, self.say, refresh=True, now=night.begun.at))
            work = open_work(self.project, self.settings, night.begun, tools, later, ledger=self.ledger, jobs=self.jobs)
            write = later.enter_context(self.nights.journal(name))
            return run_task(tasks, task, night, NightRoom(work=work, write=write, say=self.say))

    def end(self, name: str) -> NightSummary:
        """End a night: it is reported, put on record and told of, then over; done again, nothing is added.

        Raises:
            BuildError: another night runs.
        """
        from msgspec.structs import replace

        from builder.nightly.journal import Ended
        from builder.nightly.summary import summarise
        from builder.wiring.ledgers import clock
        from builder.wiring.night_reports import close_night, tell_night

        self._renew()
        night = self.nights.read(name)
        summary = summarise(night if night.ended else replace(night, ended=clock()))
        if not night.ended:
            close_night(self.nights, summary, self.ledger)
            tell_night(self.nights, summary, self.settings.notify, self.say)
            self._git(name).end(summary, self.say)
            with self.nights.journal(name) as write:
                write(Ended(ended=summary.ended))
        self.nights.give_back(self.owner)
        return summary

    def _git(self, name: str) -> NightGit:
        """Open git beside a night: for the patch of its locks, no commit."""
        from builder.wiring.night_git import NightGit

        return NightGit(locks=self.project.locks_folder, folder=self.nights.folder(name), commit=False, branch="")

    def _renew(self) -> None:
        from builder.wiring.ledgers import clock

        self.nights.lend(self.owner, self.settings.hours, clock)


def tasks_by_generation(project: Project) -> tuple[tuple[Task, ...], ...]:
    """List the tasks of a night of all stacks, each generation on earlier ones alone."""
    from builder.usecase.night import generations
    from builder.wiring.nightly import make_tasks_of

    return generations(make_tasks_of(project, load_night_settings(project), project.stack_names()))


def find_ledger(project: Project, named: str | None) -> Path | None:
    """Find what to record in: the ledger that is named, else the project's own where it is there."""
    own = project.root / LEDGER
    return Path(named) if named else own if own.exists() else None
