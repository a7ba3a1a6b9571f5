"""Make the lock of one stack: solve each platform, choose wheels, merge. Writes nothing but files of the stack into the store."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import replace

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from builder.errors import ResolutionError
from builder.image.plan import RESERVED, make_plan
from builder.image.plan_items import PlanItem
from builder.lock.airflow import check_parent
from builder.lock.model import BaseLock, LockedCandidate, LockedFile, StackLock
from builder.lock.status import count_statuses
from builder.resolve.choose import choose_wheels
from builder.resolve.core import Budget
from builder.resolve.merge import merge_resolutions
from builder.resolve.model import ChosenWheel
from builder.resolve.problem import AIRFLOW, Solved, Unsolved
from builder.resolve.relax import keep_most
from builder.stack.graph import parent_chain
from builder.stack.model import EffectiveStack, Stack
from builder.usecase.answer import explain_failure
from builder.usecase.behind import find_behind
from builder.usecase.diverge import find_droppable
from builder.usecase.lock_model import LockTools, StackChange, compare_locks
from builder.usecase.stack_session import StackSession

_AIRFLOW_PARTS = (AIRFLOW, "apache-airflow-core")
_DAY_S = 86_400
_BEHIND_SOLVES = 40
_KEEP_SOLVES = 60


def lock_session(session: StackSession, tools: LockTools) -> tuple[StackLock, StackChange]:
    """Make a session's lock, and say what it brought.

    Raises:
        ResolutionError: what the stack asks for cannot be had together, or not with the Airflow it names.
    """
    solved = solve_session(session)
    lock = lock_from(session, solved, tools)
    change = compare_locks(session.previous, lock, changed=True)
    return lock, replace(
        change,
        behind=find_behind(session.problem, solved, session.view, session.solver, Budget(solves=_BEHIND_SOLVES)),
        status=str(count_statuses(lock) or ""),
        droppable=find_droppable(session, solved),
    )


def make_stack_lock(session: StackSession, tools: LockTools) -> StackLock:
    """Make a stack's lock; the same session, indexes and resolver give the same lock."""
    return lock_from(session, solve_session(session), tools)


def solve_session(session: StackSession) -> Solved:
    """Solve what a stack wants, moving no more of the lock before than has to move."""
    answer = session.solver.solve(session.problem)
    if isinstance(answer, Unsolved):
        raise explain_failure(session, answer)
    versions = answer.versions()
    pins = {project: version for project, version in session.problem.preferences if project in versions}
    if all(versions[project] == version for project, version in pins.items()):
        return answer
    kept = keep_most(session.problem, pins, session.solver, Budget(solves=_KEEP_SOLVES))
    return kept if isinstance(kept, Solved) else answer


def lock_from(session: StackSession, solved: Solved, tools: LockTools) -> StackLock:
    """Make the lock that a solution gives."""
    stack, parent = session.stack, session.parent
    inherited = parent.candidates if parent else ()
    wheels = choose_wheels(
        solved.resolutions,
        session.view,
        label=session.problem.label,
        python_version=session.base.python_version,
        glibc=session.base.glibc,
        parent=inherited,
    )
    candidates = merge_resolutions(
        solved.resolutions,
        wheels=wheels,
        files=_measure(tools, wheels),
        asked_by=stacks_asking(session.stacks, stack.name),
        parent=inherited,
        tested=session.tested,
    )
    _check_airflow(stack, candidates)
    created = date_lock(session.base, parent, candidates)
    lock = StackLock(
        stack=stack.name,
        description=stack.description,
        parents=stack.parents,
        inputs=session.inputs.digest_for(stack),
        airflow_version=stack.airflow_version,
        python_version=session.base.python_version,
        base=stack.base,
        base_lock=session.inputs.base_lock,
        parent_lock=session.inputs.parent_lock,
        constraints=session.inputs.constraints.digest if session.inputs.constraints else None,
        resolver=session.resolver_name,
        created=created,
        platforms=stack.platforms,
        compression=stack.compression,
        candidates=candidates,
        plan=make_plan(
            plan_items(candidates, created),
            stack=stack.name,
            budget=stack.layers,
            reserved=reserved_layers(session.base),
            parent=parent.plan if parent else (),
            previous=session.previous.plan if session.previous else (),
            extended=any(other.extends == stack.name for other in session.stacks.values()),
        ),
        files=_keep_files(session, tools),
        divergences=tuple(sorted(stack.divergences, key=lambda divergence: divergence.project)),
        resolution=stack.resolution,
        index_rules=session.inputs.index_rules,
    )
    if parent is not None:
        check_parent(lock, parent, file=session.problem.label)
    return lock


def stacks_asking(stacks: Mapping[str, Stack], name: str) -> Mapping[str, tuple[str, ...]]:
    """Tell, by project, which of a stack and its parents ask for it themselves, as `stack:<name>`."""
    found: dict[str, set[str]] = {}
    for stack in (stacks[name], *parent_chain(stacks, name)):
        asked = [project_of(text) for text in stack.requirements]
        for project in (*asked, *((AIRFLOW,) if stack.airflow_version else ())):
            found.setdefault(project, set()).add(f"stack:{stack.name}")
    return {project: tuple(sorted(names)) for project, names in found.items()}


def project_of(requirement: str) -> str:
    """Name the project that a requirement is for, normalised."""
    return canonicalize_name(Requirement(requirement).name)


def _measure(tools: LockTools, wheels: Sequence[ChosenWheel]) -> dict[str, LockedFile]:
    """Learn size and hash of each wheel, by file name, and keep where it was seen."""
    wheels = tuple({wheel.offered.name: wheel for wheel in wheels}.values())
    measured = tools.probe.measure([wheel.offered for wheel in wheels])
    pairs = list(zip(wheels, measured, strict=True))
    # A built wheel is nowhere to be had: only its sdist is.
    tools.remember({file.sha256: (wheel.offered.url,) for wheel, file in pairs if wheel.built is None})
    return {wheel.offered.name: file for wheel, file in pairs}


def _keep_files(session: StackSession, tools: LockTools) -> tuple[tuple[str, LockedFile], ...]:
    """Keep the stack's own files in the store; a parent's come along where the stack does not replace them."""
    kept = dict(session.parent.files) if session.parent else {}
    for path, data in session.inputs.files:
        kept[path] = LockedFile(name=path.rpartition("/")[2], size=len(data), sha256=tools.files.add(data))
    return tuple(sorted(kept.items()))


def reserved_layers(base: BaseLock) -> int:
    """Count the layers of an image that are not for distributions."""
    # A base that is an image has its own number of layers, where two are kept for one of Debian packages.
    return max([RESERVED, *(RESERVED - 2 + len(image.layers) for image in base.images)])


def plan_items(candidates: Sequence[LockedCandidate], created: int) -> list[PlanItem]:
    """Describe each project once for the plan: its largest wheel and its newest release."""
    sizes: dict[str, int] = {}
    times: dict[str, str] = {}
    for candidate in candidates:
        size = max(file.size for file in candidate.wheels.values())
        sizes[candidate.project] = max(size, sizes.get(candidate.project, 0))
        if candidate.upload_time:
            times[candidate.project] = max(candidate.upload_time, times.get(candidate.project, ""))
    return [
        PlanItem(project=project, size=size, age_days=_age_days(times.get(project), created))
        for project, size in sizes.items()
    ]


def _age_days(upload_time: str | None, created: int) -> float | None:
    return (created - _epoch(upload_time)) / _DAY_S if upload_time else None


def date_lock(base: BaseLock, parent: StackLock | None, candidates: Sequence[LockedCandidate]) -> int:
    """Date a lock by what it holds: the newest of base, parent and wheels."""
    uploads = [_epoch(candidate.upload_time) for candidate in candidates if candidate.upload_time]
    return max(base.created, parent.created if parent else 0, *uploads, 0)


def _epoch(time: str) -> int:
    return int(dt.datetime.fromisoformat(time).timestamp())


def _check_airflow(stack: EffectiveStack, candidates: Sequence[LockedCandidate]) -> None:
    """Refuse candidates in which Airflow is not the one that the stack names."""
    for candidate in candidates:
        if candidate.project in _AIRFLOW_PARTS and candidate.version != stack.airflow_version:
            raise ResolutionError(
                f"{candidate.project} came out as {candidate.version}, while the stack names {stack.airflow_version}",
                context=f"stacks/{stack.name}/stack.toml: airflow.version",
                hint="a requirement or constraint moves Airflow: take it out",
            )
