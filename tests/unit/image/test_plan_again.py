from __future__ import annotations

import math
from collections.abc import Sequence

import pytest

from builder.errors import PlanError
from builder.image.plan_again import Replanned, StackToPlan, plan_again
from builder.image.plan_items import PlanItem
from builder.image.plan_search import Held, Layers, held_of, sort_layers

COLD = 2000.0


def _layers(*groups: Sequence[tuple[str, int, float]]) -> Layers:
    return sort_layers([[PlanItem(project=p, size=size, age_days=age) for p, size, age in group] for group in groups])


def _stack(name: str, layers: Layers, *, parent: str = "", room: int = 10, held: Held | None = None) -> StackToPlan:
    there = held_of([item.project for item in layer] for layer in layers)
    return StackToPlan(stack=name, parent=parent, layers=layers, room=room, held=there if held is None else held)


def _many(name: str, count: int) -> list[tuple[str, int, float]]:
    return [(f"{name}{number}", 10_000_000, 1.0 + number) for number in range(count)]


def test_a_hot_project_is_taken_out_of_a_quiet_layer_and_the_cost_is_told() -> None:
    layers = _layers([("big", 40_000_000, COLD), ("hot", 1_000_000, 0.0)])
    (row,) = plan_again([_stack("core", layers)])
    assert row.changed
    assert [[item.project for item in layer] for layer in row.after] == [["big"], ["hot"]]
    assert row.once == 41_000_000
    assert row.night_before == pytest.approx(10_260_000, rel=0.01)
    assert row.night_after == pytest.approx(270_000, rel=0.01)
    assert row.nights_to_pay == pytest.approx(4.1, rel=0.01)


def test_a_plan_that_cannot_be_bettered_stays() -> None:
    layers = _layers([("big", 40_000_000, COLD)], [("hot", 1_000_000, 0.0)])
    (row,) = plan_again([_stack("core", layers)])
    assert (row.changed, row.once, row.nights_to_pay) == (False, 0, math.inf)


def test_a_longer_horizon_allows_what_a_short_one_does_not() -> None:
    layers = _layers([("big", 40_000_000, COLD), ("warm", 1_000_000, 100.0)])
    assert [plan_again([_stack("core", layers)], horizon)[0].changed for horizon in (15, 400)] == [False, True]


def test_layers_are_shared_anew_between_a_root_that_has_too_many_and_its_child() -> None:
    """Nothing is pulled yet, so nothing stands against it; the root's layers are in two images, so they count twice."""
    root = _stack("core", _layers(*[[row] for row in _many("r", 8)]), held={}, room=11)
    child = _stack("etl", _layers(_many("c", 8)), parent="core", held={}, room=11)
    before = [len(root.layers), len(child.layers)]
    after = [len(row.after) for row in plan_again([child, root])]
    assert (before, after) == ([8, 1], [6, 4])


def test_a_root_keeps_more_layers_where_more_stacks_stand_on_it() -> None:
    root = _stack("core", _layers(*[[row] for row in _many("r", 8)]), held={}, room=11)
    children = [_stack(f"etl{n}", _layers(_many(f"c{n}x", 2)), parent="core", held={}, room=11) for n in range(6)]
    found = {row.stack: len(row.after) for row in plan_again([root, *children])}
    assert found == {"core": 8} | {f"etl{n}": 2 for n in range(6)}


def test_a_stack_that_others_extend_takes_no_layer_from_them() -> None:
    root = _stack("core", _layers([("big", 40_000_000, COLD), ("hot", 1_000_000, 0.0)]), room=2)
    child = _stack("etl", _layers([("c", 1000, COLD)]), parent="core", room=2)
    assert not any(row.changed for row in plan_again([root, child]))


def test_a_layer_is_left_for_a_stack_that_may_come() -> None:
    """Without one it could not be locked, and so not be planned with the others."""
    (row,) = plan_again([_stack("core", _layers(_many("r", 20)), held={}, room=10)])
    assert len(row.after) == 9


def test_a_child_without_projects_of_its_own_has_no_layers() -> None:
    rows = plan_again([_stack("core", _layers([("a", 1, 1.0)])), _stack("etl", (), parent="core")])
    assert [(row.stack, len(row.after)) for row in rows] == [("core", 1), ("etl", 0)]


def test_stacks_that_do_not_extend_each_other_are_planned_apart() -> None:
    layers = _layers([("big", 40_000_000, COLD), ("hot", 1_000_000, 0.0)])
    alone: tuple[Replanned, ...] = (*plan_again([_stack("a", layers)]), *plan_again([_stack("b", layers, room=1)]))
    assert plan_again([_stack("b", layers, room=1), _stack("a", layers)]) == alone


@pytest.mark.parametrize("names", [[("a", ""), ("a", "")], [("a", "gone")]], ids=["twice", "without its parent"])
def test_stacks_that_do_not_fit_together_are_refused(names: list[tuple[str, str]]) -> None:
    with pytest.raises(PlanError, match="named twice, or extend one that is not planned with them"):
        plan_again([_stack(name, (), parent=parent) for name, parent in names])
