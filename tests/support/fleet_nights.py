"""Made-up nights of a fleet: which of its projects have a new release, night by night, and how large it is.

The process is made to look like the real nights of bench/layers, not like what the layer plan believes of releases:

- each project has a rate of its own, drawn around how often it was seen to move; most move seldom, a few each other day;
- on a weekend there is a third of a weekday's releases;
- a release is often followed by its repair: each night after it with a chance that falls;
- projects of a family come out together: those that pin each other all of them, those of one repository some of them;
- now and then a project wakes or falls asleep: its rate is drawn anew.

The same numbers give the same nights.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

WEEKDAYS = (0.7, 0.8, 1.35, 1.6, 1.15, 0.35, 0.4)
"""What a night has for each that the average night has, Monday first: real nights had 6, 6, 11, 13, 10, 3 and 3 or 4 moves."""
REPAIRS = (0.16, 0.06, 0.03, 0.02)
"""The chance of a repair in each of the nights after a release: of real ones 24, 10, 7 and 5 % moved again, for any reason."""
SEEN_SHARE = 0.6
"""Of the moves that were seen, those that were no repair."""
WAKING = 1 / 120
"""The chance in a night that a project's rate is drawn anew."""
SPREAD = 0.3
"""Shape of the gamma distribution that rates of projects are drawn from that were never seen to move: the lower, the more differ."""
PINNED = (
    ("boto3", "botocore"),
    ("grpcio", "grpcio-status"),
    ("psycopg", "psycopg-binary"),
    ("pydantic", "pydantic-core"),
)
REPOSITORIES = ("apache-airflow-providers-", "google-cloud-", "opentelemetry-")


@dataclass(frozen=True, slots=True, kw_only=True)
class MadeNight:
    """What came out before one night."""

    day: int
    """0 is the first night that counts; those before it are what may be known then."""
    released: Mapping[str, int]
    """Project to bytes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """How often projects moved in real nights."""

    moves: Mapping[str, float]
    """Project to how often, as a mean where it is an estimate."""
    days: int


def make_nights(
    sizes: Mapping[str, int], seen: Seen, *, nights: int = 90, before: int = 120, seed: int = 7
) -> tuple[MadeNight, ...]:
    """Make up nights.

    Args:
        sizes: bytes of each project at the beginning.
        seen: what rates are drawn around; a project that is not in it is one that never moved.
        nights: how many count.
        before: how many are made before them.
        seed: of the dice.
    """
    dice = random.Random(seed)  # noqa: S311  made-up data
    teams = _teams(sorted(sizes))
    rates = {project: _rate(project, seen, dice) for project in sorted(sizes)}
    now, last = dict(sizes), dict.fromkeys(sizes, -(10**6))
    made = []
    for day in range(-before, nights):
        for project in rates:
            if dice.random() < WAKING:
                rates[project] = _rate(project, seen, dice)
        names = sorted({name for team in teams for name in _released(team, rates, last, day, dice)})
        for name in names:
            last[name], now[name] = day, max(1000, round(now[name] * dice.gauss(1.002, 0.01)))
        made.append(MadeNight(day=day, released={name: now[name] for name in names}))
    return tuple(made)


def _rate(project: str, seen: Seen, dice: random.Random) -> float:
    """Draw the chance of a night: what is likely where so many moves were seen, by Gamma and Poisson."""
    return dice.gammavariate(seen.moves.get(project, 0) + SPREAD, SEEN_SHARE / seen.days)


def _teams(projects: Sequence[str]) -> tuple[tuple[str, ...], ...]:
    """Put together what is released together; what belongs to nobody is alone."""
    pinned = [tuple(name for name in names if name in projects) for names in PINNED]
    of_repository = [tuple(name for name in projects if name.startswith(prefix)) for prefix in REPOSITORIES]
    there = {name for team in (*pinned, *of_repository) for name in team}
    alone = [(name,) for name in projects if name not in there]
    return tuple(team for team in (*pinned, *of_repository, *alone) if team)


def _released(
    team: Sequence[str], rates: Mapping[str, float], last: Mapping[str, int], day: int, dice: random.Random
) -> list[str]:
    """Tell which of a team come out before a night."""
    weekday = WEEKDAYS[day % 7]
    repaired = [name for name in team if dice.random() < _repair(day - last[name]) * min(weekday, 1.0)]
    if team in PINNED:
        together = repaired or dice.random() < weekday * max(rates[name] for name in team)
        return list(team) if together else []
    # A repository is released at twice the rate of its busiest project, each project in its share of the times.
    often = max(rates[name] for name in team) * (2 if len(team) > 1 else 1)
    if dice.random() >= weekday * often:
        return repaired
    return repaired + [name for name in team if dice.random() < rates[name] / often]


def _repair(days: int) -> float:
    return REPAIRS[days - 1] if 0 < days <= len(REPAIRS) else 0.0
