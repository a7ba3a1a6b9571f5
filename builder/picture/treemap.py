"""Rectangles whose areas are sizes, near to squares: the squarified treemap of Bruls, Huizing and van Wijk.

Only additions, multiplications and divisions are used: their results are the same on every machine.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Tile:
    """One rectangle; in percent of the whole's width and height."""

    left: float
    top: float
    width: float
    height: float


def tile(sizes: Sequence[int], *, aspect: float = 3.0) -> tuple[Tile, ...]:
    """Fill a rectangle with tiles.

    Args:
        sizes: of the tiles; nothing smaller than the hundredth part of a percent gets a smaller tile than that.
        aspect: width of the whole by its height.

    Returns:
        In the order of the sizes; the larger ones lie left and above.
    """
    if not sizes:
        return ()
    least = sum(sizes) / 10_000 or 1.0
    areas = [max(float(size), least) for size in sizes]
    scale = aspect / sum(areas)
    order = sorted(range(len(areas)), key=lambda place: (-areas[place], place))
    found: dict[int, Tile] = {}
    free = _Free(0.0, 0.0, aspect, 1.0)
    row: list[int] = []
    for place in order:
        if row and _worst([*row, place], areas, scale, free) > _worst(row, areas, scale, free):
            free = _lay(row, areas, scale, free, aspect, found)
            row = []
        row.append(place)
    _lay(row, areas, scale, free, aspect, found)
    return tuple(found[place] for place in range(len(areas)))


@dataclass(frozen=True, slots=True)
class _Free:
    """What is still empty."""

    left: float
    top: float
    width: float
    height: float


def _worst(row: Sequence[int], areas: Sequence[float], scale: float, free: _Free) -> float:
    """Find the ratio of sides of a row's longest tile, laid along the shorter side."""
    side = min(free.width, free.height)
    total = sum(areas[place] for place in row) * scale
    thick = total / side
    lengths = [areas[place] * scale / thick for place in row]
    return max(max(length / thick, thick / length) for length in lengths)


def _lay(
    row: Sequence[int], areas: Sequence[float], scale: float, free: _Free, aspect: float, found: dict[int, Tile]
) -> _Free:
    """Lay a row along the shorter side; gives what is left."""
    upright = free.width >= free.height
    thick = sum(areas[place] for place in row) * scale / (free.height if upright else free.width)
    at = free.top if upright else free.left
    for place in row:
        length = areas[place] * scale / thick
        box = (free.left, at, thick, length) if upright else (at, free.top, length, thick)
        found[place] = Tile(
            left=box[0] / aspect * 100, top=box[1] * 100, width=box[2] / aspect * 100, height=box[3] * 100
        )
        at += length
    if upright:
        return _Free(free.left + thick, free.top, free.width - thick, free.height)
    return _Free(free.left, free.top + thick, free.width, free.height - thick)
