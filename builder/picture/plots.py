"""Small plots of a number over nights, as SVG within a page: bars from zero, in one colour, told in words to who cannot see them.

Nothing is said by colour alone: a night that failed has a hollow bar with a cross above, and the last bar has its number.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from html import escape
from typing import Final

from builder.picture.svg import clean, element, text

WIDTH: Final = 340
"""Fits a telephone as it is: nothing is scaled down, so that letters keep their size."""
_HEIGHT, _TOP, _FOOT = 132, 30, 20
_ROOM: Final = _HEIGHT - _TOP - _FOOT
_MOST_BAR, _GAP = 26, 2
_BOTH_NAMES: Final = 170
"""Where bars take less room, the names of the first and the last would run into each other."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """A night's number."""

    night: str
    value: int | None
    """None where it is not known."""
    good: bool


def draw_bars(title: str, bars: Sequence[Bar], render: Callable[[int], str]) -> str:
    """Draw a plot; bytes are stable.

    Args:
        title: what is counted.
        bars: the oldest first; at least one.
        render: writes a number.
    """
    most = max((bar.value or 0 for bar in bars), default=0)
    step = min(_MOST_BAR + _GAP, WIDTH // max(len(bars), 1))
    content = [element("path", class_="axis", d=f"M0 {_HEIGHT - _FOOT}H{WIDTH}")]
    # The last night stands right, under its number, however few there are.
    start = WIDTH - step * len(bars)
    content += [_draw_bar(bar, start + place * step, step - _GAP, most, render) for place, bar in enumerate(bars)]
    content.append(text(0, 12, f"most {render(most)}"))
    if WIDTH - start >= _BOTH_NAMES:
        content.append(text(start, _HEIGHT - 4, bars[0].night))
    content.append(text(WIDTH, _HEIGHT - 4, bars[-1].night, anchor="end"))
    last = bars[-1].value
    content.append(text(WIDTH, 12, f"last {'unknown' if last is None else render(last)}", anchor="end"))
    label = f"{title}: {'; '.join(_told(bar, render) for bar in bars)}"
    return element(
        "svg",
        *content,
        class_="plot",
        width=WIDTH,
        height=_HEIGHT,
        viewBox=f"0 0 {WIDTH} {_HEIGHT}",
        role="img",
        aria_label=clean(label),
    )


def _draw_bar(bar: Bar, left: int, width: int, most: int, render: Callable[[int], str]) -> str:
    height = 0 if not most or bar.value is None else bar.value * _ROOM // most
    top = _HEIGHT - _FOOT - max(height, 1)
    told = element("title", escape(clean(_told(bar, render))))
    css = "bar" if bar.good else "bar hollow"
    parts = [told, element("rect", class_=css, x=left, y=top, width=max(width, 1), height=max(height, 1))]
    if not bar.good:
        parts.append(text(left + width // 2, max(top - 3, 24), "✗", class_="cross", anchor="middle"))
    return element("g", *parts)


def _told(bar: Bar, render: Callable[[int], str]) -> str:
    value = "unknown" if bar.value is None else render(bar.value)
    return f"{bar.night} {value}{'' if bar.good else ', something failed'}"
