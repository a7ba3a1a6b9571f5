"""Boxes of a forest and tiles of a treemap: nothing lies over another, areas are true, the same everywhere."""

from __future__ import annotations

from itertools import combinations

from hypothesis import given
from hypothesis import strategies as st

from builder.picture.tree import Box, Placed, place_boxes
from builder.picture.treemap import Tile, tile


@st.composite
def forests(draw: st.DrawFn) -> list[Box]:
    """Draw boxes, each after its parent."""
    boxes: list[Box] = []
    for number in range(draw(st.integers(1, 25))):
        parent = draw(st.sampled_from(["", *(box.key for box in boxes)]))
        size = st.integers(1, 300)
        boxes.append(Box(key=f"b{number}", parent=parent, width=draw(size), height=draw(size)))
    return boxes


@given(forests())
def test_no_box_lies_over_another_and_children_stand_right_of_their_parents(boxes: list[Box]) -> None:
    placed = {one.box.key: one for one in place_boxes(boxes, gap_x=20, gap_y=5)}
    for one, two in combinations(placed.values(), 2):
        assert not _overlap(one, two)
    for one in placed.values():
        assert one.width >= one.box.width
        if one.box.parent:
            parent = placed[one.box.parent]
            assert one.x == parent.x + parent.width + 20
            assert one.y >= parent.y


def _overlap(one: Placed, two: Placed) -> bool:
    apart_x = one.x + one.width <= two.x or two.x + two.width <= one.x
    apart_y = one.y + one.box.height <= two.y or two.y + two.box.height <= one.y
    return not (apart_x or apart_y)


def test_a_parent_stands_beside_its_first_child() -> None:
    boxes = [Box(key=key, parent=parent, width=10, height=10) for key, parent in (("a", ""), ("b", "a"), ("c", "a"))]
    assert [(one.x, one.y) for one in place_boxes(boxes, gap_x=5, gap_y=2)] == [(0, 0), (15, 0), (15, 12)]
    assert place_boxes([], gap_x=5, gap_y=2) == ()


@given(st.lists(st.integers(1, 10_000_000), min_size=1, max_size=40))
def test_tiles_fill_the_whole_by_their_sizes(sizes: list[int]) -> None:
    tiles = tile(sizes)
    least = sum(sizes) / 10_000
    areas = [max(size, least) for size in sizes]
    for area, one in zip(areas, tiles, strict=True):
        assert abs(one.width * one.height / 10_000 - area / sum(areas)) < 1e-6
        assert -1e-6 <= one.left <= one.left + one.width <= 100 + 1e-6
        assert -1e-6 <= one.top <= one.top + one.height <= 100 + 1e-6
    for one, two in combinations(tiles, 2):
        assert _shared(one, two) < 1e-3


def _shared(one: Tile, two: Tile) -> float:
    width = min(one.left + one.width, two.left + two.width) - max(one.left, two.left)
    height = min(one.top + one.height, two.top + two.height) - max(one.top, two.top)
    return max(width, 0) * max(height, 0)


def test_tiles_are_near_to_squares_and_those_of_nothing_are_seen() -> None:
    tiles = tile([6, 6, 4, 3, 2, 2, 1], aspect=1.5)
    assert all(0.3 < one.width * 1.5 / one.height < 3.2 for one in tiles)
    assert tile([]) == ()
    assert all(one.width > 0 and one.height > 0 for one in tile([0, 0, 5]))
