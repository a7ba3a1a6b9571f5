from __future__ import annotations

import pytest

from builder.finding.gate import EVERYTHING, Clause, Given, judge_findings
from builder.finding.model import Finding, Fix, FixState, Severity
from tests.support.findings import DAY, NOW, TODAY, finding, fixed, waiver

LISTED = Given(exploited=frozenset({"CVE-2026-1"}))
LOW = finding(severity=Severity.LOW)
UNFIXED = finding(fixed_in=(), fix=Fix(state=FixState.NONE))
FRESH = finding(first_seen=NOW - 13 * 86_400)
KNOWN = finding(first_seen=NOW - 14 * 86_400)


@pytest.mark.parametrize(
    ("gate", "found", "why"),
    [
        (EVERYTHING, LOW, "low"),
        ((Clause(severity=Severity.HIGH),), LOW, ""),
        ((Clause(severity=Severity.HIGH),), finding(), "high"),
        ((Clause(severity=Severity.HIGH),), finding(severity=Severity.CRITICAL), "critical"),
        ((Clause(severity=Severity.HIGH),), finding(severity=Severity.UNKNOWN), "unknown"),
        ((Clause(severity=Severity.CRITICAL),), finding(severity=Severity.UNKNOWN), ""),
        ((Clause(fix="known"),), finding(), "high, a fix is known"),
        ((Clause(fix="known"),), UNFIXED, ""),
        ((Clause(fix="reachable"),), finding(fix=fixed()), "high, 2.20.0 is reachable"),
        ((Clause(fix="reachable"),), finding(), "high, nobody has looked for a reachable fix"),
        ((Clause(fix="reachable"),), finding(fix=Fix(state=FixState.UNRESOLVED)), "high, nobody has looked for a reachable fix"),
        ((Clause(fix="reachable"),), finding(fix=Fix(state=FixState.UNREACHABLE)), ""),
        ((Clause(fix="reachable"),), finding(fix=Fix(state=FixState.OUTSIDE, version="3")), ""),
        ((Clause(fix="reachable"),), UNFIXED, ""),
        ((Clause(grace_s=14 * 86_400),), FRESH, ""),
        ((Clause(grace_s=14 * 86_400),), KNOWN, "high, known for 14 days"),
        ((Clause(grace_s=14 * 86_400),), finding(first_seen=0), "high, long known"),
        ((Clause(exploited=True),), LOW, "low, exploited"),
        ((Clause(exploited=True),), finding("CVE-2026-2"), ""),
        ((Clause(exploited=True),), finding("GHSA-x", aliases=("CVE-2026-1",)), "high, exploited"),
        ((Clause(severity=Severity.HIGH, fix="known", grace_s=86_400),), KNOWN, "high, a fix is known, known for 14 days"),
        ((Clause(severity=Severity.CRITICAL), Clause(exploited=True)), LOW, "low, exploited"),
    ],
)  # fmt: skip
def test_a_finding_stops_where_a_clause_is_true_of_it_as_a_whole(
    gate: tuple[Clause, ...], found: Finding, why: str
) -> None:
    verdict = judge_findings([found], gate, LISTED, NOW)
    assert [one.why for one in verdict.stopped] == ([why] if why else [])
    assert verdict.passed == (0 if why else 1)


def test_without_a_list_everything_may_be_exploited() -> None:
    assert judge_findings([finding()], (Clause(exploited=True),), Given(), NOW).stopped


def test_what_is_waived_stops_nothing_until_the_day_after_the_last() -> None:
    until = {TODAY + DAY: True, TODAY: True, TODAY - DAY: False}
    for expires, holds in until.items():
        given = Given(waivers=(waiver(expires=expires),))
        verdict = judge_findings([finding()], EVERYTHING, given, NOW)
        assert bool(verdict.waived.waived) is holds
        assert bool(verdict.stopped) is not holds
        assert bool(verdict.waived.expired) is not holds
