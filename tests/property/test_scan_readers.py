"""Whatever a scanner or a person writes: it is read, or refused by name."""

from __future__ import annotations

import datetime as dt
import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from packaging.specifiers import SpecifierSet

from builder.errors import BuilderError, ScanError
from builder.finding.fixed_in import mending_specifiers
from builder.finding.vex import JUSTIFICATIONS, Waiver, dump_vex, parse_vex
from builder.scan.report import parse_report

NAMES = ("SchemaVersion", "ArtifactType", "Metadata", "OS", "Family", "ImageID", "DiffIDs", "Results", "Packages",
         "Vulnerabilities", "VulnerabilityID", "PkgName", "InstalledVersion", "Layer", "Severity", "Class", "Type")  # fmt: skip
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-1, 3) | st.floats(allow_nan=False) | st.sampled_from(("container_image", "x", "")),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(NAMES), inner, max_size=6),
    max_leaves=12,
)  # fmt: skip


@given(st.binary(max_size=200))
def test_no_bytes_are_taken_for_a_report(data: bytes) -> None:
    try:
        parse_report(data)
    except ScanError:
        return
    raise AssertionError(data)


@given(VALUES)
def test_a_report_is_read_or_not_scanned(value: Any) -> None:
    try:
        report = parse_report(json.dumps(value).encode())
    except ScanError:
        return
    assert report.schema_version == 2


LINES = st.text(st.characters(codec="utf-8", categories=("L", "N", "P", "Zs")), min_size=1, max_size=30).map(str.strip)
WORDS = LINES.filter(bool)
PRODUCTS = st.builds(
    lambda kind, name, version: f"pkg:{kind}/{name}{version}",
    st.sampled_from(("pypi", "deb/debian")),
    st.from_regex(r"[a-z][a-z0-9]{0,8}", fullmatch=True),
    st.sampled_from(("", "@1.0", "@2.41-12")),
)


@st.composite
def waivers(draw: st.DrawFn) -> Waiver:
    status = draw(st.sampled_from(("not_affected", "affected", "fixed", "under_investigation")))
    by_word = status == "not_affected" and draw(st.booleans())
    return Waiver(
        file="a.json",
        number=0,
        stack="tiny",
        id=draw(st.from_regex(r"CVE-20[0-9]{2}-[0-9]{1,6}", fullmatch=True)),
        aliases=tuple(draw(st.lists(st.from_regex(r"GHSA-[a-z0-9]{4}", fullmatch=True), max_size=2, unique=True))),
        products=tuple(draw(st.lists(PRODUCTS, min_size=1, max_size=3, unique=True))),
        status=status,
        justification=draw(st.sampled_from(JUSTIFICATIONS)) if by_word else "",
        statement=draw(WORDS) if status == "affected" or (status == "not_affected" and not by_word) else "",
        reason=draw(WORDS),
        owner=draw(WORDS),
        expires=draw(st.dates(dt.date(2026, 1, 1), dt.date(2099, 1, 1))),
        issued="2026-11-01T00:00:00Z",
    )


@given(waivers())
def test_a_waiver_reads_back_as_it_was_written(waiver: Waiver) -> None:
    data = dump_vex((waiver,), author="somebody")
    assert parse_vex(data, file="a.json", stack="tiny") == (waiver,)
    assert dump_vex(parse_vex(data, file="a.json", stack="tiny"), author="somebody") == data


@given(st.binary(max_size=100) | VALUES.map(lambda value: json.dumps(value).encode()))
def test_whatever_lies_among_waivers_is_read_or_refused(data: bytes) -> None:
    try:
        parse_vex(data, file="a.json")
    except BuilderError:
        return


@given(st.text(max_size=12), st.lists(st.text(max_size=12), max_size=5))
def test_versions_that_nobody_can_read_mend_nothing_and_break_nothing(installed: str, fixed_in: list[str]) -> None:
    mending_specifiers(installed, fixed_in)


VERSIONS = st.tuples(st.integers(0, 4), st.integers(0, 4), st.integers(0, 4)).map(
    lambda parts: ".".join(map(str, parts))
)


@given(VERSIONS, st.lists(VERSIONS, max_size=4))
def test_what_mends_is_never_the_weak_version_nor_older(installed: str, fixed_in: list[str]) -> None:
    for specifier in mending_specifiers(installed, fixed_in):
        assert not SpecifierSet(specifier).contains(installed)
