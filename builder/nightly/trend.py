"""How size, vulnerabilities and pulled bytes went over the last nights.

A night that looked at some stacks only, or that could not build one, leaves the others where they were: so each point tells of the same
stacks, and a line moves only where an image did.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

import msgspec

from builder.nightly.summary import NightSummary

MOST_NIGHTS: Final = 30


class StackSample(msgspec.Struct, frozen=True, kw_only=True):
    """A stack, in a night."""

    name: str
    size_bytes: int
    """Of the image that stands, which is the one before where something failed; 0 where it has none."""
    findings: int | None
    """None where it was never scanned."""
    pull_bytes: int


class NightSample(msgspec.Struct, frozen=True, kw_only=True):
    """A night, as far as plots need it."""

    night: str
    began: int
    """Seconds since the epoch."""
    good: bool
    stacks: tuple[StackSample, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """All stacks together, after a night."""

    night: str
    began: int
    good: bool
    size_bytes: int
    findings: int | None
    pull_bytes: int


class _Before(msgspec.Struct, frozen=True, kw_only=True):
    size_bytes: int = 0
    scan: Mapping[str, int] = {}


class _Stack(msgspec.Struct, frozen=True, kw_only=True):
    name: str
    result: str = ""
    before: _Before = _Before()
    size_bytes: int = 0
    pull_bytes: int = 0
    scan: Mapping[str, int] = {}
    scanned: bool = False
    failed: str = ""


class _Base(msgspec.Struct, frozen=True, kw_only=True):
    failed: str = ""


class _Report(msgspec.Struct, frozen=True, kw_only=True):
    """What this module reads of report.json; what else is in it does not matter."""

    night: str
    began: int
    stacks: tuple[_Stack, ...] = ()
    bases: tuple[_Base, ...] = ()


def sample_of(summary: NightSummary) -> NightSample:
    """Take from a night what plots need."""
    rows = (
        StackSample(
            name=one.name,
            size_bytes=(not one.failed and one.size_bytes) or one.before.size_bytes,
            findings=_findings(one.scan if one.scanned and not one.failed else None, one.before.scan),
            pull_bytes=one.pull_bytes if one.is_changed else 0,
        )
        for one in summary.stacks
    )
    return NightSample(night=summary.night, began=summary.began, good=summary.is_good, stacks=tuple(rows))


def parse_sample(report: bytes) -> NightSample | None:
    """Take from a report.json what plots need; None where it is none of ours."""
    try:
        found = msgspec.json.decode(report, type=_Report)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return None
    bad = any(one.result in {"failed", "held"} for one in found.stacks) or any(base.failed for base in found.bases)
    return NightSample(
        night=found.night, began=found.began, good=not bad, stacks=tuple(_sample(one) for one in found.stacks)
    )


def make_trend(samples: Iterable[NightSample], *, most: int = MOST_NIGHTS) -> tuple[Point, ...]:
    """Follow the stacks of the last night through all of them.

    Args:
        samples: in any order; of one night that is there twice the first holds.
        most: nights to give.

    Returns:
        The oldest first.
    """
    found: dict[tuple[int, str], NightSample] = {}
    for sample in samples:
        found.setdefault((sample.began, sample.night), sample)
    nights = [found[key] for key in sorted(found)]
    wanted = {one.name for one in nights[-1].stacks} if nights else set()
    known: dict[str, StackSample] = {}
    points = []
    for night in nights:
        known |= {one.name: one for one in night.stacks if one.name in wanted}
        points.append(_point(night, known))
    return tuple(points[-most:])


def _point(night: NightSample, known: Mapping[str, StackSample]) -> Point:
    findings = [one.findings for one in known.values() if one.findings is not None]
    return Point(
        night=night.night,
        began=night.began,
        good=night.good,
        size_bytes=sum(one.size_bytes for one in known.values()),
        findings=sum(findings) if findings else None,
        pull_bytes=sum(one.pull_bytes for one in night.stacks if one.name in known),
    )


def _sample(row: _Stack) -> StackSample:
    return StackSample(
        name=row.name,
        size_bytes=(not row.failed and row.size_bytes) or row.before.size_bytes,
        findings=_findings(row.scan if row.scanned and not row.failed else None, row.before.scan),
        pull_bytes=0 if row.failed else row.pull_bytes,
    )


def _findings(counts: Mapping[str, int] | None, before: Mapping[str, int]) -> int | None:
    """Count what the image has that stands: None where it was never scanned."""
    if counts is not None:
        return sum(counts.values())
    return sum(before.values()) if before else None
