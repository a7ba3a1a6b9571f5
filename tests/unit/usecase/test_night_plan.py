"""What a night would do, on a made-up fleet: the plan is what asking stack by stack gives, at the cost of asking once."""

from __future__ import annotations

import json
import random
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from builder.digest import Digest
from builder.lock.base import dump_base_lock, parse_base_lock
from builder.project import Project, open_project
from builder.snapshot.model import DEFAULT_INDEX
from builder.snapshot.world import World as SnapshotWorld
from builder.stack.graph import build_order, effective_stack
from builder.store.artefacts import DirectoryArtefactStore
from builder.usecase.lock_check import check_locks
from builder.usecase.lock_heads import LockHeads
from builder.usecase.lock_model import LockOptions, LockTools
from builder.usecase.night_plan import NightPlan, plan_night
from builder.usecase.settled import settled_key
from builder.usecase.stack_inputs import load_inputs
from tests.support.fleet import make_fleet, settle
from tests.support.lock_world import World
from tests.support.memory_snapshots import MadeUpUpstream, MemoryStore

OPTIONS = LockOptions(upgrade=True)
STACKS = 14
BASES = ("bookworm", "trixie")


@pytest.fixture(scope="module")
def settled_fleet(tmp_path_factory: pytest.TempPathFactory) -> FleetNight:
    folder = tmp_path_factory.mktemp("fleet")
    fleet = make_fleet(folder, STACKS)
    night = FleetNight(project=fleet.project, projects=tuple(fleet.candidates))
    settle(fleet.project, night.tools(), OPTIONS)
    return night


@dataclass(kw_only=True)
class FleetNight:
    """A fleet, what indexes say of it, and what mirrors have."""

    project: Project
    projects: tuple[str, ...]
    notes: dict[str, bytes] = field(default_factory=dict)
    released: frozenset[str] = frozenset()
    moved_bases: frozenset[str] = frozenset()
    upstream: MadeUpUpstream = field(default_factory=MadeUpUpstream)

    def copy(self, folder: Path) -> FleetNight:
        shutil.copytree(self.project.root, folder)
        return FleetNight(project=open_project(folder), projects=self.projects, notes=dict(self.notes))

    def tools(self) -> LockTools:
        self.upstream = MadeUpUpstream()
        for project in self.projects:
            self.upstream.offer(project, "2.0" if project in self.released else "1.0")
        store = MemoryStore(notes=self.notes)
        world = SnapshotWorld(self.upstream, store, now=0, refresh=True)
        return replace(
            World().tools(self.project), world=world, snapshots=store, lock_base=self.lock_base, program="ours"
        )

    def lock_base(self, name: str) -> bytes:
        data = self.project.base_lock_path(name).read_bytes()
        if name not in self.moved_bases:
            return data
        lock = parse_base_lock(data, file=name)
        first = lock.debs[0].package
        debs = tuple(replace(deb, version="99") if deb.package == first else deb for deb in lock.debs)
        return dump_base_lock(replace(lock, debs=debs))

    def plan(self, heads: LockHeads | None = None, names: Sequence[str] = ()) -> NightPlan:
        return plan_night(self.project, self.tools(), OPTIONS, bases=BASES, heads=heads, names=names)

    def reasons(self) -> Mapping[str, tuple[str, ...]]:
        return {stack.name: stack.reasons for stack in self.plan().stacks if stack.reasons}


def plan_one_by_one(night: FleetNight) -> dict[str, tuple[str, ...]]:
    """Say of each stack why it would be locked again, as plainly as it can be said."""
    project, tools = night.project, night.tools()
    stacks = project.load_stacks()
    states = {state.name: state.reasons for state in check_locks(project) if state.kind == "stack"}
    found: dict[str, tuple[str, ...]] = {}
    for name in build_order(stacks):
        stack, reasons = effective_stack(stacks, name), list(states[name])
        if stack.base in night.moved_bases:
            lock = parse_base_lock(project.base_lock_path(stack.base).read_bytes(), file="")
            reasons.append(f"base {stack.base} moves: {lock.debs[0].package}")
        reasons += [f"its parent {one} would be locked again" for one in stack.parents[:1] if found[one]]
        found[name] = tuple(reasons or _moved(night, tools, name))
    return found


def _moved(night: FleetNight, tools: LockTools, name: str) -> list[str]:
    project = night.project
    stack = effective_stack(project.load_stacks(), name)
    digests = {path.name: Digest.of(path.read_bytes()) for path in project.locks_folder.glob("*.toml")}
    parent = digests[f"pylock.{stack.parents[0]}.toml"] if stack.parents else None
    base = digests[f"base.{stack.base}.toml"]
    inputs = load_inputs(project, tools, stack, OPTIONS, base_lock=base, parent_lock=parent)
    note = tools.snapshots.settled(settled_key(tools, stack, inputs, digests[f"pylock.{name}.toml"], OPTIONS))
    if note is None:
        return ["it has not been locked by these rules since it last changed"]
    index = next(index for index in tools.world.indexes if index.name == DEFAULT_INDEX)
    rows = json.loads(note)["pages"][DEFAULT_INDEX]
    moved = sorted(one for one, was in rows.items() if night.upstream.page(index, one, None)[0].digest != Digest(was))
    shown = ", ".join(moved[:8]) + (f" and {len(moved) - 8} more" if len(moved) > 8 else "")
    return [f"indexes say something new of {shown}"] if moved else []


def test_a_fleet_shares_nine_tenths_of_its_candidates_and_the_same_numbers_give_the_same_bytes(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
    fleet = make_fleet(tmp_path / "a", STACKS)
    assert len(fleet.places) == len(fleet.project.stack_names()) == STACKS
    assert {place.root for place in fleet.places} == {"core", "core-py311", "legacy"}
    assert all(0.85 < share < 0.92 for share in fleet.shares)
    make_fleet(tmp_path / "b", STACKS)
    files = [path.relative_to(tmp_path / "a") for path in (tmp_path / "a").rglob("*") if path.is_file()]
    assert all((tmp_path / "a" / path).read_bytes() == (tmp_path / "b" / path).read_bytes() for path in files)


def test_where_nothing_changed_nothing_is_planned_and_each_page_is_asked_for_once(settled_fleet: FleetNight) -> None:
    assert settled_fleet.plan().is_empty
    assert sorted(settled_fleet.upstream.asked) == sorted(f"default/{project}" for project in settled_fleet.projects)


def test_a_release_that_one_stack_alone_holds_is_its_own_affair(settled_fleet: FleetNight, tmp_path: Path) -> None:
    night = settled_fleet.copy(tmp_path / "fleet")
    name = next(name for name in night.project.stack_names() if name.startswith("team-"))
    night.released = frozenset({f"plugins-of-{name}"})
    assert night.reasons() == {name: (f"indexes say something new of plugins-of-{name}",)}


def test_pages_of_stacks_that_are_locked_again_anyway_are_not_asked_for(
    settled_fleet: FleetNight, tmp_path: Path
) -> None:
    night = settled_fleet.copy(tmp_path / "fleet")
    night.moved_bases = frozenset(BASES)
    assert len(night.reasons()) == STACKS
    assert not night.upstream.asked


@pytest.mark.parametrize("seed", range(3))
def test_the_plan_is_what_asking_stack_by_stack_gives(settled_fleet: FleetNight, tmp_path: Path, seed: int) -> None:
    dice = random.Random(seed)  # noqa: S311  made-up changes
    night = settled_fleet.copy(tmp_path / "fleet")
    names = night.project.stack_names()
    night.released = frozenset(dice.sample(night.projects, dice.randrange(4)))
    night.moved_bases = frozenset(dice.sample(BASES, dice.randrange(2)))
    for key in dice.sample(sorted(night.notes), dice.randrange(4)):
        del night.notes[key]
    for name in dice.sample(names, 2):
        path = night.project.stacks_folder / name / "stack.toml"
        path.write_text(path.read_text().replace("description", 'resolution = {cooldown = "3d"}\ndescription'))
    night.project.stack_lock_path(dice.choice(names)).write_text("damaged")
    night.project.stack_lock_path(dice.choice(names)).unlink()
    expected = plan_one_by_one(night)
    heads = LockHeads(DirectoryArtefactStore(tmp_path / "cache", durable=False))
    for known in (None, heads, LockHeads(DirectoryArtefactStore(tmp_path / "cache", durable=False))):
        assert {stack.name: stack.reasons for stack in night.plan(known).stacks} == expected
    chosen = dice.sample(names, 5)
    plan = {stack.name: stack.reasons for stack in night.plan(heads, chosen).stacks}
    assert list(plan) == [name for name in expected if name in chosen]


def test_a_kept_head_that_is_damaged_is_read_from_the_lock_again(settled_fleet: FleetNight, tmp_path: Path) -> None:
    store = DirectoryArtefactStore(tmp_path / "cache", durable=False)
    states = check_locks(settled_fleet.project, heads=LockHeads(store))
    kept = [path for path in (tmp_path / "cache").rglob("*") if path.is_file()]
    assert len(kept) == STACKS
    for path in kept:
        path.chmod(0o644)
        path.write_bytes(b"damaged")
    assert check_locks(settled_fleet.project, heads=LockHeads(store)) == states
