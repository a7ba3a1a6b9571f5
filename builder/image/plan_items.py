"""What a layer plan knows of distributions: size, and the chance that one changes in a night.

The chance is estimated from the age of the release: what came out yesterday will come out again soon. Where earlier
nights are on record, how often the project moved in them counts as much.

Only additions, multiplications and divisions are used: their results are the same on every machine, which logarithms
do not promise. Refuses to know: versions, wheels, clocks.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

MEMORY_DAYS = 4.0
"""Added to days before they are turned into a chance: a release of today does not change each night."""
MOST_BY_MOVES = 0.9
"""No project is taken to move each night, however often it moved in a short time."""
UNKNOWN_AGE_DAYS = 90.0
"""Taken for releases whose upload time the index does not say."""
FAMILIES = ("apache-airflow-providers-", "opentelemetry-")
"""Name prefixes of projects that are released together. Those of google-cloud are not: most nights one or two move."""
FAMILY_OF = {
    "aiobotocore": "aws",
    "boto3": "aws",
    "botocore": "aws",
    "grpcio": "grpc",
    "grpcio-status": "grpc",
    "psycopg": "psycopg",
    "psycopg-binary": "psycopg",
    "pydantic": "pydantic",
    "pydantic-core": "pydantic",
}
"""Pairs and triples that pin each other's version."""


@dataclass(frozen=True, kw_only=True)
class PlanItem:
    """What planning needs to know of one distribution."""

    project: str
    """PEP 503 normalised."""
    size: int
    """Bytes of its largest wheel over the platforms."""
    age_days: float | None = None
    """Since its release, when the lock was made; None where the index does not say."""
    moves: int = 0
    """How often it moved while it was watched."""
    watched_days: float = 0.0
    """How long earlier locks are on record; 0 where none are."""

    @cached_property
    def chance(self) -> float:
        """Estimate the chance that it changes in a night."""
        return change_probability(self.age_days, self.moves, self.watched_days)


def change_probability(age_days: float | None, moves: int = 0, watched_days: float = 0.0) -> float:
    """Estimate the chance that a project has a new release tomorrow: half by its newest one's age, half by its moves.

    What was watched for a shorter time than the newest release is old tells nothing that its age does not.

    >>> change_probability(0)
    0.25
    >>> change_probability(16, moves=4, watched_days=28)
    0.0875
    """
    age = UNKNOWN_AGE_DAYS if age_days is None else max(age_days, 0.0)
    by_age = 1.0 / (age + MEMORY_DAYS)
    if watched_days <= 0.0:
        return by_age
    by_moves = min(max(moves, 1) / (max(age, watched_days) + MEMORY_DAYS), MOST_BY_MOVES)
    return (by_age + by_moves) / 2.0


def family(project: str) -> str:
    """Name the projects that are released together with one; a project alone is its own family."""
    for prefix in FAMILIES:
        if project.startswith(prefix):
            return prefix
    return FAMILY_OF.get(project, project)
