"""Histories that plans are held against: real nights, and made-up ones of a stack and of a fleet."""

from __future__ import annotations

import datetime as dt
import json
import math
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from builder.image.plan_items import PlanItem
from builder.lock.model import StackLock
from builder.lock.pylock import parse_stack_lock
from tests.support.fleet import make_fleet
from tests.support.fleet_nights import Seen, make_nights

_DATA = Path(__file__).parent / "nights.json"
_LOCKS = Path(__file__).parents[2] / "locks"
WATCHED_NIGHTS = 30
"""How far a plan looks back, as `layers --nights` does."""
_BEFORE = 120
_QUIET_DAYS = 300.0
"""Taken for the age of what has not moved in all nights before, beyond those."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Night:
    """What changed in one night."""

    day: int
    """0 is the day that plans are made on; those up to it are known then."""
    released: Mapping[str, int]
    """Project to bytes of a layer of its own."""
    charged: bool
    """Whether it follows the night before at once, and so counts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """A stack of a history."""

    name: str
    parent: str
    projects: tuple[str, ...]
    """Its parents' too, sorted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """Nights of some stacks."""

    name: str
    members: tuple[Member, ...]
    """Parents first."""
    sizes: Mapping[str, int]
    """Bytes of layers on day 0."""
    wheels: Mapping[str, int]
    """Bytes of wheels on day 0, which plans go by; empty where they are no others."""
    ages: Mapping[str, float]
    """Days since the newest release, on day 0."""
    nights: tuple[Night, ...]
    requires: Mapping[str, tuple[str, ...]]

    def items(self, projects: Sequence[str], day: int) -> list[PlanItem]:
        """Tell what is known of projects on a day."""
        ages, moves = dict(self.ages), dict.fromkeys(projects, 0)
        sizes = {**self.sizes, **self.wheels}
        first = self.nights[0].day
        for night in self.nights:
            for project, size in night.released.items() if night.day <= day else ():
                if night.day > 0:
                    ages[project], sizes[project] = -night.day + 0.5, size
                if night.day > day - WATCHED_NIGHTS and project in moves:
                    moves[project] += 1
        watched = float(min(WATCHED_NIGHTS, day - first))
        return [
            PlanItem(
                project=project,
                size=sizes[project],
                age_days=ages[project] + day,
                moves=moves[project],
                watched_days=watched,
            )
            for project in projects
        ]


def real_histories() -> Iterator[History]:
    """Read what a large stack and a small one under it resolved to on real days, as of each planning date."""
    data = json.loads(_DATA.read_text())
    for date, planned in data["planned"].items():
        versions = _versions(data, date)
        yield History(
            name=f"real nights from {date}",
            members=(
                Member(name="core", parent="", projects=tuple(planned["core"])),
                Member(name="b", parent="core", projects=tuple(sorted(versions))),
            ),
            sizes={project: data["sizes"][project][version][1] for project, version in versions.items()},
            wheels={project: data["sizes"][project][version][0] for project, version in versions.items()},
            ages=planned["ages"],
            nights=tuple(_real_nights(data, date)),
            requires=_requires(),
        )


def made_up_histories(seeds: Sequence[int], nights: int) -> Iterator[History]:
    """Make up nights of the same stacks."""
    data = json.loads(_DATA.read_text())
    last = data["nights"][-1]["date"]
    core = next(iter(data["planned"].values()))["core"]
    sizes = {project: data["sizes"][project][version][1] for project, version in _versions(data, last).items()}
    members = (
        Member(name="core", parent="", projects=tuple(project for project in core if project in sizes)),
        Member(name="b", parent="core", projects=tuple(sorted(sizes))),
    )
    for seed in seeds:
        yield _made_up(f"{nights} made-up nights, seed {seed}", members, sizes, seed, nights)


def fleet_history(stacks: int, nights: int, seed: int = 7) -> History:
    """Make up nights of the stacks on `core` of a made-up fleet."""
    with tempfile.TemporaryDirectory() as name:
        fleet = make_fleet(Path(name), stacks)
        places = [place for place in fleet.places if place.root == "core"]
        locks = [_lock(fleet.project.stack_lock_path(place.name)) for place in places]
    members = tuple(
        Member(
            name=place.name,
            parent=place.parent,
            projects=tuple(sorted({candidate.project for candidate in lock.candidates})),
        )
        for place, lock in zip(places, locks, strict=True)
    )
    sizes = {
        candidate.project: max(file.size for file in candidate.wheels.values())
        for lock in locks
        for candidate in lock.candidates
    }
    return _made_up(f"{nights} made-up nights of a fleet of {len(members)}", members, sizes, seed, nights)


def _made_up(name: str, members: tuple[Member, ...], sizes: Mapping[str, int], seed: int, nights: int) -> History:
    made = make_nights(sizes, _seen(), nights=nights, before=_BEFORE, seed=seed)
    ages = dict.fromkeys(sizes, _QUIET_DAYS)
    now = dict(sizes)
    for night in made:
        if night.day < 0:
            ages |= dict.fromkeys(night.released, -1 - night.day + 0.5)
            now |= night.released
    return History(
        name=name,
        members=members,
        sizes=now,
        wheels={},
        ages=ages,
        nights=tuple(Night(day=night.day + 1, released=night.released, charged=night.day >= 0) for night in made),
        requires=_requires(),
    )


def _real_nights(data: Mapping[str, Any], date: str) -> Iterator[Night]:
    days = [dt.date.fromisoformat(night["date"]) for night in data["nights"]]
    first = [dt.date.fromisoformat(data["earlier"]["date"]), *days]
    moved = [data["earlier"]["moved"], *(list(night["versions"]) for night in data["nights"][1:])]
    start = dt.date.fromisoformat(date)
    for before, day, names in zip(first, days, moved, strict=False):
        versions = _versions(data, day.isoformat())
        yield Night(
            day=(day - start).days,
            released={name: data["sizes"][name][versions[name]][1] for name in names if name in versions},
            charged=before >= start and (day - before).days == 1,
        )


def _versions(data: Mapping[str, Any], date: str) -> dict[str, str]:
    versions: dict[str, str] = {}
    for night in data["nights"]:
        if night["date"] <= date:
            versions |= night["versions"]
            versions = {project: version for project, version in versions.items() if project not in night["gone"]}
    return versions


@cache
def _seen() -> Seen:
    """Estimate how often each project came out in the real nights: where a night is many days after the one before, at least once.

    The likeliest rate is that under which as many releases are expected in the times with a move as there are in all.
    """
    data = json.loads(_DATA.read_text())
    nights = list(_real_nights(data, data["nights"][0]["date"]))
    first = dt.date.fromisoformat(data["earlier"]["date"]) - dt.date.fromisoformat(data["nights"][0]["date"])
    spans = [(night.day - before, night.released.keys()) for before, night in _pairs(first.days, nights)]
    days = sum(span for span, _ in spans)
    moves = {project: _releases([(span, project in moved) for span, moved in spans]) for project in data["sizes"]}
    return Seen(moves=moves, days=days)


def _pairs(first: int, nights: Sequence[Night]) -> Iterator[tuple[int, Night]]:
    yield from zip([first, *(night.day for night in nights)], nights, strict=False)


def _releases(spans: Sequence[tuple[int, bool]]) -> float:
    days, rate = sum(span for span, _ in spans), 0.1
    if not any(moved for _, moved in spans):
        return 0.0
    for _ in range(200):
        rate = sum(rate * span / (1 - math.exp(-rate * span)) for span, moved in spans if moved) / days
    return rate * days


@cache
def _requires() -> Mapping[str, tuple[str, ...]]:
    """Tell what requires what, by the locks of this project: all that the histories have is in them."""
    locks = [_lock(path) for path in sorted(_LOCKS.glob("pylock.*.toml"))]
    return {candidate.project: candidate.dependencies for lock in locks for candidate in lock.candidates}


def _lock(path: Path) -> StackLock:
    return parse_stack_lock(path.read_bytes(), file=path.name)
