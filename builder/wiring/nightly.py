"""What a night works with: this user's indexes, store, cache, registries and ledger."""

from __future__ import annotations

import datetime as dt
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, nullcontext
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Final

from builder.errors import MissingBlobError
from builder.nightly.model import Before, Result, Step, StepDone

if TYPE_CHECKING:
    from builder.nightly.model import Begun
    from builder.nightly.settings import NightSettings
    from builder.project import Project
    from builder.registry.model import Registry
    from builder.service.address import LedgerPlace
    from builder.stack.model import Stack
    from builder.usecase.build import BuildTools
    from builder.usecase.lock import ReadBefore
    from builder.usecase.lock_model import LockOptions, LockTools
    from builder.usecase.night import Tasks
    from builder.wiring.night_segments import NightSegments
    from builder.wiring.recording import Recorder


OUTPUT: Final = "build"
"""Folder of the project that stacks are built into."""


@dataclass(kw_only=True)
class ProjectWork:
    """Does the steps of a night on a project."""

    project: Project
    settings: NightSettings
    begun: Begun
    """Where all stood when the night began."""
    tools: LockTools
    later: ExitStack
    """Closes what is opened on the way."""
    ledger: LedgerPlace | None
    jobs: int
    gates: Mapping[Step, Callable[[str, str], StepDone]]
    """What tests and scans: given a stack and the digest of its image. Steps that are not among them are skipped."""

    def __post_init__(self) -> None:
        self._fetching = Lock()

    def do(self, node: str, step: Step) -> StepDone:
        """Do a step."""
        name = node.partition(":")[2]
        match step:
            case Step.REFRESH:
                return self._refresh(name)
            case Step.LOCK:
                return self._lock(name)
            case Step.BUILD:
                return self._build(name)
            case Step.PUSH:
                return self._push(name)
            case Step.CHANNELS:
                return self._move_channels(name)
            case _:
                gate, digest = self.gates.get(step), self._digest(name)
                skipped = StepDone(node=node, step=step, result=Result.SKIPPED, key=digest)
                return gate(name, digest) if gate else skipped

    def stands(self, done: StepDone) -> bool:
        """Tell whether what a step made is there as it was."""
        name = done.node.partition(":")[2]
        match done.step:
            case Step.REFRESH:
                return self._key_of(self.project.base_lock_path(name)) == done.key
            case Step.LOCK:
                return self._key_of(self.project.stack_lock_path(name)) == done.key
            case Step.BUILD:
                return self._digest(name) == done.key and done.facts.get("lock") == self._lock_key(name)
            case _:
                return done.key == self._digest(name)

    def _refresh(self, name: str) -> StepDone:
        from builder.lock.base import parse_base_lock
        from builder.nightly.model import BaseBefore
        from builder.usecase.night_facts import base_facts

        path, before = self.project.base_lock_path(name), self.begun.refreshed.get(name, BaseBefore())
        data = self.tools.lock_base(name)
        facts = base_facts(before, parse_base_lock(data, file=f"locks/{path.name}"))
        self.project.save_lock(path, data)
        key = self._key_of(path)
        result = Result.UNCHANGED if key == before.lock else Result.DONE
        return StepDone(node=f"base:{name}", step=Step.REFRESH, result=result, key=key, facts=facts)

    def _lock(self, name: str) -> StepDone:
        from builder.usecase.lock import lock_stacks
        from builder.usecase.night_facts import lock_facts, recorded_moves

        report = lock_stacks(self.project, self.tools, [name], options_of(self.settings), known=self._read_before)
        with self._recorder() as recorder:
            if recorder is not None:
                recorder.locked(self.project.locks_folder, [change.stack for change in report.stacks])
            facts = lock_facts(next(one for one in report.stacks if one.stack == name))
            key = self._lock_key(name)
            is_new = key != self._before(name).lock
            if is_new and not facts["moves"] and recorder is not None:
                # A kill came after it was written: what moved is known from then.
                facts["moves"] = recorded_moves(recorder.ledger, name, key)
        result = Result.DONE if is_new else Result.UNCHANGED
        return StepDone(node=f"stack:{name}", step=Step.LOCK, result=result, key=key, facts=facts)

    def _build(self, name: str) -> StepDone:
        from builder.usecase.build import BuildRequest, build
        from builder.usecase.night_facts import image_facts
        from builder.wiring.night_segments import count_taken

        request = BuildRequest(stack=name, locks=self.project.locks_folder, output=self._output(name))
        tools = self._building
        if self._segments is not None:
            tools = self._segments.taken(tools, [name, *parents_of(self.begun.parents, name)])
        with self._recorder() as recorder:
            started = time.monotonic()
            try:
                summary = build(request, tools)
            except MissingBlobError:
                self._fetch(name)
                summary = build(request, tools)
            if recorder is not None:
                recorder.built(request, summary, engine="own", started=started)
        facts = {**image_facts(summary, self._before(name)), "lock": self._lock_key(name)}
        same = facts["digest"] == self._before(name).digest
        if self._segments is not None:
            facts |= count_taken(tools)
            facts |= {} if same else self._segments.shared(request, tools)
        return StepDone(
            node=f"stack:{name}",
            step=Step.BUILD,
            result=Result.UNCHANGED if same else Result.DONE,
            key=facts["digest"],
            facts=facts,
        )

    def _fetch(self, name: str) -> None:
        from builder.platform import platform_of_machine
        from builder.resolve.user_settings import load_index_settings
        from builder.usecase.fetch import fetch, load_scope
        from builder.wiring import fetching, stores

        settings = load_index_settings(folders=self.project.index_folders())
        with self._fetching:
            fetch(
                load_scope(self.project, [name], platforms=(), host=platform_of_machine(os.uname().machine)),
                stores.make_file_store(),
                fetching.make_fetch_sources(settings, self.project),
                lambda: stores.make_transport(settings),
                self.project.files_folder,
                progress=lambda _: nullcontext(lambda _: None),
            )

    def _push(self, name: str) -> StepDone:
        node, digest = f"stack:{name}", self._digest(name)
        if not self.settings.repository:
            return StepDone(node=node, step=Step.PUSH, result=Result.SKIPPED, key=digest)
        from builder.registry.model import parse_repository
        from builder.usecase.ship import ShipRequest, plan_ship, read_image, ship
        from builder.wiring.push_signing import PushSigning

        layout = self._output(name)
        image = read_image(layout, lock=self.project.stack_lock_path(name))
        day = dt.datetime.fromtimestamp(self.tools.now, dt.UTC).strftime("%Y%m%d")
        request = ShipRequest(layout=layout, repository=parse_repository(self.settings.repository), day=day)
        with ExitStack() as later:
            recorder = later.enter_context(self._recorder())
            signing = PushSigning(self.registry, later, self.settings.sign_by or None)
            plan = plan_ship(self.registry, request, image)
            done = ship(self.registry, request, plan, arrived=signing.sign)
            if recorder is not None:
                recorder.pushed(done)
                recorder.sealed(signing.sealed)
        is_new = plan.is_new_tag or done.report.sent_bytes > 0
        facts = {"sent_bytes": done.report.sent_bytes, "tags": list(done.tags), "repository": self.settings.repository}
        result = Result.DONE if is_new else Result.UNCHANGED
        return StepDone(node=node, step=Step.PUSH, result=result, key=digest, facts=facts)

    def _move_channels(self, name: str) -> StepDone:
        node, digest = f"stack:{name}", self._digest(name)
        if not self.settings.channels or self.ledger is None:
            return StepDone(node=node, step=Step.CHANNELS, result=Result.SKIPPED, key=digest)
        from builder.usecase.channel_evidence import load_channels
        from builder.usecase.night_channels import move_channels
        from builder.usecase.waivers import load_given
        from builder.wiring.ledgers import clock, open_ledger, this_actor

        rules = load_channels(self.project)
        wanted = [rules.rules_for(name, channel) for channel in self.settings.channels]
        given = load_given(self.project, name, wanted)
        with open_ledger(self.ledger, write=True) as ledger:
            return move_channels(ledger, name, digest, wanted, ledger.author(this_actor()), clock, given=given)

    @cached_property
    def _read_before(self) -> ReadBefore:
        """The project's stacks, read once in a night, and what is known of their locks."""
        from builder.usecase.lock import ReadBefore
        from builder.usecase.lock_heads import LockHeads
        from builder.wiring.stores import make_build_store

        return ReadBefore(stacks=self.project.load_stacks(), heads=LockHeads(make_build_store()))

    @cached_property
    def _building(self) -> BuildTools:
        """One for all images of a night: what building one of them found out holds for the next."""
        from builder.wiring.images import build_tools

        return build_tools(self.jobs)

    @cached_property
    def registry(self) -> Registry:
        """The registries, opened for the first push."""
        from builder.wiring.registries import make_registry

        return self.later.enter_context(make_registry())

    @cached_property
    def _segments(self) -> NightSegments | None:
        """What shares finished segments, where the night does."""
        if not self.settings.segments:
            return None
        from builder.wiring.night_segments import NightSegments

        return NightSegments(
            project=self.project,
            repository=self.settings.segments,
            registry=self.registry,
            say=self.tools.say,
        )

    @contextmanager
    def _recorder(self) -> Iterator[Recorder | None]:
        from builder.wiring.recording import open_recorder

        with open_recorder(self.ledger) as recorder:
            yield recorder

    def _before(self, name: str) -> Before:
        return self.begun.before[name]

    def _output(self, name: str) -> Path:
        return self.project.root / OUTPUT / name

    def _digest(self, name: str) -> str:
        from builder.usecase.night_facts import layout_digest

        return layout_digest(self._output(name))

    def _lock_key(self, name: str) -> str:
        return self._key_of(self.project.stack_lock_path(name))

    @staticmethod
    def _key_of(path: Path) -> str:
        from builder.digest import Digest

        return str(Digest.of(path.read_bytes())) if path.is_file() else ""


def parents_of(parents: Mapping[str, str], stack: str) -> tuple[str, ...]:
    """List what a stack extends, nearest first."""
    found: list[str] = []
    while (stack := parents.get(stack, "")) and stack not in found:
        found.append(stack)
    return tuple(found)


def options_of(settings: NightSettings) -> LockOptions:
    """Make how a night locks."""
    from builder.usecase.lock_model import LockOptions

    return LockOptions(upgrade=settings.upgrade == "all", upgrade_packages=settings.packages)


def open_work(
    project: Project,
    settings: NightSettings,
    begun: Begun,
    tools: LockTools,
    later: ExitStack,
    *,
    ledger: LedgerPlace | None,
    jobs: int,
) -> ProjectWork:
    """Make what does the steps of a night."""
    from builder.wiring.night_scan import make_scan_gate
    from builder.wiring.night_test import make_test_gate

    gates: dict[Step, Callable[[str, str], StepDone]] = {}
    if settings.tests:
        gates[Step.TEST] = make_test_gate(project, ledger, OUTPUT, settings.suites, jobs, tools.say)
    if project.scan_path.is_file() if settings.scan is None else settings.scan:
        gates[Step.SCAN] = make_scan_gate(project, ledger, OUTPUT, tools.now, tools.say)
    return ProjectWork(
        project=project,
        settings=settings,
        begun=begun,
        tools=tools,
        later=later,
        ledger=ledger,
        jobs=jobs,
        gates=gates,
    )


def bases_of(known: Mapping[str, Stack], settings: NightSettings, stacks: Sequence[str]) -> tuple[str, ...]:
    """List the bases that a night locks again: those of its stacks, of all known ones where none is named."""
    from builder.stack.graph import effective_stack

    if not settings.bases:
        return ()
    return tuple(sorted({effective_stack(known, name).base for name in stacks or known}))


def make_tasks_of(project: Project, settings: NightSettings, stacks: Sequence[str]) -> Tasks:
    """Make the graph of a night's tasks."""
    from builder.stack.graph import effective_stack
    from builder.usecase.night import make_tasks

    known = project.load_stacks()
    found = {name: effective_stack(known, name) for name in stacks}
    parents = {name: (stack.base, stack.parents[0] if stack.parents else "") for name, stack in found.items()}
    return make_tasks(bases_of(known, settings, stacks), parents)


def begun_maker(
    project: Project, settings: NightSettings, ledger: LedgerPlace | None, stacks: Sequence[str], now: int, owner: str
) -> Callable[[str], Begun]:
    """Make what makes the first line of a night: where all stacks stand."""

    def make(name: str) -> Begun:
        from builder import __version__
        from builder.nightly.model import Begun
        from builder.stack.graph import effective_stack
        from builder.usecase.night_facts import find_base_before, find_before
        from builder.wiring.ledgers import open_ledger

        known = project.load_stacks()
        names = tuple(stacks) or tuple(sorted(known))
        with ExitStack() as later:
            reader = later.enter_context(open_ledger(ledger)) if ledger is not None else None
            before = find_before(project, reader, names)
        return Begun(
            night=name,
            at=now,
            by=owner,
            before=before,
            refreshed=find_base_before(project, bases_of(known, settings, names)),
            owners={one: known[one].owners for one in names},
            bases={one: effective_stack(known, one).base for one in names},
            parents={one: known[one].extends or "" for one in names if known[one].extends},
            program=f"airflow-kubler {__version__}",
        )

    return make
