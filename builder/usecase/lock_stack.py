"""Make the lock of one stack: resolve each platform, then merge. Writes nothing but files of the stack into the store."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from builder.digest import Digest
from builder.errors import ResolutionError, StackError
from builder.image.plan import PlanItem, make_plan
from builder.lock.model import BaseLock, LockedCandidate, LockedFile, PlannedLayer, StackLock
from builder.platform import Platform
from builder.resolve.merge import ChosenWheel, chosen_wheels, merge_resolutions
from builder.resolve.model import ResolutionRequest
from builder.stack.inputs import inputs_digest
from builder.stack.model import EffectiveStack
from builder.usecase.lock_model import LockTools

AIRFLOW = "apache-airflow"
_AIRFLOW_PARTS = (AIRFLOW, "apache-airflow-core")
_DAY_S = 86_400


@dataclass(frozen=True, slots=True, kw_only=True)
class LockTask:
    """Everything that a stack's lock is made from, bar what indexes offer."""

    stack: EffectiveStack
    base: BaseLock
    base_lock: Digest
    """Of the base lock file's bytes."""
    parent: StackLock | None
    parent_lock: Digest | None
    """Of the parent's lock file's bytes."""
    constraints: bytes | None
    files: tuple[tuple[str, bytes], ...]
    """Of stacks/<name>/files: path in the image, and content."""
    asked_by: Mapping[str, Sequence[str]]
    """By project, the stacks that ask for it, as `stack:<name>`."""
    previous: tuple[PlannedLayer, ...] = ()
    """The plan of the lock there was."""


def make_stack_lock(task: LockTask, tools: LockTools) -> StackLock:
    """Make a stack's lock; the same task, index and resolver give the same lock.

    Raises:
        ResolutionError: what the stack asks for cannot be had together, or not with the Airflow it names.
    """
    stack, parent = task.stack, task.parent
    inherited = parent.candidates if parent else ()
    with ThreadPoolExecutor(len(stack.platforms)) as pool:
        requests = [make_request(task, platform) for platform in stack.platforms]
        resolutions = tuple(pool.map(tools.resolver.resolve, requests))
    files = _measure(tools, chosen_wheels(resolutions, inherited))
    candidates = merge_resolutions(resolutions, files=files, asked_by=task.asked_by, parent=inherited)
    _check_airflow(stack, candidates)
    created = _created(task, candidates)
    return StackLock(
        stack=stack.name,
        description=stack.description,
        parents=stack.parents,
        inputs=_inputs(task),
        airflow_version=stack.airflow_version,
        python_version=task.base.python_version,
        base=stack.base,
        base_lock=task.base_lock,
        parent_lock=task.parent_lock,
        constraints=Digest.of(task.constraints) if task.constraints is not None else None,
        resolver=tools.resolver.name,
        created=created,
        platforms=stack.platforms,
        compression=stack.compression,
        candidates=candidates,
        plan=make_plan(
            _plan_items(candidates, created),
            stack=stack.name,
            budget=stack.layers,
            parent=parent.plan if parent else (),
            previous=task.previous,
        ),
        files=_keep_files(task, tools),
    )


def make_request(task: LockTask, platform: Platform) -> ResolutionRequest:
    """Make what the resolver is asked for one platform."""
    pins = task.parent.candidates_for(platform) if task.parent else ()
    return ResolutionRequest(
        label=f"stacks/{task.stack.name}/stack.toml",
        requirements=(f"{AIRFLOW}=={task.stack.airflow_version}", *task.stack.requirements),
        python_version=task.base.python_version,
        glibc=task.base.glibc,
        platform=platform,
        pins=tuple((candidate.project, candidate.version) for candidate in pins),
        constraints=make_constraints(task.stack, task.constraints),
    )


def make_constraints(stack: EffectiveStack, constraints: bytes | None) -> tuple[str, ...]:
    """Make constraint lines: the file's, bar projects that diverge, and the divergences in their place.

    Raises:
        StackError: a line of the file is no `project==version`.
    """
    diverged = {divergence.project for divergence in stack.divergences}
    try:
        lines = [line.partition(" #")[0].strip() for line in (constraints or b"").decode().splitlines()]
        kept = [line for line in lines if line and not line.startswith("#") and project_of(line) not in diverged]
    except (UnicodeDecodeError, InvalidRequirement) as error:
        message = f"cannot be read: {str(error).splitlines()[0]}"
        raise StackError(
            message, context=f"stacks/{stack.constraints}", hint="write one project==version a line"
        ) from error
    return (*kept, *(f"{divergence.project}{divergence.specifier}" for divergence in stack.divergences))


def project_of(requirement: str) -> str:
    """Name the project that a requirement is for, normalised."""
    return canonicalize_name(Requirement(requirement).name)


def _measure(tools: LockTools, wheels: Sequence[ChosenWheel]) -> dict[str, LockedFile]:
    """Learn size and hash of each wheel, and keep where it was seen."""
    measured = tools.probe.measure([wheel.offered for wheel in wheels])
    files = {wheel.offered.url: file for wheel, file in zip(wheels, measured, strict=True)}
    tools.remember({file.sha256: (url,) for url, file in files.items()})
    return files


def _inputs(task: LockTask) -> Digest:
    return inputs_digest(
        task.stack,
        base_lock=task.base_lock,
        parent_lock=task.parent_lock,
        constraints=Digest.of(task.constraints) if task.constraints is not None else None,
        files={path: Digest.of(data) for path, data in task.files},
    )


def _keep_files(task: LockTask, tools: LockTools) -> tuple[tuple[str, LockedFile], ...]:
    """Keep the stack's own files in the store; a parent's come along where the stack does not replace them."""
    kept = dict(task.parent.files) if task.parent else {}
    for path, data in task.files:
        kept[path] = LockedFile(name=path.rpartition("/")[2], size=len(data), sha256=tools.files.add(data))
    return tuple(sorted(kept.items()))


def _plan_items(candidates: Sequence[LockedCandidate], created: int) -> list[PlanItem]:
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


def _created(task: LockTask, candidates: Sequence[LockedCandidate]) -> int:
    """Date the lock by what it holds: the newest of base, parent and wheels."""
    uploads = [_epoch(candidate.upload_time) for candidate in candidates if candidate.upload_time]
    return max(task.base.created, task.parent.created if task.parent else 0, *uploads, 0)


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
