from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from builder.usecase.lock import lock_stacks
from builder.usecase.lock_model import LockOptions, LockReport
from tests.support.lock_world import AIRFLOW_STACK, World, make_project


class Nights:
    """A project that is locked again and again, by the same program or another."""

    def __init__(self, root: Path) -> None:
        self.world = World(requires={"alpha": ("beta",)})
        self.project = make_project(root, core=AIRFLOW_STACK)

    def lock(self, *, program: str = "ours 1", options: LockOptions | None = None) -> LockReport:
        self.world.requests.clear()
        tools = replace(self.world.tools(self.project), program=program)
        return lock_stacks(self.project, tools, ["core"], options or LockOptions())

    @property
    def solved(self) -> bool:
        return bool(self.world.requests)

    def settle(self) -> LockReport:
        self.lock()
        report = self.lock()
        assert self.solved
        return report


def test_what_is_settled_is_not_solved_again_and_reported_the_same(tmp_path: Path) -> None:
    nights = Nights(tmp_path)
    report = nights.settle()
    path = nights.project.stack_lock_path("core")
    data = path.read_bytes()
    assert nights.lock() == report
    assert not nights.solved
    assert path.read_bytes() == data


def test_first_lock_and_changed_one_are_not_settled(tmp_path: Path) -> None:
    nights = Nights(tmp_path)
    nights.lock()
    assert list(nights.world.snapshots.notes) == []


def test_a_page_that_says_something_else_unsettles(tmp_path: Path) -> None:
    nights = Nights(tmp_path)
    nights.settle()
    nights.world.older |= {("beta", "0.9")}
    nights.lock()
    assert nights.solved
    nights.lock()
    assert not nights.solved


def test_a_page_that_was_not_looked_at_does_not_unsettle(tmp_path: Path) -> None:
    nights = Nights(tmp_path)
    nights.settle()
    nights.world.older |= {("gamma", "0.9")}
    nights.lock()
    assert not nights.solved


def test_stack_program_options_and_lock_before_unsettle(tmp_path: Path) -> None:
    nights = Nights(tmp_path)
    nights.settle()
    nights.lock(program="ours 2")
    assert nights.solved
    nights.lock(options=LockOptions(upgrade=True))
    assert nights.solved
    nights.lock(options=LockOptions(upgrade_packages=frozenset({"alpha"})))
    assert nights.solved
    stack = tmp_path / "stacks/core/stack.toml"
    stack.write_text(AIRFLOW_STACK.replace('["alpha"]', '["alpha", "gamma"]'))
    nights.world.offers["gamma"] = "1.0"
    nights.lock()
    assert nights.solved
    stack.write_text(AIRFLOW_STACK)
    nights.lock()
    nights.lock()
    nights.project.stack_lock_path("core").unlink()
    nights.lock()
    assert nights.solved


def test_damaged_note_is_passed_over(tmp_path: Path) -> None:
    nights = Nights(tmp_path)
    report = nights.settle()
    for key in nights.world.snapshots.notes:
        nights.world.snapshots.notes[key] = b'{"pages": 3}'
    assert nights.lock() == report
    assert nights.solved
