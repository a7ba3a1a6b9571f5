"""Reports as text. Pure; JSON is made in model.py, JUnit in junit.py."""

from __future__ import annotations

from collections.abc import Iterator

from builder.testing.model import Case, CheckReport, SuiteReport


def render_report(report: CheckReport) -> str:
    """Render a report for people: each test in a line, what did not pass with its reason."""
    return "\n".join(_lines(report))


def _lines(report: CheckReport) -> Iterator[str]:
    yield f"{report.stack}: {report.platform} by {report.engine}, manifest {report.manifest}"
    for suite in report.suites:
        yield f"{suite.name}: {suite.summary} in {suite.seconds:.1f} s"
        yield from (line for case in suite.cases for line in _case(case))
    if not report.suites:
        yield "no tests"


def _case(case: Case) -> Iterator[str]:
    lines = case.reason.splitlines()
    beside = f"  {lines[0]}" if lines and not case.bad else ""
    yield f"  {case.status:9} {case.seconds:6.1f} s  {case.name}{beside}"
    if case.bad:
        yield from (f"      | {line}" for line in lines)


def summary_line(suite: SuiteReport) -> str:
    """Say in a line how a suite ended, with what failed first: what a ledger shows."""
    bad = [case.name for case in suite.cases if case.bad]
    return f"{suite.summary}: {', '.join(bad[:3])}{', ...' if len(bad) > 3 else ''}" if bad else suite.summary
