"""What comes of checking a rule: what was found, in which entries, and how to meet it. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from builder.ledger.parts import Check
from builder.policy.evidence import Fact

PROGRAM: Final = "airflow-kubler"
_SHORT: Final = len("sha256:") + 12
_DAY: Final = 86_400


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """Who wants to move a channel, and when."""

    promoter: str
    """His name."""
    now: int
    """Seconds since the epoch."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """A rule, checked."""

    check: Check
    way: str = ""
    """How to meet it: a command where there is one; empty where it is met."""

    @property
    def lacks(self) -> bool:
        """Whether the move may not be made for it."""
        return not self.check.met and not self.check.skipped


def make_judged(rule: str, *, met: bool, found: str, evidence: Sequence[int] = (), way: str = "") -> Judged:
    """Put together what came of a rule; one that is met needs no way."""
    return Judged(check=Check(rule=rule, met=met, found=found, evidence=tuple(evidence)), way="" if met else way)


def numbers_of(facts: Sequence[Fact[Any]]) -> tuple[int, ...]:
    """List the numbers of entries."""
    return tuple(fact.entry.number for fact in facts)


def shorten(digest: str) -> str:
    """Write as much of a digest as people compare, and commands take."""
    return digest[:_SHORT]


def render_span(seconds: int) -> str:
    """Write a span of time, as `7 days` or `12 hours`."""
    count, unit = (seconds // _DAY, "day") if seconds % _DAY == 0 else (seconds // 3600, "hour")
    return f"{count} {unit}{'' if count == 1 else 's'}"
