"""Sizes as people read them."""

from __future__ import annotations

from typing import Final

_UNITS: Final = ("B", "kB", "MB", "GB", "TB")


def render_size(size_bytes: int) -> str:
    """Render a size by decimal units.

    >>> render_size(10_500_000)
    '10.5 MB'
    """
    value = float(size_bytes)
    for unit in _UNITS:
        if value < 999.95 or unit == _UNITS[-1]:
            return f"{size_bytes} B" if unit == "B" else f"{value:.1f} {unit}"
        value /= 1000
    raise AssertionError  # pragma: no cover


def render_count(number: int, noun: str) -> str:
    """Render a count with its noun.

    >>> render_count(1, "layer"), render_count(2, "layer")
    ('1 layer', '2 layers')
    """
    return f"{number} {noun}{'' if number == 1 else 's'}"
