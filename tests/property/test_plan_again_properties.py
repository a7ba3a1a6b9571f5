"""What holds for every plan that is made again, whatever the stacks."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from builder.image.plan_again import Replanned, StackToPlan, plan_again
from builder.image.plan_items import PlanItem
from builder.image.plan_search import Layers, held_of, once_bytes, sort_layers

_ITEMS = st.builds(
    PlanItem,
    project=st.one_of(
        st.from_regex(r"[a-z][0-9]{0,2}", fullmatch=True),
        st.from_regex(r"opentelemetry-[a-d]", fullmatch=True),
        st.sampled_from(["boto3", "botocore"]),
    ),
    size=st.integers(min_value=0, max_value=100_000_000),
    age_days=st.none() | st.floats(min_value=-1, max_value=2000),
    moves=st.integers(min_value=0, max_value=40),
    watched_days=st.sampled_from([0.0, 0.5, 30.0]),
)
_HORIZONS = st.integers(min_value=1, max_value=60)


@st.composite
def _trees(draw: st.DrawFn) -> list[StackToPlan]:
    """Some stacks: each extends one before it or none, and fits into its room as it is."""
    items = draw(st.lists(_ITEMS, max_size=18, unique_by=lambda item: item.project))
    count = draw(st.integers(min_value=1, max_value=4))
    parents = [draw(st.sampled_from(["", *(f"s{other}" for other in range(number))])) for number in range(count)]
    homes = [draw(st.integers(min_value=0, max_value=count - 1)) for _ in items]
    stacks: dict[str, StackToPlan] = {}
    for number, parent in enumerate(parents):
        own = [item for item, home in zip(items, homes, strict=True) if home == number]
        groups: dict[int, list[PlanItem]] = {}
        for item in own:
            groups.setdefault(draw(st.integers(min_value=0, max_value=4)), []).append(item)
        layers = sort_layers(groups.values())
        above, name = 0, parent
        while name:
            above, name = above + len(stacks[name].layers), stacks[name].parent
        names = [[item.project for item in layer] for layer in layers]
        stacks[f"s{number}"] = StackToPlan(
            stack=f"s{number}",
            parent=parent,
            layers=layers,
            room=above + len(layers) + draw(st.integers(min_value=0, max_value=4)),
            held=held_of(names[: draw(st.integers(min_value=0, max_value=len(names)))]),
        )
    return list(stacks.values())


def _projects(layers: Layers) -> list[str]:
    return sorted(item.project for layer in layers for item in layer)


@settings(max_examples=150, deadline=None)
@given(_trees(), _HORIZONS)
def test_every_distribution_stays_in_its_stack_and_in_one_layer(stacks: list[StackToPlan], horizon: int) -> None:
    before = {one.stack: _projects(one.layers) for one in stacks}
    assert {row.stack: _projects(row.after) for row in plan_again(stacks, horizon)} == before
    assert all(layer for row in plan_again(stacks, horizon) for layer in row.after)


@settings(max_examples=150, deadline=None)
@given(_trees(), _HORIZONS)
def test_no_image_gets_more_layers_than_it_has_room_for(stacks: list[StackToPlan], horizon: int) -> None:
    by_name = {one.stack: one for one in stacks}
    counts = {row.stack: len(row.after) for row in plan_again(stacks, horizon)}
    for one in stacks:
        total, name = 0, one.stack
        while name:
            total, name = total + counts[name], by_name[name].parent
        assert total <= one.room


@settings(max_examples=150, deadline=None)
@given(_trees(), _HORIZONS)
def test_what_changes_pays_within_the_horizon(stacks: list[StackToPlan], horizon: int) -> None:
    """Of stacks that extend each other together: each counts as often as there are images that hold its layers."""
    found = {row.stack: row for row in plan_again(stacks, horizon)}
    parents = {one.stack: one.parent for one in stacks}
    gains: dict[str, float] = {}
    for one in stacks:
        total, root, name = 0.0, one.stack, one.stack
        while name:
            total, root, name = total + _gain(found[name], horizon), name, parents[name]
        gains[root] = gains.get(root, 0.0) + total
    assert all(gain > -1e-3 for gain in gains.values())
    assert all(gains[root] > 0 for root in gains if _changes(root, found, parents))


def _gain(row: Replanned, horizon: int) -> float:
    return row.night_before - row.night_after - row.once / horizon


def _changes(root: str, found: dict[str, Replanned], parents: dict[str, str]) -> bool:
    below = {root}
    for name, parent in parents.items():
        below |= {name} if parent in below else set()
    return any(found[name].changed for name in below)


@settings(max_examples=100, deadline=None)
@given(st.data(), _trees(), _HORIZONS)
def test_plans_do_not_depend_on_the_order_of_anything(
    data: st.DataObject, stacks: list[StackToPlan], horizon: int
) -> None:
    shuffled = [
        StackToPlan(
            stack=one.stack,
            parent=one.parent,
            layers=tuple(tuple(data.draw(st.permutations(layer))) for layer in data.draw(st.permutations(one.layers))),
            room=one.room,
            held=dict(data.draw(st.permutations(sorted(one.held.items(), key=lambda pair: pair[0])))),
        )
        for one in data.draw(st.permutations(stacks))
    ]
    assert plan_again(shuffled, horizon) == plan_again(stacks, horizon)


@settings(max_examples=100, deadline=None)
@given(_trees(), _HORIZONS)
def test_what_is_told_of_bytes_is_so(stacks: list[StackToPlan], horizon: int) -> None:
    by_name = {one.stack: one for one in stacks}
    for row in plan_again(stacks, horizon):
        one = by_name[row.stack]
        assert row.before == sort_layers(one.layers)
        assert row.once == once_bytes(row.after, one.held) - once_bytes(row.before, one.held)
        assert row.changed or (row.once, row.night_after) == (0, row.night_before)
