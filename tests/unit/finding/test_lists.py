"""Lists of what is exploited, documents of findings, what two scans have apart, and versions that mend."""

from __future__ import annotations

import json

import pytest

from builder.errors import InvalidInputError, LedgerError
from builder.finding.changes import compare_findings
from builder.finding.document import dump_findings, parse_findings
from builder.finding.exploited import parse_exploited
from builder.finding.fixed_in import mending_specifiers
from builder.finding.model import Kind
from tests.support.findings import finding, findings, fixed


def test_a_catalogue_and_a_list_of_names_are_read() -> None:
    catalogue = {"title": "x", "vulnerabilities": [{"cveID": "CVE-2026-1", "dueDate": "2026-12-01"}]}
    assert parse_exploited(json.dumps(catalogue).encode(), file="kev.json") == {"CVE-2026-1"}
    assert parse_exploited(b"# seen\nCVE-2026-1\n\nCVE-2026-2 # too\n", file="kev.txt") == {"CVE-2026-1", "CVE-2026-2"}


@pytest.mark.parametrize(
    "data",
    [b"", b"# nothing\n", b'{"vulnerabilities": []}', b"{}", b'{"vulnerabilities": [{}]}', b"{", b"one two\n", b"\xff"],
)
def test_a_list_that_names_nothing_is_refused(data: bytes) -> None:
    with pytest.raises(InvalidInputError, match=r"kev: "):
        parse_exploited(data, file="kev")


def test_findings_read_back_and_their_bytes_are_stable() -> None:
    found = findings(finding(fix=fixed()), finding("CVE-2026-2", aliases=("DSA-1",)))
    data = dump_findings(found)
    assert parse_findings(data, context="x") == found
    assert dump_findings(parse_findings(data, context="x")) == data


@pytest.mark.parametrize("data", [b"", b"{}", b"[]", b"\xff"])
def test_what_is_no_document_of_findings_is_refused(data: bytes) -> None:
    with pytest.raises(LedgerError, match="is no document of findings"):
        parse_findings(data, context="entry 3")


def test_findings_of_another_form_are_refused() -> None:
    data = dump_findings(findings()).replace(b'"format":1', b'"format":2')
    with pytest.raises(LedgerError, match="findings in the form 2, and 1 is known"):
        parse_findings(data, context="entry 3")


def test_what_stays_in_another_version_has_stayed() -> None:
    before = [finding("CVE-2026-1"), finding("CVE-2026-2")]
    after = [finding("CVE-2026-2", version="2.19.1"), finding("CVE-2026-3")]
    changes = compare_findings(before, after)
    assert [one.id for one in changes.fixed] == ["CVE-2026-1"]
    assert [one.id for one in changes.new] == ["CVE-2026-3"]
    assert [(one.id, one.subject.version) for one in changes.stayed] == [("CVE-2026-2", "2.19.1")]


def test_a_copy_is_the_same_in_another_version_of_its_own() -> None:
    one, two = (
        finding(kind=Kind.OTHER, path=f"site/setuptools/_vendor/{name}.dist-info/METADATA") for name in ("x-1", "x-2")
    )
    assert one.key == two.key


@pytest.mark.parametrize(
    ("installed", "fixed_in", "specifiers"),
    [
        ("2.19.0", ["2.20.0"], (">=2.20.0",)),
        ("3.2.5", ["4.0.4", "2.2.28", "3.2.13"], (">=3.2.13,<4", ">=4.0.4")),
        ("3.1.0", ["3.1.4", "3.2.1"], (">=3.1.4,<3.2", ">=3.2.1")),
        ("3.1.0", ["3.1.4", "3.1.9"], (">=3.1.4,<3.1.9", ">=3.1.9")),
        ("1.0", ["0.9"], ()),
        ("1.0", ["soon", "1.1"], (">=1.1",)),
        ("odd", ["1.1"], ()),
    ],
)
def test_what_lies_before_the_next_good_version_of_its_branch_mends_nothing(
    installed: str, fixed_in: list[str], specifiers: tuple[str, ...]
) -> None:
    assert mending_specifiers(installed, fixed_in) == specifiers
