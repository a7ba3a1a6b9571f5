"""What holds for every plan, whatever the stack."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from builder.image.plan import RESERVED, make_plan
from builder.image.plan_items import PlanItem
from builder.lock.model import PlannedLayer

_NAMES = st.one_of(
    st.from_regex(r"[a-z][a-z0-9]{0,5}", fullmatch=True),
    st.from_regex(r"(google-cloud|opentelemetry|apache-airflow-providers|group)-[a-z0-9]{1,2}", fullmatch=True),
    st.sampled_from(["boto3", "botocore", "pydantic", "pydantic-core"]),
)
_ITEMS = st.lists(
    st.builds(
        PlanItem,
        project=_NAMES,
        size=st.integers(min_value=0, max_value=100_000_000),
        age_days=st.none() | st.floats(min_value=-1, max_value=2000),
    ),
    max_size=25,
    unique_by=lambda item: item.project,
)
_BUDGETS = st.integers(min_value=RESERVED + 1, max_value=40)


def _plan(
    items: list[PlanItem],
    budget: int,
    *,
    stack: str = "core",
    parent: tuple[PlannedLayer, ...] = (),
    previous: tuple[PlannedLayer, ...] = (),
) -> tuple[PlannedLayer, ...]:
    return make_plan(items, stack=stack, budget=budget, parent=parent, previous=previous)


@given(_ITEMS, _BUDGETS)
def test_plan_is_a_partition_within_budget(items: list[PlanItem], budget: int) -> None:
    plan = _plan(items, budget)
    planned = [project for layer in plan for project in layer.projects]
    assert sorted(planned) == sorted(item.project for item in items)
    assert len(plan) + RESERVED <= budget
    assert len({layer.name for layer in plan}) == len(plan)
    assert all(layer.projects == tuple(sorted(layer.projects)) and layer.projects for layer in plan)


@given(st.data(), _ITEMS, _BUDGETS)
def test_plan_does_not_depend_on_the_order_of_items(data: st.DataObject, items: list[PlanItem], budget: int) -> None:
    assert _plan(data.draw(st.permutations(items)), budget) == _plan(items, budget)


@given(_ITEMS, _BUDGETS)
def test_planning_again_changes_nothing(items: list[PlanItem], budget: int) -> None:
    plan = _plan(items, budget)
    assert _plan(items, budget, previous=plan) == plan


@given(st.data(), _ITEMS, _BUDGETS)
def test_new_versions_keep_groups_and_names(data: st.DataObject, items: list[PlanItem], budget: int) -> None:
    plan = _plan(items, budget)
    ages = st.none() | st.floats(min_value=0, max_value=2000)
    sizes = st.integers(min_value=0, max_value=100_000_000)
    moved = [PlanItem(project=item.project, size=data.draw(sizes), age_days=data.draw(ages)) for item in items]
    assert _plan(moved, budget, previous=plan) == plan


@settings(max_examples=60)
@given(_ITEMS, _ITEMS, st.integers(min_value=RESERVED + 4, max_value=40))
def test_a_child_begins_with_its_parents_plan(items: list[PlanItem], more: list[PlanItem], budget: int) -> None:
    parent = _plan(items, budget)
    held = {item.project for item in items}
    own = [item for item in more if item.project not in held]
    plan = _plan(items + own, budget + 1, stack="aws", parent=parent)
    assert plan[: len(parent)] == parent
    assert sorted(p for layer in plan[len(parent) :] for p in layer.projects) == sorted(item.project for item in own)
    assert all(layer.stack == "aws" for layer in plan[len(parent) :])


@settings(max_examples=60)
@given(_ITEMS, _ITEMS, _BUDGETS)
def test_planning_with_an_older_plan_is_a_partition_too(
    items: list[PlanItem], others: list[PlanItem], budget: int
) -> None:
    plan = _plan(items, budget, previous=_plan(others, budget))
    assert sorted(p for layer in plan for p in layer.projects) == sorted(item.project for item in items)
    assert len(plan) + RESERVED <= budget
    assert len({layer.name for layer in plan}) == len(plan)
