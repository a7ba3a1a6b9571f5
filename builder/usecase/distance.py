"""How far a stack's lock is from the set that Airflow's maintainers tested. Reads the lock alone."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from packaging.version import InvalidVersion, Version

from builder.errors import LockStaleError
from builder.lock.diff import step_of
from builder.lock.model import StackLock
from builder.lock.pylock import parse_stack_lock
from builder.lock.status import StatusCounts, candidate_status, count_statuses
from builder.project import Project
from builder.stack.model import Divergence


@dataclass(frozen=True, slots=True, kw_only=True)
class Departure:
    """A candidate that is not as tested."""

    project: str
    tested: str
    chosen: str
    step: str
    """`major`, `minor`, `patch` or what else the versions differ in."""
    older: bool
    """The chosen version is older than the tested one."""
    divergence: Divergence | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Distance:
    """Where a lock stands to the tested set."""

    stack: str
    airflow_version: str
    counts: StatusCounts | None
    """None where the lock was made without constraints."""
    departures: tuple[Departure, ...]
    """By project."""
    outside: tuple[tuple[str, str], ...]
    """Projects and versions that the tested set does not name."""
    expired: tuple[Divergence, ...]


def load_lock(project: Project, name: str) -> StackLock:
    """Read a stack's lock, fresh or not.

    Raises:
        LockStaleError: there is none.
    """
    project.load_stack(name)
    path = project.stack_lock_path(name)
    if not path.is_file():
        raise LockStaleError("there is no lock", context=f"locks/{path.name}", hint=f"airflow-kubler lock {name}")
    return parse_stack_lock(path.read_bytes(), file=f"locks/{path.name}")


def measure_distance(lock: StackLock, today: dt.date) -> Distance:
    """Compare a lock with the tested versions that it holds."""
    stated = {divergence.project: divergence for divergence in lock.divergences}
    departures = tuple(
        Departure(
            project=candidate.project,
            tested=candidate.tested or "",
            chosen=candidate.version,
            step=step_of(candidate.tested or "", candidate.version),
            older=_is_older(candidate.version, candidate.tested or ""),
            divergence=stated.get(candidate.project),
        )
        for candidate in lock.candidates
        if candidate_status(candidate) == "diverged"
    )
    counts = count_statuses(lock)
    return Distance(
        stack=lock.stack,
        airflow_version=lock.airflow_version,
        counts=counts,
        departures=departures,
        outside=tuple(
            (candidate.project, candidate.version)
            for candidate in lock.candidates
            if counts is not None and candidate_status(candidate) == "outside"
        ),
        expired=tuple(divergence for divergence in lock.divergences if divergence.expires < today),
    )


def _is_older(version: str, other: str) -> bool:
    try:
        return Version(version) < Version(other)
    except InvalidVersion:
        return False
