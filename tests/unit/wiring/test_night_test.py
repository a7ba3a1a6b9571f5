"""Tests in a night: what has passed is left alone, what failed is told by its last words."""

from __future__ import annotations

from pathlib import Path

import pytest

from builder.ledger.events import Tested
from builder.ledger.model import NewEntry
from builder.nightly.model import Result
from builder.testing.model import Case, CheckReport, Status, SuiteReport
from builder.wiring.ledgers import open_ledger
from builder.wiring.night_test import has_passed, step_of_report
from tests.support.ledgers import make_build, make_ledger

BUILD = make_build()


@pytest.mark.parametrize(
    ("runs", "suites", "passed"),
    [
        ([("smoke", True), ("stack", True)], ("smoke", "stack"), True),
        ([("smoke", True)], ("smoke", "stack"), False),
        ([("smoke", False), ("smoke", True)], ("smoke",), True),
        ([("smoke", True), ("smoke", False)], ("smoke",), False),
        ([], ("smoke",), False),
    ],
)
def test_an_image_has_passed_where_the_last_run_of_each_suite_did(
    tmp_path: Path, runs: list[tuple[str, bool]], suites: tuple[str, ...], *, passed: bool
) -> None:
    events = [Tested(digest=BUILD.digest, name=name, passed=good) for name, good in runs]
    make_ledger(tmp_path / "ledger.db", [NewEntry(event=event) for event in (BUILD, *events)])
    with open_ledger(tmp_path / "ledger.db") as ledger:
        assert has_passed(ledger, BUILD.digest, suites) is passed


def report(*cases: Case) -> CheckReport:
    suite = SuiteReport(name="stack", cases=cases, seconds=1.0)
    return CheckReport(stack="core", platform="linux/amd64", manifest="sha256:0", engine="runc", suites=(suite,))


def test_what_failed_is_told_by_what_it_said_or_where_several_did_by_their_last_words() -> None:
    good = Case(name="a", status=Status.PASSED)
    bad = Case(name="b", status=Status.FAILED, reason="first\nE  assert 1 == 2")
    done = step_of_report("stack:core", "sha256:1", report(good, bad))
    assert (done.result, done.reason) == (Result.FAILED, "stack b failed: first\nE  assert 1 == 2")
    assert done.facts["failed"] == ["stack b"]
    shell = Case(name="c.sh", status=Status.FAILED, reason="Traceback\nAssertionError: no\nexit status 1")
    several = step_of_report("stack:core", "sha256:1", report(bad, shell)).reason.splitlines()
    assert several == [
        "stack b failed: first / E  assert 1 == 2",
        "stack c.sh failed: AssertionError: no / exit status 1",
    ]
    assert step_of_report("stack:core", "sha256:1", report(good)).result is Result.DONE
