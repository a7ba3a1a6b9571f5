"""What is found out about an image by running things in it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

SMOKE: Final = "smoke"
"""The shipped suite: what must hold of every image."""
STACK: Final = "stack"
"""What a team tests: `stacks/<name>/tests/` of the stack and its parents."""
SUITES: Final = (SMOKE, STACK)
MOST_LINES: Final = 5
"""Of a reason: more is not read in the morning."""
_LONGEST_LINE: Final = 300


class Status(StrEnum):
    """How a test ended."""

    PASSED = "passed"
    FAILED = "failed"
    TIMED_OUT = "timed out"
    SKIPPED = "skipped"


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One test."""

    name: str
    """As `core/test_dags.py::test_imports`, or `provider http`."""
    status: Status
    seconds: float = 0.0
    reason: str = ""
    """Of what did not pass, at most five lines; else what is worth knowing."""

    @property
    def bad(self) -> bool:
        """Whether it keeps its suite from passing."""
        return self.status in {Status.FAILED, Status.TIMED_OUT}


@dataclass(frozen=True, slots=True, kw_only=True)
class SuiteReport:
    """All tests of one suite."""

    name: str
    cases: tuple[Case, ...]
    """In the order that they were planned in."""
    seconds: float

    @property
    def passed(self) -> bool:
        """Whether every test passed or was skipped, and one passed at least: nothing proves nothing."""
        return not any(case.bad for case in self.cases) and any(case.status is Status.PASSED for case in self.cases)

    @property
    def summary(self) -> str:
        """Count the tests by how they ended: `12 passed, 1 failed`."""
        counts = ((status, sum(case.status is status for case in self.cases)) for status in Status)
        return ", ".join(f"{count} {status}" for status, count in counts if count) or "no tests"


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckReport:
    """What was found out about one image."""

    stack: str
    platform: str
    manifest: str
    """Digest of the platform's manifest: what was run."""
    engine: str
    suites: tuple[SuiteReport, ...]
    """Those that have tests; a suite without any is not among them."""

    @property
    def passed(self) -> bool:
        """Whether no suite failed."""
        return all(suite.passed for suite in self.suites)


def five_lines(text: str) -> str:
    r"""Cut what a program said to the five last lines that say something.

    >>> five_lines("a\n\nb\n")
    'a\nb'
    """
    lines = [line.rstrip()[:_LONGEST_LINE] for line in text.splitlines() if line.strip()]
    return "\n".join(lines[-MOST_LINES:])


def suite_to_json(report: CheckReport, suite: SuiteReport) -> dict[str, Any]:
    """Make the JSON value of one suite, which stands for itself: a ledger keeps it as a document."""
    return {
        "format": "airflow-kubler test 1",
        "stack": report.stack,
        "platform": report.platform,
        "manifest": report.manifest,
        "engine": report.engine,
        "suite": suite.name,
        "passed": suite.passed,
        "seconds": round(suite.seconds, 3),
        "cases": [
            {
                "name": case.name,
                "status": str(case.status),
                "seconds": round(case.seconds, 3),
                **({"reason": case.reason} if case.reason else {}),
            }
            for case in suite.cases
        ],
    }
