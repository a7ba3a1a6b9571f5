"""A made-up fleet: many stacks whose candidates are those of this project's own locks, by name, version, size and hash.

Roots are the stacks of this project that extend nothing, on their bases. On them stand departments, a twentieth of the
fleet, and on these or on roots stand teams. Each adds to what it extends: real candidates of the other locks, and one
project that nobody else has. Nine tenths of what a team has are its root's. The same numbers give the same bytes.
"""

from __future__ import annotations

import json
import random
import re
import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache, cached_property
from pathlib import Path

from builder.digest import Digest
from builder.lock.airflow import AIRFLOW_PARTS
from builder.lock.model import LockedCandidate, LockedFile, PlannedLayer, StackLock
from builder.lock.pylock import dump_stack_lock, parse_stack_lock
from builder.project import Project, open_project
from builder.stack.graph import build_order, effective_stack
from builder.stack.inputs import inputs_digest
from builder.usecase.lock_model import LockOptions, LockTools, StackChange
from builder.usecase.settled import remember, settled_key
from builder.usecase.stack_inputs import load_inputs
from tests.support.index_server import UPLOADED

ROOTS = ("core", "core-py311", "legacy")
POOL = ("gcp", "aws", "analytics")
_OURS = Path(__file__).parents[2]
_OWN_SHARE = 1 / 9
"""Of what a root has, what a team adds: a tenth of all that it has then."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a stack stands."""

    name: str
    parent: str
    """Empty for a root."""
    root: str


@dataclass(kw_only=True)
class Fleet:
    """A project in a folder with all its locks, and what indexes offer of it."""

    project: Project
    places: tuple[Place, ...]
    candidates: dict[str, dict[str, LockedFile]] = field(default_factory=dict)
    """By project: its wheels, by file name."""
    shares: list[float] = field(default_factory=list)
    """Of each team, how much of what it has is its root's."""

    @cached_property
    def pages(self) -> Mapping[str, bytes]:
        """What an index answers for each project."""
        return {project: _page(project, files.values()) for project, files in sorted(self.candidates.items())}


def make_fleet(folder: Path, stacks: int, *, seed: int = 7) -> Fleet:
    """Write a project of so many stacks into an empty folder, all of them locked and fresh."""
    dice = random.Random(seed)  # noqa: S311  made-up data
    places = tuple(_place(stacks, dice))
    _copy_roots(folder)
    for place in places:
        if place.parent:
            _write_stack(folder, place, dice)
    fleet = Fleet(project=open_project(folder), places=places)
    _lock(fleet, dice)
    return fleet


def _place(stacks: int, dice: random.Random) -> Iterator[Place]:
    yield from (Place(name=name, parent="", root=name) for name in ROOTS[:stacks])
    departments = [
        Place(name=f"dept-{number:03}", parent=root, root=root)
        for number in range(max(1, stacks // 20))
        for root in [ROOTS[number % len(ROOTS)]]
    ]
    left = stacks - len(ROOTS)
    yield from departments[: max(0, left)]
    for number in range(left - len(departments)):
        if number % 4:
            above = dice.choice(departments)
            yield Place(name=f"team-{number:04}", parent=above.name, root=above.root)
        else:
            root = ROOTS[number // 4 % len(ROOTS)]
            yield Place(name=f"team-{number:04}", parent=root, root=root)


def _copy_roots(folder: Path) -> None:
    for name in ROOTS:
        shutil.copytree(_OURS / "stacks" / name, folder / "stacks" / name)
    shutil.copytree(_OURS / "stacks/bases", folder / "stacks/bases")
    (folder / "locks").mkdir()
    for path in (_OURS / "locks").glob("base.*.toml"):
        shutil.copy(path, folder / "locks" / path.name)


def _write_stack(folder: Path, place: Place, dice: random.Random) -> None:
    path = folder / "stacks" / place.name / "stack.toml"
    path.parent.mkdir()
    path.write_text(
        f'description = "What {place.name} asks for"\n'
        f'owners = ["team:{dice.choice(("data", "finance", "ml", "sales"))}-{dice.randrange(50):02}"]\n'
        f'extends = "{place.parent}"\n\n[plugins]\nrequirements = ["{_own_project(place.name)}"]\n',
        encoding="utf-8",
    )


def _lock(fleet: Fleet, dice: random.Random) -> None:
    project = fleet.project
    known = project.load_stacks()
    pool = _pool()
    locks: dict[str, StackLock] = {}
    data: dict[str, bytes] = {}
    places = {place.name: place for place in fleet.places}
    stacks = {name: stack for name, stack in known.items() if name in places}
    for name in build_order(stacks):
        place, stack = places[name], effective_stack(known, name)
        base = Digest.of(project.base_lock_path(stack.base).read_bytes())
        kept = project.load_constraints(stack)
        parent = Digest.of(data[place.parent]) if place.parent else None
        made = _extended(locks[place.parent], place, pool, dice) if place.parent else _read(name)
        lock = replace(
            made,
            parents=stack.parents,
            base_lock=base,
            parent_lock=parent,
            inputs=inputs_digest(
                stack,
                base_lock=base,
                parent_lock=parent,
                constraints=Digest.of(kept) if kept is not None else None,
                files={},
            ),
        )
        locks[name], data[name] = lock, dump_stack_lock(lock)
        project.stack_lock_path(name).write_bytes(data[name])
        for candidate in lock.candidates:
            files = fleet.candidates.setdefault(candidate.project, {})
            files.update((file.name, file) for file in candidate.wheels.values())
        if place.name.startswith("team-"):
            fleet.shares.append(len(locks[place.root].candidates) / len(lock.candidates))
            del locks[name], data[name]


@cache
def _read(name: str) -> StackLock:
    path = _OURS / "locks" / f"pylock.{name}.toml"
    return parse_stack_lock(path.read_bytes(), file=path.name)


def _pool() -> Mapping[str, LockedCandidate]:
    """Gather what the other locks have, without Airflow's own parts: those are their root's."""
    rows = (candidate for name in POOL for candidate in _read(name).candidates)
    return {candidate.project: candidate for candidate in rows if candidate.project not in AIRFLOW_PARTS}


def _extended(parent: StackLock, place: Place, pool: Mapping[str, LockedCandidate], dice: random.Random) -> StackLock:
    """Add to a lock what a stack on it has, and a layer of it."""
    there = {candidate.project for candidate in parent.candidates}
    names = [platform.name for platform in parent.platforms]
    fit = [one for one in pool.values() if one.project not in there and _fits(one, parent, names)]
    of_root = len(_read(place.root).candidates)
    share = _OWN_SHARE / 2 if place.name.startswith("dept-") else _OWN_SHARE
    room = max(0, round(of_root * share) - (len(there) - of_root) - 1)
    added = [_own(place.name, names), *dice.sample(sorted(fit, key=lambda one: one.project), min(room, len(fit)))]
    have = there | {one.project for one in added}
    rows = [
        *parent.candidates,
        *(
            replace(
                one,
                wheels={name: one.wheels[name] for name in names},
                dependencies=tuple(project for project in one.dependencies if project in have),
                wanted_by=(f"stack:{place.name}",),
            )
            for one in added
        ),
    ]
    layer = PlannedLayer(
        name=f"{place.name}-group-01", stack=place.name, projects=tuple(sorted(one.project for one in added))
    )
    return replace(
        parent,
        stack=place.name,
        description=f"What {place.name} asks for",
        candidates=tuple(sorted(rows, key=lambda one: (one.project, one.version))),
        plan=(*parent.plan, layer),
    )


def _fits(candidate: LockedCandidate, lock: StackLock, platforms: Sequence[str]) -> bool:
    """Tell whether a candidate has wheels for a lock's Python and platforms."""
    files = [candidate.wheels[name] for name in platforms if name in candidate.wheels]
    pure = all(file.name.endswith("-py3-none-any.whl") for file in files)
    return len(files) == len(platforms) and (pure or lock.python_version.startswith("3.13."))


def _own_project(stack: str) -> str:
    return f"plugins-of-{stack}"


def _own(stack: str, platforms: Sequence[str]) -> LockedCandidate:
    project = _own_project(stack)
    name = f"{project.replace('-', '_')}-1.0-py3-none-any.whl"
    wheel = LockedFile(name=name, size=40_000, sha256=Digest.of(name.encode()))
    return LockedCandidate(
        project=project,
        version="1.0",
        wheels=dict.fromkeys(platforms, wheel),
        dependencies=(),
        wanted_by=(f"stack:{stack}",),
        upload_time="2026-05-01T10:00:00Z",
    )


def _page(project: str, files: Iterable[LockedFile]) -> bytes:
    rows = [
        {
            "filename": file.name,
            "url": f"../../files/{file.name}",
            "hashes": {"sha256": file.sha256.hex},
            "size": file.size,
            "upload-time": UPLOADED,
        }
        for file in files
    ]
    return json.dumps({"meta": {"api-version": "1.1"}, "name": project, "files": rows}).encode()


def settle(project: Project, tools: LockTools, options: LockOptions) -> None:
    """Note of each stack that it was locked against what the last index says now, and came out as its lock."""
    stacks = project.load_stacks()
    for name in build_order(stacks):
        stack = effective_stack(stacks, name)
        above = project.stack_lock_path(stack.parents[0]).read_bytes() if stack.parents else None
        own = project.stack_lock_path(name).read_bytes()
        inputs = load_inputs(
            project,
            tools,
            stack,
            options,
            base_lock=Digest.of(project.base_lock_path(stack.base).read_bytes()),
            parent_lock=Digest.of(above) if above is not None else None,
        )
        projects = projects_of(own)
        tools.world.prefetch(projects, lambda _: tools.world.indexes)
        index = tools.world.indexes[-1]
        pages = {one: page.digest if page else None for one in projects for page in [tools.world.page(one, [index])]}
        change = StackChange(stack=name, changed=False, candidates=len(pages), layers=1, moves=())
        key = settled_key(tools, stack, inputs, Digest.of(own), options)
        remember(tools.snapshots, key, {index.name: pages}, change)


def projects_of(lock: bytes) -> tuple[str, ...]:
    """List the projects of a lock, by a look at its text: a thousand of them are read in a moment."""
    return tuple(sorted(set(re.findall(r'^name = "([^"]+)"$', lock.decode(), flags=re.MULTILINE))))
