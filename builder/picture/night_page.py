"""The page of a night: what needs a person first, then team by team."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Final

from builder.nightly.markdown import render_title
from builder.nightly.model import Result
from builder.nightly.summary import NightSummary, StackNight
from builder.nightly.trend import Point
from builder.picture.page import render_page
from builder.picture.plots import Bar, draw_bars
from builder.sizes import render_size

_NOBODY: Final = "nobody"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Team:
    """What a team reads: each of its stacks once, under what matters most; what waits or failed may have changed as well."""

    name: str
    anchor: str
    waiting: tuple[StackNight, ...]
    failed: tuple[StackNight, ...]
    held: tuple[StackNight, ...]
    changed: tuple[StackNight, ...]
    same: tuple[StackNight, ...]
    seen: tuple[StackNight, ...]
    """Of the same: those of which others know more or less than before."""
    other: tuple[StackNight, ...]
    """Without an image, though nothing failed."""

    @property
    def told(self) -> str:
        """Count them."""
        counts = (
            (self.waiting, "waiting"),
            (self.failed, "failed"),
            (self.held, "held"),
            (self.changed, "changed"),
            (self.same, "unchanged"),
            (self.seen, "with other vulnerabilities"),
        )
        return ", ".join(f"{len(stacks)} {word}" for stacks, word in counts if stacks)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Plot:
    title: str
    drawn: str
    """Markup."""


def render_night_page(summary: NightSummary, trend: Sequence[Point]) -> str:
    """Render the page: bytes are stable.

    Args:
        summary: the night.
        trend: it and those before it, the oldest first.
    """
    return render_page(
        "night.html",
        title=f"Night {summary.night}",
        headline=render_headline(summary),
        night=summary,
        began=_moment(summary.began),
        minutes=max(0, summary.ended - summary.began) // 60 if summary.ended else None,
        failed=[*(base for base in summary.bases if base.failed), *summary.having(Result.FAILED)],
        held=summary.having(Result.HELD),
        fixed=_names(stack.fixed for stack in summary.stacks),
        brought=_names(stack.new for stack in summary.stacks),
        teams=_teams(summary.stacks),
        plots=_plots(trend),
        nights=len(trend),
        change=_change,
    )


def render_headline(summary: NightSummary) -> str:
    """Say how the night came out, without its name."""
    return render_title(summary).partition(": ")[2]


def _teams(stacks: Sequence[StackNight]) -> list[_Team]:
    """Group stacks by owner, those first who have something to do; a stack of several is shown to each."""
    found: dict[str, list[StackNight]] = {}
    for stack in stacks:
        for owner in dict.fromkeys(stack.owners or (_NOBODY,)):
            found.setdefault(owner, []).append(stack)
    teams = [_team(name, found[name]) for name in sorted(found)]
    ordered = sorted(
        teams, key=lambda team: (not (team.waiting or team.failed), not (team.changed or team.seen), team.name)
    )
    return [_named(team, place) for place, team in enumerate(ordered, 1)]


def _team(name: str, stacks: Sequence[StackNight]) -> _Team:
    return _Team(
        name=name,
        anchor="",
        waiting=tuple(one for one in stacks if one.waits),
        failed=tuple(one for one in stacks if one.failed),
        held=tuple(one for one in stacks if one.held and not one.failed),
        changed=tuple(one for one in stacks if one.is_changed),
        same=tuple(one for one in stacks if one.is_same),
        seen=tuple(one for one in stacks if one.is_same and (one.fixed or one.new)),
        other=tuple(one for one in stacks if not (one.digest or one.failed or one.held or one.waits)),
    )


def _named(team: _Team, place: int) -> _Team:
    return replace(team, anchor=f"team-{place}")


def _names(rows: Iterable[Iterable[str]]) -> list[str]:
    return sorted({name for names in rows for name in names})


def _change(before: int, after: int) -> str:
    """Say how much larger or smaller something is."""
    if not before or before == after:
        return ""
    return f"{'+' if after > before else '-'}{render_size(abs(after - before))}"


def _plots(trend: Sequence[Point]) -> list[_Plot]:
    if len(trend) < 2:
        return []
    rows = (
        ("Size of all images", [point.size_bytes for point in trend], render_size),
        ("Vulnerabilities", [point.findings for point in trend], str),
        ("Bytes that nodes pull", [point.pull_bytes for point in trend], render_size),
    )
    return [
        _Plot(
            title=title,
            drawn=draw_bars(title, [_bar(*one) for one in zip(trend, values, strict=True)], render),
        )
        for title, values, render in rows
        if any(value is not None for value in values)
    ]


def _bar(point: Point, value: int | None) -> Bar:
    return Bar(night=point.night, value=value, good=point.good)


def _moment(seconds: int) -> str:
    return dt.datetime.fromtimestamp(seconds, dt.UTC).strftime("%Y-%m-%d %H:%M")
