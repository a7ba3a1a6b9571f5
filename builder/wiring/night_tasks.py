"""A night whose tasks are done by processes of their own: begun by one, ended by one, a task at a time in between.

What they share is the project's folder: its locks, what is built, the journal, the ledger. Or they have folders of their own, on machines of their
own, and share the ledger's service, which keeps the journal too, and the registry (night_workers.py). Invariants:

- Each task reads from the journal how what it stands on came out, and so needs nothing from whoever starts it but its name.
- A task that was killed, or is done twice, goes on after its last step that still stands.
- All judge by the time at which the night began: cool-downs and the tag of the day are the same for all of them.
"""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Final

from builder.errors import InvalidInputError
from builder.ledger.events import Attested, Built, Locked, Pushed, Scanned, Signed, Tested
from builder.nightly.model import Step
from builder.service.address import Scope, ServiceAddress, parse_place
from builder.usecase.night_settings import load_night_settings
from builder.wiring.night_git import PATCH, NightGit
from builder.wiring.night_segments import pin_segments
from builder.wiring.night_workers import HandedLocks, HandingWork
from builder.wiring.nightly import OUTPUT
from builder.wiring.nights import Nights

if TYPE_CHECKING:
    from builder.nightly.model import Begun, Night, StepDone
    from builder.nightly.settings import NightSettings
    from builder.nightly.summary import NightSummary
    from builder.project import Project
    from builder.service.address import LedgerPlace
    from builder.usecase.night import NightWork, Task
    from builder.usecase.nightly import NightShelf


_FOLDER: Final = "nights"
LEDGER: Final = "ledger.db"


@dataclass(frozen=True, slots=True, kw_only=True)
class NightShare:
    """What the processes of a night have in common."""

    nights: NightShelf
    handed: HandedLocks | None = None
    """Where they share no folder, what hands locks on."""


@dataclass(frozen=True, kw_only=True)
class NightRun:
    """One run of a night, as its processes see it."""

    project: Project
    ledger: LedgerPlace | None
    """A file where processes share the project's folder; a service where each has its own."""
    owner: str
    """Names the run to those who want to begin another: the same for all its tasks."""
    jobs: int
    say: Callable[[str], None]
    branch: str | None = None
    """Where changed locks are committed, `{night}` standing for the night; empty for what is checked out, None for nowhere."""

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

        if self.branch is not None and isinstance(self.ledger, ServiceAddress):
            raise InvalidInputError(
                "locks are committed where workers share the project's folder",
                context="branch",
                hint="take locks.patch of the night from the service: docs/nightly-airflow.md",
            )
        with self._share() as share:
            self._renew(share)
            now = clock()
            day = dt.datetime.fromtimestamp(now, dt.UTC).strftime("%Y%m%d")
            make: Callable[[str], Begun] = begun_maker(
                self.project, self.settings, self.ledger, stacks, now, self.owner
            )
            if share.handed is not None:
                make = share.handed.beginning(make)
            night, again = begin(share.nights, day, make)
            name = night.begun.night
            if share.handed is None:
                self._git(name).begin(self.say, again=again)
            if not again:
                with share.nights.journal(name) as write:
                    write(night.begun)
            if share.handed is not None:
                share.handed.check(night.begun)
                share.handed.offer(night)
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

        with ExitStack() as later:
            share = later.enter_context(self._share())
            night = share.nights.read(name)
            tasks = make_tasks_of(self.project, self.settings, tuple(night.begun.before))
            if task not in tasks:
                raise InvalidInputError(
                    f"night {name} has no task for {task.node}", hint="it began before that was there"
                )
            self._renew(share)
            if share.handed is not None:
                share.handed.prepare(night, task.node)
            tools = later.enter_context(make_lock_tools(self.project, self.say, refresh=True, now=night.begun.at))
            ledger = self._scoped(Scope(f"{name} {task.node}", tries_of(night, task.node)))
            work: NightWork = open_work(
                self.project, self.settings, night.begun, tools, later, ledger=ledger, jobs=self.jobs
            )
            if share.handed is not None:
                work = HandingWork(work=work, handed=share.handed, night=night)
            write = later.enter_context(share.nights.journal(name))
            done = run_task(tasks, task, night, NightRoom(work=work, write=write, say=self.say))
            if night.ended:
                # A task that was cleared on its own: nobody ends the night again, unless that is cleared too.
                share.nights.give_back(self.owner)
            return done

    def end(self, name: str) -> NightSummary:
        """End a night: it is reported, put on record and told of, then over; done again, nothing is added.

        Raises:
            BuildError: another night runs.
        """
        from msgspec.structs import replace as with_values

        from builder.nightly.journal import Ended
        from builder.nightly.summary import summarise
        from builder.wiring.ledgers import clock
        from builder.wiring.night_reports import close_night, tell_night

        with self._share() as share:
            self._renew(share)
            night = share.nights.read(name)
            summary = summarise(night if night.ended else with_values(night, ended=clock()))
            if not night.ended:
                close_night(share.nights, summary, self._scoped(Scope(name)))
                tell_night(share.nights, summary, self.settings.notify, self.say)
                self._write_patch(share, night, summary)
                with share.nights.journal(name) as write:
                    write(Ended(ended=summary.ended))
            share.nights.give_back(self.owner)
        return summary

    @contextmanager
    def _share(self) -> Iterator[NightShare]:
        """Open what the night's processes have in common: files of the project, or the ledger's service."""
        if not isinstance(self.ledger, ServiceAddress):
            yield NightShare(nights=Nights(root=self.project.root / OUTPUT / _FOLDER))
            return
        from builder.service.ledger import RemoteLedger
        from builder.service.nights import RemoteNights
        from builder.wiring.ledgers import open_service

        with open_service(replace(self.ledger, scope=Scope(self.owner))) as caller:
            nights = RemoteNights(caller)
            handed = HandedLocks(project=self.project, shelf=nights, ledger=RemoteLedger(caller))
            yield NightShare(nights=nights, handed=handed)

    def _scoped(self, scope: Scope) -> LedgerPlace | None:
        """Name the ledger for one piece of work."""
        return replace(self.ledger, scope=scope) if isinstance(self.ledger, ServiceAddress) else self.ledger

    def _write_patch(self, share: NightShare, night: Night, summary: NightSummary) -> None:
        if share.handed is None:
            pin_segments(self.project, night)
            self._git(night.begun.night).end(summary, self.say)
            return
        with TemporaryDirectory(prefix="airflow-kubler-") as folder:
            git = NightGit(locks=self.project.locks_folder, folder=Path(folder), commit=False, branch="")
            share.handed.restore(night)
            git.begin(self.say, again=False)
            share.handed.bring(night, (f"base:{name}" for name in self.project.base_names()))
            share.handed.bring(night, (f"stack:{name}" for name in night.begun.before))
            pin_segments(self.project, night)
            share.handed.keep_pins(night.begun.night)
            git.end(summary, self.say)
            patch = Path(folder, PATCH)
            if patch.is_file():
                share.nights.keep(night.begun.night, PATCH, patch.read_bytes())

    def _git(self, name: str) -> NightGit:
        """Open git beside a night: for the patch of its locks, and the commit."""
        folder = self.project.root / OUTPUT / _FOLDER / name
        locks, commit = self.project.locks_folder, self.branch is not None
        return NightGit(locks=locks, folder=folder, commit=commit, branch=self.branch or "")

    def _renew(self, share: NightShare) -> None:
        from builder.wiring.ledgers import clock

        share.nights.lend(self.owner, self.settings.hours, clock)


def tasks_by_generation(project: Project) -> tuple[tuple[Task, ...], ...]:
    """List the tasks of a night of all stacks, each generation on earlier ones alone."""
    from builder.usecase.night import generations
    from builder.wiring.nightly import make_tasks_of

    return generations(make_tasks_of(project, load_night_settings(project), project.stack_names()))


_APPENDED: Final = {
    Step.LOCK: (Locked.kind,),
    Step.BUILD: (Built.kind,),
    Step.TEST: (Tested.kind,),
    Step.SCAN: (Scanned.kind,),
    Step.PUSH: (Pushed.kind, Signed.kind, Attested.kind),
}
"""Kinds of events that steps append."""


def tries_of(night: Night, node: str) -> tuple[tuple[str, int], ...]:
    """Count the tries of a node that have ended, by the kind of event that they append.

    One that was killed has no line, so that the next has the same number: what both append counts once.
    """
    ended = Counter(done.step for done in night.steps if done.node == node)
    return tuple((kind, ended[step]) for step, kinds in _APPENDED.items() for kind in kinds)


def find_ledger(project: Project, named: str | None) -> LedgerPlace | None:
    """Find what to record in: the ledger that is named, a file or a service, else the project's own where it is there."""
    own = project.root / LEDGER
    return parse_place(named) if named else own if own.exists() else None
