from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from builder.errors import BuilderError, IssuesError
from builder.finding.vex import dump_vex, parse_vex
from tests.support.findings import waiver

FILE = "stacks/tiny/vex/a.openvex.json"
NOTES = "we call none of it\n\nairflow-kubler.owner: team:tiny\nairflow-kubler.expires: 2026-11-25"


def document(change: Callable[[dict[str, Any]], object] = lambda _: None) -> bytes:
    """Write a document of one statement, changed."""
    value: dict[str, Any] = {
        "@context": "https://openvex.dev/ns/v0.2.0",
        "@id": "https://example.org/vex/1",
        "author": "team:tiny",
        "timestamp": "2026-11-01T00:00:00Z",
        "version": 1,
        "statements": [
            {
                "vulnerability": {"name": "CVE-2026-1"},
                "products": [{"@id": "pkg:pypi/requests@2.19.0"}],
                "status": "not_affected",
                "justification": "vulnerable_code_not_in_execute_path",
                "status_notes": NOTES,
            }
        ],
    }
    change(value)
    return json.dumps(value).encode()


def statement(**values: Any) -> bytes:
    """Write a document whose statement says other things; None takes one out."""

    def change(value: dict[str, Any]) -> None:
        row = value["statements"][0]
        for key, new in values.items():
            row.pop(key, None)
            if new is not None:
                row[key] = new

    return document(change)


def test_a_statement_is_read_with_owner_and_end() -> None:
    assert parse_vex(document(), file=FILE, stack="tiny") == (waiver(),)


def test_what_is_written_reads_back_and_bytes_are_stable() -> None:
    waivers = (
        waiver(),
        waiver("CVE-2026-2", status="affected", justification="", statement="we upgrade in May", number=1),
        waiver("CVE-2026-3", status="not_affected", justification="", statement="it is patched", number=2, aliases=("GHSA-1",)),
        waiver("CVE-2026-4", status="under_investigation", justification="", number=3, reason="Two\nlines"),
    )  # fmt: skip
    data = dump_vex(waivers, author="team:tiny")
    assert parse_vex(data, file=FILE, stack="tiny") == waivers
    assert dump_vex(tuple(reversed(waivers)), author="team:tiny") == data


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (b"[]", "not a JSON object"),
        (b"{", "not JSON"),
        (document(lambda value: value.update({"@context": "https://example.org"})), "is no OpenVEX document"),
        (document(lambda value: value.pop("author")), "author must be a string"),
        (document(lambda value: value.update(expires="x")), "unknown field 'expires'"),
        (statement(expires="2027-01-01"), "unknown field 'expires'"),
        (statement(vulnerability={"name": "x y"}), "'x y' names no weakness"),
        (statement(products=[]), "names no package"),
        (statement(products=[{"@id": "requests"}]), "'requests' is no package URL"),
        (statement(products=[{"@id": "pkg:pypi/x@1?a=b"}]), "has qualifiers"),
        (statement(products=[{"@id": "pkg:oci/x", "subcomponents": [{"@id": "pkg:pypi/x"}]}]), "subcomponents are not read"),
        (statement(status="fine"), "unknown status 'fine'"),
        (statement(justification=None), "not_affected needs a justification or an impact_statement"),
        (statement(impact_statement="x"), "not_affected needs a justification or an impact_statement"),
        (statement(justification="because"), "unknown 'because'"),
        (statement(status="affected", justification=None), "affected needs an action_statement"),
        (statement(status_notes=None), "never expires"),
        (statement(status_notes="why\nairflow-kubler.owner: team:x"), "never expires"),
        (statement(status_notes="why\nairflow-kubler.expires: 2027-01-01"), "names no owner"),
        (statement(status_notes="why\nairflow-kubler.owner: x\nairflow-kubler.expires: soon"), "'soon' is no date"),
        (statement(status_notes="airflow-kubler.owner: x\nairflow-kubler.expires: 2027-01-01"), "gives no reason"),
        (statement(status_notes=f"{NOTES}\nairflow-kubler.mood: good"), "unknown line 'airflow-kubler.mood'"),
    ],
)  # fmt: skip
def test_what_says_too_little_or_too_much_is_refused(data: bytes, told: str) -> None:
    with pytest.raises(BuilderError) as caught:
        parse_vex(data, file=FILE)
    assert told in str(caught.value)
    assert FILE in str(caught.value)


def test_all_that_is_wrong_is_told_at_once() -> None:
    def change(value: dict[str, Any]) -> None:
        row = value["statements"][0]
        value["statements"] = [{**row, "status": "fine"}, row, {**row, "products": []}]

    with pytest.raises(IssuesError) as caught:
        parse_vex(document(change), file=FILE)
    assert [f"statements[{number}]" in str(issue) for number, issue in zip((0, 2), caught.value.issues, strict=True)]


def test_identifiers_name_a_package_too() -> None:
    (read,) = parse_vex(statement(products=[{"identifiers": {"purl": "pkg:pypi/Requests"}}]), file=FILE)
    assert read.products == ("pkg:pypi/requests",)
