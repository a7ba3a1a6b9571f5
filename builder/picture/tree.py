"""Where boxes of a forest go: parents left, children right of them, one column for each depth, nothing over another.

Each subtree has a band of its own; a parent stands at the top of it, beside its first child, so that forty stacks begin
where their base is seen. Whole numbers only.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Box:
    """Something to be placed."""

    key: str
    parent: str
    """Key; empty for a root."""
    width: int
    height: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Placed:
    """A box and where it is."""

    box: Box
    x: int
    y: int
    width: int
    """Of its column: boxes of one depth are equally wide."""


def place_boxes(boxes: Sequence[Box], *, gap_x: int, gap_y: int) -> tuple[Placed, ...]:
    """Place boxes.

    Args:
        boxes: each after its parent; children stand in this order, from the top.
        gap_x: between columns.
        gap_y: between boxes of a column.

    Returns:
        In the order given, from the origin on.
    """
    depths: dict[str, int] = {}
    children: dict[str, list[Box]] = {"": []}
    for box in boxes:
        depths[box.key] = depths[box.parent] + 1 if box.parent else 0
        children.setdefault(box.parent, []).append(box)
    widths = [
        max(box.width for box in boxes if depths[box.key] == depth)
        for depth in range(max(depths.values(), default=-1) + 1)
    ]
    lefts = [sum(widths[:depth]) + depth * gap_x for depth in range(len(widths))]
    tops: dict[str, int] = {}
    bands: dict[str, int] = {}
    for box in reversed(boxes):
        below = children.get(box.key, [])
        bands[box.key] = max(box.height, sum(bands[child.key] for child in below) + gap_y * max(len(below) - 1, 0))
    _stack(children[""], 0, children, bands, gap_y, tops)
    return tuple(
        Placed(box=box, x=lefts[depths[box.key]], y=tops[box.key], width=widths[depths[box.key]]) for box in boxes
    )


def _stack(
    boxes: Sequence[Box],
    top: int,
    children: dict[str, list[Box]],
    bands: dict[str, int],
    gap: int,
    tops: dict[str, int],
) -> None:
    """Place siblings below each other, each with its subtree in a band of its own."""
    for box in boxes:
        tops[box.key] = top
        _stack(children.get(box.key, []), top, children, bands, gap, tops)
        top += bands[box.key] + gap
