"""Planning locked stacks again, on a made-up fleet of real candidates: a department on `core`, and a team on it."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from builder.digest import Digest
from builder.errors import LockStaleError
from builder.ledger.database import SqliteLedger, create_ledger
from builder.ledger.events import Event, Locked
from builder.ledger.model import LedgerReader, NewDocument, NewEntry
from builder.ledger.parts import Move
from builder.lock.model import StackLock
from builder.lock.pylock import dump_stack_lock, parse_stack_lock
from builder.project import Project, open_project
from builder.usecase.layer_history import held_layers, watch
from builder.usecase.layers import ReplannedLock, explain_plan, replan
from builder.usecase.lock_check import check_locks
from tests.support.fleet import make_fleet
from tests.support.ledgers import ALICE, ORIGIN, Ticking, make_build

DEPARTMENT, TEAM = "dept-000", "team-0001"
_DAY = 86_400


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("fleet")
    make_fleet(folder, 6)
    return folder


@pytest.fixture
def project(made: Path, tmp_path: Path) -> Project:
    return open_project(shutil.copytree(made, tmp_path / "project"))


class _Past:
    """A ledger, and a clock that is set."""

    def __init__(self, path: Path) -> None:
        self.path, self.clock = path, Ticking()
        create_ledger(path, ORIGIN, ALICE, self.clock)

    def on_day(self, day: int, *events: Event, lock: bytes = b"") -> None:
        self.clock.now = 1_790_000_000 + day * _DAY
        documents = [NewDocument(data=lock)] if lock else []
        with SqliteLedger(self.path, self.clock, write=True) as ledger:
            ledger.append([NewEntry(event=event, documents=documents) for event in events], ALICE)


@pytest.fixture
def past(tmp_path: Path) -> _Past:
    return _Past(tmp_path / "ledger.db")


@pytest.fixture
def ledger(past: _Past) -> Iterator[LedgerReader]:
    with SqliteLedger(past.path, past.clock, write=False) as opened:
        yield opened


def _lock(project: Project, stack: str) -> StackLock:
    path = project.stack_lock_path(stack)
    return parse_stack_lock(path.read_bytes(), file=path.name)


def _locked(stack: str, *moves: Move) -> Locked:
    digest = str(Digest.of(stack.encode()))
    return Locked(stack=stack, lock=digest, base="trixie", base_lock=digest, airflow="3.3.2", moves=moves)


def _moved(project: str) -> Move:
    return Move(name=project, before="1", after="2")


def _write(project: Project, found: tuple[ReplannedLock, ...]) -> None:
    for row in found:
        if row.lock is not None:
            project.save_lock(project.stack_lock_path(row.plan.stack), row.lock)


def _replan(project: Project, *names: str, ledger: LedgerReader | None = None) -> tuple[ReplannedLock, ...]:
    return replan(project, names, ledger, nights=30, horizon=15)


def test_written_plans_leave_every_lock_fresh_and_every_pin_as_it_was(project: Project) -> None:
    before = {name: _lock(project, name) for name in ("core", DEPARTMENT, TEAM)}
    found = _replan(project, TEAM)
    assert [row.plan.stack for row in found] == ["core", DEPARTMENT, "team-0000", TEAM]
    assert {row.plan.stack for row in found if row.plan.changed} >= {DEPARTMENT, TEAM}
    _write(project, found)
    assert not [state for state in check_locks(project) if state.reasons]
    after = {name: _lock(project, name) for name in before}
    for name, parent in ((DEPARTMENT, "core"), (TEAM, DEPARTMENT)):
        lock = after[name]
        assert lock.plan[: len(after[parent].plan)] == after[parent].plan
        same = replace(lock, plan=before[name].plan, inputs=before[name].inputs, parent_lock=before[name].parent_lock)
        assert same == before[name]


@pytest.mark.slow
def test_planning_again_after_that_changes_nothing(project: Project) -> None:
    _write(project, _replan(project))
    assert [row.lock for row in _replan(project)] == [None] * 6


@pytest.mark.slow
def test_the_same_locks_give_the_same_plans(project: Project) -> None:
    assert _replan(project) == _replan(project)


@pytest.mark.slow
def test_a_child_of_a_stack_with_new_layers_is_written_though_its_own_stay(project: Project) -> None:
    _write(project, _replan(project))
    lock = _lock(project, DEPARTMENT)
    own = tuple(layer for layer in lock.plan if layer.stack == DEPARTMENT)
    merged = replace(
        own[0], name=f"{DEPARTMENT}-all", projects=tuple(sorted(project for layer in own for project in layer.projects))
    )
    worse = replace(lock, plan=(*(layer for layer in lock.plan if layer.stack != DEPARTMENT), merged))
    _save_with_children(project, worse)
    found = {row.plan.stack: row for row in _replan(project, DEPARTMENT)}
    assert found[DEPARTMENT].plan.changed
    assert not found[TEAM].plan.changed
    assert parse_stack_lock(found[TEAM].lock or b"", file="").parent_lock == Digest.of(found[DEPARTMENT].lock or b"")


def _save_with_children(project: Project, lock: StackLock) -> None:
    """Write a department's lock by hand, and put its team on it as planning again would."""
    from builder.stack.graph import effective_stack
    from builder.stack.inputs import inputs_digest

    data = dump_stack_lock(lock)
    project.save_lock(project.stack_lock_path(DEPARTMENT), data)
    team, stack = _lock(project, TEAM), effective_stack(project.load_stacks(), TEAM)
    constraints = project.load_constraints(stack)
    digest = Digest.of(data)
    own = tuple(layer for layer in team.plan if layer.stack == TEAM)
    inputs = inputs_digest(
        stack,
        base_lock=team.base_lock,
        parent_lock=digest,
        constraints=Digest.of(constraints) if constraints is not None else None,
        files={},
    )
    made = replace(team, plan=lock.plan + own, parent_lock=digest, inputs=inputs)
    project.save_lock(project.stack_lock_path(TEAM), dump_stack_lock(made))


def test_a_stale_lock_is_not_planned_again(project: Project) -> None:
    path = project.root / "stacks" / TEAM / "stack.toml"
    path.write_text(path.read_text().replace("plugins-of", "more-plugins-of"))
    with pytest.raises(LockStaleError, match=f"stack {TEAM}: .*") as caught:
        _replan(project, DEPARTMENT)
    assert caught.value.hint == f"airflow-kubler lock {TEAM}"


def test_moves_are_counted_in_the_nights_before_the_ledgers_newest_entry(past: _Past, ledger: LedgerReader) -> None:
    past.on_day(0, _locked("core", _moved("requests")))
    past.on_day(
        40, _locked("core", _moved("requests"), Move(name="new", after="1")), _locked("etl", _moved("requests"))
    )
    past.on_day(50, _locked("core", _moved("requests"), _moved("idna"), Move(name="gone", before="1")))
    past.on_day(60, _locked("etl"))
    watched = watch(ledger, "core", 30)
    assert watched.moves == {"requests": 2, "idna": 1}
    assert round(watched.days, 1) == 30.0
    assert watched.until == past.clock.now


def test_a_stack_is_watched_since_its_first_lock_on_record(past: _Past, ledger: LedgerReader) -> None:
    past.on_day(0, _locked("core"))
    past.on_day(5, _locked("etl"))
    assert round(watch(ledger, "core", 30).days, 1) == 5.0
    assert watch(ledger, "gone", 30).days == 0.0


def test_moves_on_record_make_a_layer_costlier(project: Project, past: _Past, ledger: LedgerReader) -> None:
    own = next(layer for layer in _lock(project, "core").plan if len(layer.projects) == 1)
    before = {row.layer.name: row.reason for row in explain_plan(project, "core", None, 30).layers}
    for day in range(100, 130):
        past.on_day(day, _locked("core", _moved(own.projects[0])))
    plan = explain_plan(project, "core", ledger, 30)
    after = {row.layer.name: row.reason for row in plan.layers}
    assert after[own.name].chance > before[own.name].chance
    assert after[own.name].liveliest.moves == plan.watched.moves[own.projects[0]] == 30


def test_nodes_are_taken_to_hold_the_lock_where_no_build_is_on_record(project: Project, ledger: LedgerReader) -> None:
    lock = _lock(project, TEAM)
    assert set(held_layers(ledger, lock).values()) == {frozenset(layer.projects) for layer in lock.plan}


@pytest.mark.slow
def test_nothing_is_pulled_twice_of_what_was_never_pushed(project: Project) -> None:
    found = replan(project, ["core"], None, nights=30, horizon=15, unpushed=True)
    assert any(row.plan.changed for row in found)
    assert {row.plan.once for row in found} == {0}


def test_nodes_hold_the_layers_of_the_built_lock_whose_wheels_are_still_locked(
    project: Project, past: _Past, ledger: LedgerReader
) -> None:
    lock = _lock(project, TEAM)
    moved = lock.plan[0].projects[0]
    older = replace(
        lock,
        candidates=tuple(
            replace(one, wheels={key: replace(file, sha256=Digest.of(b"old")) for key, file in one.wheels.items()})
            if one.project == moved
            else one
            for one in lock.candidates
        ),
    )
    data = dump_stack_lock(older)
    past.on_day(1, replace_lock(TEAM, data), lock=data)
    held = held_layers(ledger, lock)
    assert set(held.values()) == {frozenset(layer.projects) for layer in lock.plan[1:]}


def replace_lock(stack: str, lock: bytes) -> Event:
    from msgspec.structs import replace as replace_event

    return replace_event(make_build(stack), stack=stack, lock=str(Digest.of(lock)))


def test_a_plan_is_explained_layer_by_layer(project: Project) -> None:
    plan = explain_plan(project, TEAM, None, 30)
    lock = _lock(project, TEAM)
    assert [row.layer for row in plan.layers] == [layer for layer in lock.plan if layer.stack == TEAM]
    assert (plan.parents_layers, plan.room) == (len(lock.plan) - len(plan.layers), 55)
