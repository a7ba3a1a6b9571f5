"""Gates: which findings stop an image, after waivers. Pure.

A gate is a list of clauses; a finding that any clause speaks of stops. All that a clause states must be true of the finding.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from builder.finding.exploited import is_exploited
from builder.finding.model import Finding, FixState, Severity
from builder.finding.vex import Waiver
from builder.finding.waivers import Waived, apply_waivers

FIXES: Final = ("known", "reachable")
_DAY: Final = 86_400


@dataclass(frozen=True, slots=True, kw_only=True)
class Clause:
    """One kind of finding that stops."""

    severity: Severity | None = None
    """This one or worse; None for all."""
    fix: str = ""
    """`known`: the scanner's database knows a version that mends it; `reachable`: one that the lock's rules allow, which also
    stops where nobody has looked for it. Empty for all."""
    grace_s: int = 0
    """Not before it is known for so long."""
    exploited: bool = False
    """It is on the list of what is exploited."""

    def to_dict(self) -> dict[str, Any]:
        """Write it as JSON values, what it does not state left out."""
        stated = {
            "severity": self.severity.value if self.severity else None,
            "fix": self.fix or None,
            "grace_s": self.grace_s or None,
            "exploited": self.exploited or None,
        }
        return {key: value for key, value in stated.items() if value is not None}


EVERYTHING: Final = (Clause(),)
"""The gate that nothing passes but what is waived."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stopped:
    """A finding that stops, and why."""

    finding: Finding
    why: str
    """As `critical, a fix is known, exploited`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What a gate makes of an image's findings."""

    stopped: tuple[Stopped, ...]
    waived: Waived

    @property
    def passed(self) -> int:
        """Count findings that nothing waives and that no clause speaks of."""
        return len(self.waived.left) - len(self.stopped)


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """What findings are judged by, beside the gate, as it stands in files now."""

    waivers: tuple[Waiver, ...] = ()
    """For the stack."""
    exploited: frozenset[str] | None = None
    """Names of what is exploited; None where no list is given."""


def judge_findings(findings: Sequence[Finding], gate: Sequence[Clause], given: Given, now: int) -> Verdict:
    """Find what stops.

    Args:
        findings: of an image.
        gate: its clauses.
        given: waivers and lists.
        now: seconds since the epoch.
    """
    today = dt.datetime.fromtimestamp(now, tz=dt.UTC).date()
    waived = apply_waivers(findings, given.waivers, today)
    found = ((finding, _why(finding, gate, given, now)) for finding in waived.left)
    return Verdict(stopped=tuple(Stopped(finding=finding, why=why) for finding, why in found if why), waived=waived)


def _why(finding: Finding, gate: Sequence[Clause], given: Given, now: int) -> str:
    for clause in gate:
        if _speaks_of(clause, finding, given, now):
            words = [finding.severity.value]
            if clause.fix:
                words.append("a fix is known" if clause.fix == "known" else _reach(finding))
            if clause.grace_s:
                words.append(
                    f"known for {(now - finding.first_seen) // _DAY} days" if finding.first_seen else "long known"
                )
            if clause.exploited:
                words.append("exploited")
            return ", ".join(words)
    return ""


def _speaks_of(clause: Clause, finding: Finding, given: Given, now: int) -> bool:
    if clause.severity is not None and finding.severity.rank < clause.severity.rank:
        return False
    if clause.fix and not _has_fix(clause.fix, finding):
        return False
    if clause.grace_s and now - finding.first_seen < clause.grace_s:
        return False
    # Without a list nothing is known not to be on it.
    return not clause.exploited or given.exploited is None or is_exploited(finding, given.exploited)


def _has_fix(wanted: str, finding: Finding) -> bool:
    if wanted == "known":
        return bool(finding.fixed_in)
    unknown = finding.fix.state in {FixState.NOT_LOOKED_FOR, FixState.UNRESOLVED} and bool(finding.fixed_in)
    return finding.fix.state is FixState.REACHABLE or unknown


def _reach(finding: Finding) -> str:
    return f"{finding.fix.version} is reachable" if finding.fix.version else "nobody has looked for a reachable fix"
