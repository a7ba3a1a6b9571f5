"""The page of `log --html`."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Final

from builder.history.image import short_digest
from builder.history.telling import Told, tell
from builder.ledger.events import EVENTS, Built
from builder.picture.page import render_page
from builder.sizes import render_size
from builder.usecase.log import LogPage

_MOST_BARS: Final = 120


@dataclass(frozen=True, slots=True, kw_only=True)
class _Row:
    told: Told
    css: str


@dataclass(frozen=True, slots=True, kw_only=True)
class _Bar:
    height: float
    """In percent."""
    told: str


@dataclass(frozen=True, slots=True, kw_only=True)
class _Kind:
    name: str
    count: int


def render_log_page(page: LogPage) -> str:
    """Render the page: bytes are stable."""
    rows = [_Row(told=tell(entry), css=_css(entry.kind)) for entry in page.entries]
    counts = Counter(row.css for row in rows)
    sizes = _sizes(rows)
    largest = max((size for _, size in sizes), default=0)
    title = f"What happened to {page.query.stack}" if page.query.stack else "What happened"
    return render_page(
        "log.html",
        title=f"{title} in {page.query.channel}" if page.query.channel else title,
        rows=rows,
        more=page.more,
        several=not page.query.stack,
        kinds=[_Kind(name=kind, count=counts[kind]) for kind in sorted(counts)],
        channels=page.channels,
        bars=[
            _Bar(
                height=size / largest * 100,
                told=f"{told.entry.moment[:10]} {short_digest(told.digest)} {render_size(size)}",
            )
            for told, size in sizes
            if largest
        ]
        if page.query.stack and len(sizes) > 1
        else [],
        largest=largest,
        smallest=min((size for _, size in sizes), default=0),
        head=page.head,
    )


def _css(kind: str) -> str:
    """Name a kind for style; one that a newer program wrote goes by `other`."""
    return kind if kind in EVENTS else "other"


def _sizes(rows: list[_Row]) -> list[tuple[Told, int]]:
    """List builds, the oldest first, each with the size of its largest platform; repeated ones once."""
    found: list[tuple[Told, int]] = []
    for row in reversed(rows):
        event = row.told.event
        if isinstance(event, Built) and not (found and found[-1][0].digest == event.digest):
            found.append((row.told, max((one.size_bytes for one in event.platforms), default=0)))
    return found[-_MOST_BARS:]
