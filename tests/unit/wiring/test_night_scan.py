"""Scans in a night: what is fixed and new is told by the scan before, whatever image that was of."""

from __future__ import annotations

from builder.nightly.model import Result
from builder.wiring.night_scan import step_of_scan
from tests.support.findings import finding, findings


def test_what_is_fixed_and_new_is_told_since_the_scan_before() -> None:
    before = findings(finding("CVE-2026-1"), finding("CVE-2026-2"))
    now = findings(finding("CVE-2026-2"), finding("CVE-2026-3"))
    done = step_of_scan("stack:core", "sha256:1", before, now, "findings")
    assert (done.result, done.key) == (Result.DONE, "sha256:1")
    assert (done.facts["fixed"], done.facts["new"]) == (["CVE-2026-1"], ["CVE-2026-3"])
    assert done.facts["counts"] == {"high": 2}


def test_the_same_findings_are_no_news() -> None:
    same = findings(finding("CVE-2026-1"))
    done = step_of_scan("stack:core", "sha256:1", same, same, "findings")
    assert (done.result, done.facts["fixed"], done.facts["new"]) == (Result.UNCHANGED, [], [])


def test_without_a_scan_before_all_findings_are_new() -> None:
    done = step_of_scan("stack:core", "sha256:1", None, findings(finding("CVE-2026-1")), "findings")
    assert done.facts["new"] == ["CVE-2026-1"]
