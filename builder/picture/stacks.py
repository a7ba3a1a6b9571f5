"""Stacks, the bases that they stand on and their channels, as an SVG for light and dark surroundings."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from builder.history.image import short_digest
from builder.picture.svg import cut, document, element, text, text_width
from builder.picture.tree import Box, Placed, place_boxes
from builder.sizes import render_count, render_size
from builder.stack.model import Base, EffectiveStack
from builder.usecase.graph import Survey
from builder.usecase.standing import MOST_BEHIND, ChannelStanding, Standing

_NAME, _SMALL = 14, 11
_PAD, _GAP_X, _GAP_Y, _MARGIN, _HEADER = 12, 56, 12, 20, 44
_LINE, _CHIP = 16, 22
_ANCHOR, _TURN = 19, 8
_LEAST_WIDTH: Final = 190
_MOST_LETTERS: Final = 64
_STYLE: Final = """\
.page{fill:#ffffff}.box{fill:#f6f8fa;stroke:#8c959f}.base{fill:#ddf4ff;stroke:#0969da}.edge{fill:none;stroke:#8c959f}
text{font-family:ui-monospace,'DejaVu Sans Mono',Menlo,Consolas,'Liberation Mono',monospace;fill:#1f2328;font-size:11px}
.name{font-size:14px;font-weight:bold}.soft{fill:#59636e}
.chip{fill:#dafbe1;stroke:#1a7f37}.behind{fill:#fff8c5;stroke:#9a6700}.unknown{fill:#ffebe9;stroke:#cf222e}
@media (prefers-color-scheme:dark){.page{fill:#0d1117}.box{fill:#161b22;stroke:#6e7681}.base{fill:#0c2d4a;stroke:#4493f8}
.edge{stroke:#6e7681}text{fill:#e6edf3}.soft{fill:#9198a1}
.chip{fill:#12361f;stroke:#3fb950}.behind{fill:#3b2e0a;stroke:#d29922}.unknown{fill:#3c1517;stroke:#f85149}}
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Card:
    """What is written in a box."""

    key: str
    parent: str
    name: str
    right: str
    """On the line of the name, at its end."""
    lines: tuple[str, ...]
    chips: tuple[tuple[str, str, str], ...] = ()
    """Class, name and digest with how far behind, of each channel."""
    css: str = "box"
    hint: str = field(default="")

    def box(self) -> Box:
        """Measure it."""
        head = text_width(self.name, _NAME) + (text_width(self.right, _SMALL) + 16 if self.right else 0)
        lines = [text_width(line, _SMALL) for line in self.lines]
        chips = [text_width(name, _SMALL) + 24 + text_width(told, _SMALL) for _, name, told in self.chips]
        width = max(_LEAST_WIDTH, head, *lines, *chips) + 2 * _PAD
        height = 26 + _LINE * len(self.lines) + _CHIP * len(self.chips) + _PAD - 4
        return Box(key=self.key, parent=self.parent, width=width, height=height)


def draw_stacks(survey: Survey, standing: Standing) -> str:
    """Draw a project's stacks: bytes are stable.

    Args:
        survey: the stacks and bases.
        standing: their builds and channels, as far as a ledger knows them.
    """
    cards = list(_iter_cards(survey, standing))
    placed = place_boxes([card.box() for card in cards], gap_x=_GAP_X, gap_y=_GAP_Y)
    width = max((one.x + one.width for one in placed), default=_LEAST_WIDTH) + 2 * _MARGIN
    height = max((one.y + one.box.height for one in placed), default=0) + 2 * _MARGIN + _HEADER
    places = {one.box.key: one for one in placed}
    title = f"{render_count(len(survey.stacks), 'stack')} on {render_count(len(survey.bases), 'base')}"
    content = [
        element("rect", class_="page", width=width, height=height),
        text(_MARGIN, _MARGIN + 14, title, class_="name"),
        *_iter_edges(places),
        *(_draw_card(card, places[card.key]) for card in cards),
    ]
    described = "; ".join(f"{stack.name} on {(*stack.parents, stack.base)[0]}" for stack in survey.stacks)
    return document(width, height, title=title, description=described, style=_STYLE, content=content)


def _iter_cards(survey: Survey, standing: Standing) -> Iterator[_Card]:
    """List bases, and below each its stacks with theirs."""
    for base in survey.bases:
        yield _base_card(base, standing)
        for root in survey.roots(base.name):
            yield from _iter_family(root, f"base/{base.name}", survey, standing)


def _iter_family(stack: EffectiveStack, parent: str, survey: Survey, standing: Standing) -> Iterator[_Card]:
    yield _stack_card(stack, parent, survey, standing)
    for child in survey.children(stack.name):
        yield from _iter_family(child, stack.name, survey, standing)


def _base_card(base: Base, standing: Standing) -> _Card:
    found = standing.bases.get(base.name)
    lines = [f"{base.origin}, Python {base.python}"]
    if found is not None:
        lines[0] += f" · lock {short_digest(found.lock)}"
    return _Card(
        key=f"base/{base.name}",
        parent="",
        name=cut(base.name, _MOST_LETTERS),
        right=render_size(found.size) if found and found.size else "",
        lines=tuple(cut(line, _MOST_LETTERS) for line in lines),
        css="box base",
        hint=base.description,
    )


def _stack_card(stack: EffectiveStack, parent: str, survey: Survey, standing: Standing) -> _Card:
    own = len(survey.own[stack.name].requirements)
    adds = f"adds {render_count(own, 'requirement')}"
    lines = [adds if stack.parents else f"Airflow {stack.airflow_version}, {render_count(own, 'requirement')}"]
    found = standing.stacks.get(stack.name)
    if found is not None and found.newest is not None:
        newest = found.newest
        lines[0] += f" · {short_digest(newest.built.digest)} · {newest.entry.moment[:10]}"
    return _Card(
        key=stack.name,
        parent=parent,
        name=cut(stack.name, _MOST_LETTERS),
        right=render_size(found.size) if found and found.size else "",
        lines=tuple(cut(line, _MOST_LETTERS) for line in lines),
        chips=tuple(map(_chip, found.channels)) if found else (),
        hint=stack.description,
    )


def _chip(one: ChannelStanding) -> tuple[str, str, str]:
    digest = short_digest(one.state.digest)
    match one.behind:
        case None:
            css, told = "unknown", "not built on record"
        case 0:
            css, told = "chip", "newest"
        case behind if behind >= MOST_BEHIND:
            css, told = "behind", f"{MOST_BEHIND} or more behind"
        case behind:
            css, told = "behind", f"{behind} behind"
    return css, cut(one.state.channel, 24), f"{digest} · {told}"


def _iter_edges(places: dict[str, Placed]) -> Iterator[str]:
    """Draw lines from what is below to what stands on it: a rail down from the parent, a branch to each child."""
    for one in places.values():
        if not one.box.parent:
            continue
        above = places[one.box.parent]
        x1, y1 = _MARGIN + above.x + above.width, _MARGIN + _HEADER + above.y + _ANCHOR
        x2, y2 = _MARGIN + one.x, _MARGIN + _HEADER + one.y + _ANCHOR
        rail = x1 + _GAP_X // 2
        turn = (
            f"H{x2}"
            if y1 == y2
            else f"H{rail - _TURN}q{_TURN} 0 {_TURN} {_TURN}V{y2 - _TURN}q0 {_TURN} {_TURN} {_TURN}H{x2}"
        )
        yield element("path", class_="edge", d=f"M{x1} {y1}{turn}")


def _draw_card(card: _Card, place: Placed) -> str:
    x, y = _MARGIN + place.x, _MARGIN + _HEADER + place.y
    parts = [element("title", _escaped(f"{card.name}: {card.hint}"))] if card.hint else []
    parts.append(element("rect", class_=card.css, x=x, y=y, width=place.width, height=place.box.height, rx=6))
    parts.append(text(x + _PAD, y + 20, card.name, class_="name"))
    if card.right:
        parts.append(text(x + place.width - _PAD, y + 20, card.right, anchor="end"))
    for number, line in enumerate(card.lines):
        parts.append(text(x + _PAD, y + 38 + number * _LINE, line, class_="soft"))
    top = y + 26 + _LINE * len(card.lines) + 4
    for number, (css, name, told) in enumerate(card.chips):
        width, above = text_width(name, _SMALL) + 12, top + number * _CHIP
        parts.append(element("rect", class_=css, x=x + _PAD, y=above, width=width, height=17, rx=8))
        parts.append(text(x + _PAD + 6, above + 12, name))
        parts.append(text(x + _PAD + width + 8, above + 12, told, class_="soft"))
    return element("g", *parts)


def _escaped(content: str) -> str:
    from html import escape

    return escape(content)
