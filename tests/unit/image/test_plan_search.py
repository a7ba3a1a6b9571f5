from __future__ import annotations

from builder.image.plan_items import PlanItem
from builder.image.plan_search import Charge, Layers, find_better, held_of, night_bytes, once_bytes, sort_layers

HOT, COLD = 0.0, 2000.0


def _item(project: str, size: int, age: float) -> PlanItem:
    return PlanItem(project=project, size=size, age_days=age)


def _names(layers: Layers) -> list[list[str]]:
    return [[item.project for item in layer] for layer in layers]


def _held(layers: Layers) -> Charge:
    return Charge(held=held_of(_names(layers)), nights=15)


_MIXED = sort_layers(
    [
        [_item("a-cold", 40_000_000, COLD), _item("b-hot", 1_000_000, HOT)],
        [_item("c-cold", 40_000_000, COLD), _item("d-cold", 30_000_000, COLD)],
    ]
)


def test_what_changes_often_leaves_what_is_big_and_quiet_where_there_is_a_layer_left() -> None:
    assert _names(find_better(_MIXED, 3, _held(_MIXED))) == [["a-cold"], ["b-hot"], ["c-cold", "d-cold"]]


def test_two_steps_that_pay_together_are_found_though_neither_pays_alone() -> None:
    layers = sort_layers(
        [
            [_item("a-cold", 30_000_000, COLD), _item("b-hot", 3_000_000, HOT)],
            [_item("c-cold", 30_000_000, COLD), _item("d-hot", 3_000_000, HOT)],
        ]
    )
    assert _names(find_better(layers, 2, _held(layers))) == [["a-cold", "c-cold"], ["b-hot", "d-hot"]]


def test_a_change_that_would_not_pay_in_the_horizon_is_not_made() -> None:
    layers = sort_layers([[_item("a", 40_000_000, COLD), _item("b", 1_000_000, 500.0)]])
    charge = _held(layers)
    found = find_better(layers, 2, charge)
    assert found == layers
    assert _names(find_better(layers, 2, Charge(held=charge.held, nights=10_000))) == [["a"], ["b"]]


def test_what_nodes_pull_anyway_is_regrouped_for_nothing() -> None:
    layers = sort_layers([[_item("a", 40_000_000, COLD), _item("b", 1_000_000, 500.0)]])
    assert _names(find_better(layers, 2, Charge(held={}, nights=15))) == [["a"], ["b"]]


def test_the_limit_is_kept_though_it_costs() -> None:
    layers = sort_layers([[_item("a", 9_000_000, HOT)], [_item("b", 8_000_000, HOT)], [_item("c", 7_000_000, COLD)]])
    assert len(find_better(layers, 2, _held(layers))) == 2


def test_what_nodes_hold_together_is_put_together_again() -> None:
    """The plan took a held layer apart since it was pushed; nodes would pull all of it once more."""
    cold = [_item("a", 40_000_000, COLD), _item("b", 40_000_000, COLD)]
    layers = sort_layers([[cold[0]], [cold[1], _item("c", 1_000_000, COLD)]])
    assert _names(find_better(layers, 3, Charge(held=held_of([["a", "b"], ["c"]]), nights=15))) == [["a", "b"], ["c"]]


def test_a_plan_of_nothing_stays_one() -> None:
    assert find_better((), 1, Charge(held={}, nights=15)) == ()


def test_only_what_nodes_do_not_hold_is_pulled_once() -> None:
    assert once_bytes(_MIXED, held_of([["a-cold", "b-hot"]])) == 70_000_000
    assert once_bytes(_MIXED, {}) == 111_000_000


def test_a_night_costs_each_layer_by_its_chance() -> None:
    assert night_bytes([[_item("a", 1000, 0.0)], [_item("b", 100, 6.0)]]) == 260.0
