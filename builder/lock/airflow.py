"""Airflow is a hard pin: what no lock may say of it, and what no lock may say of the tested set. Pure.

- Airflow and its core are the version that the lock names, and a tested task SDK is the tested one.
- A child's parts of Airflow are its parent's.
- What differs from the tested version does so by a divergence that allows it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from builder.errors import LockInvalidError
from builder.lock.model import LockedCandidate, StackLock
from builder.lock.status import candidate_status

AIRFLOW = "apache-airflow"
AIRFLOW_CORE = "apache-airflow-core"
AIRFLOW_TASK_SDK = "apache-airflow-task-sdk"
AIRFLOW_PARTS = (AIRFLOW, AIRFLOW_CORE, AIRFLOW_TASK_SDK)
_WAY_OUT = "never edit a lock; a stack for another Airflow says it in airflow.version, then lock it again"


def iter_contradictions(lock: StackLock) -> Iterator[tuple[str, str, str]]:
    """Find what contradicts these rules in one lock: key, message and way out."""
    for position, divergence in enumerate(lock.divergences):
        if divergence.project in AIRFLOW_PARTS:
            key = f"tool.airflow-kubler.divergences[{position}].project"
            yield key, f"{divergence.project!r} is Airflow itself, and never diverges", _WAY_OUT
    for position, candidate in enumerate(lock.candidates):
        key = f"packages[{position}].version"
        if candidate.project in AIRFLOW_PARTS:
            if problem := _airflow_problem(candidate, lock.airflow_version):
                yield key, problem, _WAY_OUT
        elif candidate_status(candidate) == "diverged" and (problem := _divergence_problem(candidate, lock)):
            yield key, problem, "add a divergence to stack.toml, or lock again"


def check_parent(lock: StackLock, parent: StackLock, *, file: str) -> None:
    """Check that a child's Airflow is its parent's.

    Raises:
        LockInvalidError: a part of Airflow moved against the parent's lock.
    """
    if problem := parent_problem(airflow_parts(lock), airflow_parts(parent), parent=parent.stack):
        raise LockInvalidError(problem, context=file, hint=_WAY_OUT)


def airflow_parts(lock: StackLock) -> tuple[tuple[str, str], ...]:
    """List the parts of Airflow that a lock has, as project and version, in its order."""
    return tuple((one.project, one.version) for one in lock.candidates if one.project in AIRFLOW_PARTS)


def parent_problem(parts: Sequence[tuple[str, str]], held: Sequence[tuple[str, str]], *, parent: str) -> str:
    """Say which part of Airflow moved against a parent's lock; empty for none."""
    for project, version in parts:
        if (project, version) not in held:
            known = [other for name, other in sorted(held) if name == project]
            return f"{project} is {version}, while parent {parent} has {known[0] if known else 'none'}"
    return ""


def _airflow_problem(candidate: LockedCandidate, airflow_version: str) -> str:
    if candidate.project != AIRFLOW_TASK_SDK and candidate.version != airflow_version:
        return f"{candidate.project} moved to {candidate.version}, while the lock is for Airflow {airflow_version}"
    if candidate_status(candidate) == "diverged":
        return (
            f"{candidate.project} moved to {candidate.version} from {candidate.tested}, which was tested with Airflow"
        )
    return ""


def _divergence_problem(candidate: LockedCandidate, lock: StackLock) -> str:
    for divergence in lock.divergences:
        if divergence.project == candidate.project:
            if _allows(divergence.specifier, candidate.version):
                return ""
            return f"{candidate.project} is {candidate.version}, which its divergence {divergence.specifier} does not allow"
    return f"{candidate.project} is {candidate.version}, tested was {candidate.tested}, and no divergence says why"


def _allows(specifier: str, version: str) -> bool:
    # Only a lock that diverges pays for the import.
    from packaging.specifiers import InvalidSpecifier, SpecifierSet
    from packaging.version import InvalidVersion

    try:
        return SpecifierSet(specifier).contains(version, prereleases=True)
    except (InvalidSpecifier, InvalidVersion):
        return False
