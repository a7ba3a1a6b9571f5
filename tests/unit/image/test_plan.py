from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import pytest

from builder.errors import PlanError
from builder.image.plan import make_plan
from builder.image.plan_items import PlanItem
from builder.lock.model import PlannedLayer

_SCENARIOS = sorted((Path(__file__).parents[2] / "scenarios" / "plan").glob("*.toml"))


def _items(*rows: tuple[str, int, float]) -> list[PlanItem]:
    return [PlanItem(project=project, size=size, age_days=age) for project, size, age in rows]


def _layer(name: str, *projects: str, stack: str = "core") -> PlannedLayer:
    return PlannedLayer(name=name, stack=stack, projects=projects)


@pytest.mark.parametrize("path", _SCENARIOS, ids=lambda path: path.stem)
def test_scenario_is_grouped_as_its_file_says(path: Path) -> None:
    scenario: dict[str, Any] = tomllib.loads(path.read_text())
    items = [PlanItem(project=row[0], size=row[1], age_days=row[2] if row[2:] else None) for row in scenario["items"]]
    previous = tuple(_layer(*row) for row in scenario.get("previous", []))
    plan = make_plan(items, stack="core", budget=scenario["budget"], previous=previous)
    assert [list(layer.projects) for layer in plan] == scenario["layers"], scenario["intent"]
    if "names" in scenario:
        assert [layer.name for layer in plan] == scenario["names"], scenario["intent"]


def test_names_tell_a_project_alone_from_a_group() -> None:
    items = _items(("botocore", 16_000_000, 0), ("six", 50_000, 900), ("idna", 50_000, 900))
    assert [layer.name for layer in make_plan(items, stack="core", budget=60)] == ["core-group-01", "core-botocore"]


def test_names_do_not_clash_with_parents_layers() -> None:
    parent = (_layer("core-aws-x", "y"),)
    items = _items(("x", 90_000_000, 1), ("y", 1, 1))
    assert [layer.name for layer in make_plan(items, stack="core-aws", budget=60, parent=parent)] == [
        "core-aws-x",
        "core-aws-group-01",
    ]


def test_groups_of_another_stack_in_the_previous_plan_are_ignored() -> None:
    items = _items(("a", 90_000_000, 1), ("b", 80_000_000, 1))
    previous = (_layer("core-group-01", "a", "b"),)
    assert len(make_plan(items, stack="aws", budget=60, previous=previous)) == 2


def test_a_project_that_moved_to_the_parent_leaves_the_childs_plan() -> None:
    items = _items(("a", 90_000_000, 1), ("b", 80_000_000, 1))
    parent = (_layer("core-a", "a"),)
    previous = (_layer("aws-group-01", "a", "b", stack="aws"),)
    plan = make_plan(items, stack="aws", budget=60, parent=parent, previous=previous)
    assert [(layer.name, layer.projects) for layer in plan] == [("core-a", ("a",)), ("aws-group-01", ("b",))]


def test_every_generation_leaves_layers_to_the_next() -> None:
    plan: tuple[PlannedLayer, ...] = ()
    items: list[PlanItem] = []
    sizes = []
    for stack in ("root", "child", "grandchild"):
        items += _items(*[(f"{stack}{number}", 50_000_000, 1) for number in range(100)])
        plan = make_plan(items, stack=stack, budget=60, parent=plan)
        sizes.append(len(plan))
    assert sizes == [27, 41, 48]


def test_a_stack_that_nobody_extends_leaves_a_few_layers() -> None:
    items = _items(*[(f"p{number}", 50_000_000, 1) for number in range(100)])
    assert len(make_plan(items, stack="core", budget=60, extended=False)) == 52


def test_layers_beyond_the_share_of_a_root_must_be_worth_more() -> None:
    """Each of these saves 30 kB a night by itself: enough for a layer, not for one that a child may need."""
    items = _items(*[(f"p{number:02}", 1_500_000, 96) for number in range(50)])
    assert len(make_plan(items, stack="core", budget=60, extended=False)) == 27
    parent = make_plan(_items(("x", 1, 1)), stack="root", budget=60)
    assert len(make_plan([*items, *_items(("x", 1, 1))], stack="core", budget=60, parent=parent, extended=False)) == 51


def test_a_plan_that_is_kept_is_not_joined_when_a_stack_comes_to_extend_it() -> None:
    items = _items(*[(f"p{number}", 50_000_000, 1) for number in range(100)])
    plan = make_plan(items, stack="core", budget=60, extended=False)
    assert make_plan(items, stack="core", budget=60, previous=plan, extended=True) == plan


def test_budget_without_a_layer_left_is_refused() -> None:
    parent = (_layer("core-a", "a"),)
    with pytest.raises(PlanError) as caught:
        make_plan(_items(("a", 1, 1), ("b", 1, 1)), stack="aws", budget=6, parent=parent)
    assert str(caught.value) == (
        "image.layers: 1 projects of stack aws have no layer left: 5 of 6 are reserved, 1 are the parent's\n"
        "  set image.layers to 9 or more, or the parent's lower"
    )


def test_a_child_without_projects_of_its_own_needs_no_layer() -> None:
    parent = (_layer("core-a", "a"),)
    assert make_plan(_items(("a", 1, 1)), stack="aws", budget=6, parent=parent) == parent


def test_a_parents_project_that_is_no_item_is_refused() -> None:
    with pytest.raises(PlanError, match="holds what this stack does not install: a"):
        make_plan(_items(("b", 1, 1)), stack="aws", budget=60, parent=(_layer("core-a", "a"),))


def test_a_project_named_twice_is_refused() -> None:
    with pytest.raises(PlanError, match="planned more than once: a"):
        make_plan(_items(("a", 1, 1), ("a", 2, 1)), stack="core", budget=60)
