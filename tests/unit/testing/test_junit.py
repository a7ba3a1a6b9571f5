"""JUnit's XML, read from pytest and written for others."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from builder.errors import InvalidInputError
from builder.testing.junit import dump_junit, parse_junit
from builder.testing.model import Case, CheckReport, Status, SuiteReport

TESTS = """
import pytest

def test_good(): ...

def test_bad():
    left = 1
    assert left == 2, "not\\x1bso"

@pytest.mark.skip(reason="no need")
def test_skipped(): ...

@pytest.fixture
def broken(): raise OSError("gone")

def test_error(broken): ...

class TestGroup:
    def test_inner(self): ...
"""


def test_what_pytest_writes_is_read(tmp_path: Path) -> None:
    (tmp_path / "test_it.py").write_text(TESTS)
    argv = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--junitxml=out.xml", "test_it.py"]
    subprocess.run(argv, cwd=tmp_path, capture_output=True, check=False)
    good, bad, skipped, error, inner = parse_junit((tmp_path / "out.xml").read_text(), name="a/test_it.py")
    assert (good.name, good.status, good.reason) == ("a/test_it.py::test_good", Status.PASSED, "")
    assert bad.status is Status.FAILED
    assert ">       assert left == 2" in bad.reason
    assert "E       assert 1 == 2" in bad.reason
    assert bad.reason.splitlines()[-1] == "test_it.py:8: AssertionError"
    assert (skipped.status, skipped.reason) == (Status.SKIPPED, "no need")
    assert error.status is Status.FAILED
    assert "OSError: gone" in error.reason
    assert inner.name == "a/test_it.py::TestGroup::test_inner"
    assert all(len(case.reason.splitlines()) <= 5 for case in (bad, error))


@pytest.mark.parametrize(
    "text", ["", "<a", '<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>', '<a><testcase name="b" time="c"/></a>']
)
def test_what_is_no_junit_is_refused(text: str) -> None:
    with pytest.raises(InvalidInputError, match=r"^t: "):
        parse_junit(text, name="t")


def test_what_is_written_is_xml_whatever_tests_said() -> None:
    cases = (
        Case(name="a", status=Status.PASSED, seconds=1.25),
        Case(name="b", status=Status.TIMED_OUT, reason="\x00<&\ud800\nlast"),
        Case(name="c", status=Status.SKIPPED, reason="why"),
        Case(name="d", status=Status.PASSED, reason="6 imported"),
    )
    suite = SuiteReport(name="smoke", cases=cases, seconds=2)
    report = CheckReport(stack="core", platform="linux/amd64", manifest="sha256:1", engine="runc", suites=(suite,))
    found = ET.fromstring(dump_junit([report]))  # noqa: S314 - our own
    (one,) = found
    assert one.attrib == {
        "name": "core smoke",
        "tests": "4",
        "failures": "1",
        "skipped": "1",
        "errors": "0",
        "time": "2.000",
    }
    failure = found.find(".//failure")
    assert failure is not None
    assert (failure.get("type"), failure.get("message"), failure.text) == ("timed out", "?<&?", "?<&?\nlast")
    assert found.findtext(".//system-out") == "6 imported"
