"""A night: bases and stacks taken through their steps, parents before children, each result written down as it comes.

- Bases and locks one after another, since they share what indexes said; images side by side.
- What fails stops what stands on it, and nothing else: that is held, and says on what.
- A step that ended in a night before its end is not done again, where what it made still stands.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import FIRST_COMPLETED, Executor, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from graphlib import TopologicalSorter
from typing import TYPE_CHECKING, Final, Protocol

import networkx as nx
from msgspec.structs import replace

from builder.errors import BuilderError
from builder.nightly.model import Night, Result, Step, StepDone, short_reason

if TYPE_CHECKING:
    Tasks = nx.DiGraph["Task"]

IMAGE_STEPS: Final = (Step.BUILD, Step.TEST, Step.SCAN, Step.PUSH, Step.CHANNELS)
_STOPS: Final = frozenset({Step.REFRESH, Step.LOCK, Step.BUILD, Step.TEST, Step.PUSH})
"""Steps without which those after them have no ground. A scan that fails closes gates of channels, no more."""


@dataclass(frozen=True, slots=True, order=True)
class Task:
    """Steps of one node that are done one after another."""

    node: str
    """`base:NAME` or `stack:NAME`."""
    steps: tuple[Step, ...]

    @property
    def is_serial(self) -> bool:
        """It shares what indexes said with others of its kind."""
        return self.steps[0] in {Step.REFRESH, Step.LOCK}


class NightWork(Protocol):
    """What does steps. Calls for bases and locks come one after another, others from several threads."""

    def do(self, node: str, step: Step) -> StepDone:
        """Do a step; raises BuilderError where it fails."""

    def stands(self, done: StepDone) -> bool:
        """Tell whether what a step made is there as it was."""


@dataclass(frozen=True, kw_only=True)
class NightRoom:
    """What a night is run with."""

    work: NightWork
    write: Callable[[StepDone], None]
    """Puts a result where a kill cannot take it; called by one thread at a time."""
    say: Callable[[str], None] = lambda _: None
    workers: int = 1
    now: Callable[[], float] = time.monotonic


@dataclass(kw_only=True)
class _Run:
    """What is known while a night runs."""

    tasks: Tasks
    room: NightRoom
    known: dict[tuple[str, Step], StepDone]
    held: dict[Task, str] = field(default_factory=dict)
    steps: list[StepDone] = field(default_factory=list)


def make_tasks(bases: Iterable[str], stacks: Mapping[str, tuple[str, str]]) -> Tasks:
    """Make the graph of tasks: an edge leads from what must have ended.

    Args:
        bases: those to lock again.
        stacks: stack to its base and its parent; the latter empty for none.
    """
    tasks: Tasks = nx.DiGraph()
    refresh = {name: Task(f"base:{name}", (Step.REFRESH,)) for name in bases}
    locks = {name: Task(f"stack:{name}", (Step.LOCK,)) for name in stacks}
    images = {name: Task(f"stack:{name}", IMAGE_STEPS) for name in stacks}
    tasks.add_nodes_from(refresh.values())
    for name, (base, parent) in stacks.items():
        tasks.add_edge(locks[name], images[name])
        if base in refresh:
            tasks.add_edge(refresh[base], locks[name])
        if parent in locks:
            tasks.add_edge(locks[parent], locks[name])
            tasks.add_edge(images[parent], images[name])
    return tasks


def run_night(tasks: Tasks, night: Night, room: NightRoom) -> tuple[StepDone, ...]:
    """Do all tasks; returns the steps that ended in this run, in that order.

    Args:
        tasks: as of `make_tasks`.
        night: what ended before, where the night was begun already.
        room: what does the work, and what writes it down.
    """
    run = _Run(tasks=tasks, room=room, known=night.latest())
    order: TopologicalSorter[Task] = TopologicalSorter({task: set(tasks.predecessors(task)) for task in sorted(tasks)})
    order.prepare()
    with ThreadPoolExecutor(1, "locks") as serial, ThreadPoolExecutor(room.workers, "images") as pool:
        running: dict[Future[None], Task] = {}
        try:
            while order.is_active():
                for task in sorted(order.get_ready()):
                    where: Executor = serial if task.is_serial else pool
                    running[where.submit(_do_task, run, task)] = task
                ended, _ = wait(running, return_when=FIRST_COMPLETED)
                for future in ended:
                    task = running.pop(future)
                    future.result()
                    order.done(task)
        except BaseException:
            for future in running:
                future.cancel()
            raise
    return tuple(run.steps)


def run_task(tasks: Tasks, task: Task, night: Night, room: NightRoom) -> tuple[StepDone, ...]:
    """Do one task of a night, whose others are done elsewhere; returns the steps that ended in this run.

    Nothing but what is written down says how the others came out: a task that this one stands on and that did not end, as
    one whose process was killed, holds it just as one that failed.

    Args:
        tasks: all of the night.
        task: the one to do.
        night: what ended before.
        room: what does the work, and what writes it down.
    """
    run = _Run(tasks=tasks, room=room, known=night.latest())
    reason = _why_held(run, task)
    if reason:
        run.held[task] = reason
    _do_task(run, task)
    return tuple(run.steps)


def _why_held(run: _Run, task: Task) -> str:
    """Say what keeps a task from being done; those nearest to it first, and empty where nothing does."""
    above = run.tasks.reverse(copy=False)
    held = ""
    for other in (head for _, head in nx.bfs_edges(above, task, sort_neighbors=sorted)):
        kind, _, name = other.node.partition(":")
        for step in (one for one in other.steps if one in _STOPS):
            done = run.known.get((other.node, step))
            if done is not None and done.result is Result.HELD:
                # What held it is above, unless that has been done again since: then its turn comes first.
                held = held or f"stands on {kind} {name}, which was held"
                break
            if done is None or done.result is Result.FAILED:
                return f"stands on {kind} {name}, whose {step} {'failed' if done else 'has not ended'}"
    return held


def generations(tasks: Tasks) -> tuple[tuple[Task, ...], ...]:
    """Order tasks in generations: each stands on earlier ones alone, and its tasks are of one kind.

    Bases first, then locks and images by how many parents a stack has: locks of a generation do not wait for images.
    """
    depths: dict[Task, int] = {}
    for task in nx.lexicographical_topological_sort(tasks):
        same = (depths[other] for other in tasks.predecessors(task) if other.steps == task.steps)
        depths[task] = max(same, default=-1) + 1
    kinds = [(Step.REFRESH,), (Step.LOCK,), IMAGE_STEPS]
    keys = sorted({(kinds.index(task.steps), depth) for task, depth in depths.items()})
    return tuple(
        tuple(sorted(task for task, depth in depths.items() if (kinds.index(task.steps), depth) == key)) for key in keys
    )


def _do_task(run: _Run, task: Task) -> None:
    if task in run.held:
        _note(run, StepDone(node=task.node, step=task.steps[0], result=Result.HELD, reason=run.held[task]))
        return
    for step in task.steps:
        before = run.known.get((task.node, step))
        if before is not None and before.result in _STAND and run.room.work.stands(before):
            continue
        done = _do_step(run, task.node, step)
        _note(run, done)
        if done.result is Result.FAILED and step in _STOPS:
            _hold(run, task, step)
            return


_STAND: Final = frozenset({Result.DONE, Result.UNCHANGED, Result.SKIPPED})


def _do_step(run: _Run, node: str, step: Step) -> StepDone:
    started = run.room.now()
    try:
        done = run.room.work.do(node, step)
    except BuilderError as error:
        done = StepDone(node=node, step=step, result=Result.FAILED, reason=short_reason(str(error)))
    except Exception as error:  # noqa: BLE001  one stack's trouble, a defect of ours too, is not another's
        reason = f"this is a defect, please report it: {type(error).__name__}: {error}"
        done = StepDone(node=node, step=step, result=Result.FAILED, reason=short_reason(reason))
    return replace(done, seconds=round(run.room.now() - started, 3))


def _note(run: _Run, done: StepDone) -> None:
    run.room.write(done)
    run.steps.append(done)
    run.room.say(render_step(done))


def _hold(run: _Run, task: Task, step: Step) -> None:
    kind, _, name = task.node.partition(":")
    own = sorted(run.tasks.successors(task))
    for other in nx.descendants(run.tasks, task):
        direct = other in own or other.node == task.node
        run.held.setdefault(other, f"{'' if direct else 'in the end '}stands on {kind} {name}, whose {step} failed")


def render_step(done: StepDone) -> str:
    """Say in a line how a step ended."""
    kind, _, name = done.node.partition(":")
    first, *_ = done.reason.splitlines() or [""]
    return f"{kind} {name}: {done.step} {done.result}{f': {first}' if first else ''} ({done.seconds:.1f} s)"
