"""Where a candidate stands to the set that Airflow's maintainers tested. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from builder.lock.model import LockedCandidate, StackLock

_AIRFLOW = frozenset({"apache-airflow", "apache-airflow-core"})
"""What the set was tested with: its files do not name these, and every reader of locks holds them to the lock's Airflow."""
Status = Literal["constrained", "diverged", "outside"]


@dataclass(frozen=True, slots=True, kw_only=True)
class StatusCounts:
    """How many candidates of a lock stand where."""

    constrained: int
    diverged: int
    outside: int

    def __str__(self) -> str:
        return f"{self.constrained} as tested, {self.diverged} diverged, {self.outside} outside the tested set"


def candidate_status(candidate: LockedCandidate) -> Status:
    """Tell whether a candidate is as tested, moved away from it, or was never tested with this Airflow."""
    if candidate.tested is None:
        return "constrained" if candidate.project in _AIRFLOW else "outside"
    return "constrained" if _is_same(candidate.tested, candidate.version) else "diverged"


def count_statuses(lock: StackLock) -> StatusCounts | None:
    """Count a lock's candidates by status; None where it was made without constraints."""
    if lock.constraints is None:
        return None
    found = [candidate_status(candidate) for candidate in lock.candidates]
    return StatusCounts(
        constrained=found.count("constrained"), diverged=found.count("diverged"), outside=found.count("outside")
    )


def _is_same(tested: str, version: str) -> bool:
    """Compare versions as `==` of PEP 440 does: 1.0 is 1.0.0, and 1.0+cpu too."""
    if tested == version:
        return True
    # Spelt in another way, or moved: only they pay for the import.
    from packaging.version import InvalidVersion, Version

    try:
        wanted, found = Version(tested), Version(version)
    except InvalidVersion:
        return False
    return wanted == (found if wanted.local else Version(found.public))
