"""What makes a report believed: each way in which it may be wrong is `not scanned`."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from builder.errors import ScanError
from builder.finding.model import FixState, Kind, Part, Severity
from builder.oci.layout import PlatformImage
from builder.scan.canary import make_canary, put_on_top, shipped_canaries
from builder.scan.report import parse_report, parse_version
from builder.usecase.scan import scan_image
from builder.usecase.scan_target import ScanTarget
from tests.support.advisories import CANARY, NOTHING, Advisories
from tests.support.fake_scanner import FakeScanner, LyingScanner
from tests.support.scan_world import PLANTED, make_scan_project, make_scan_world, target_of, tools_of

Change = Callable[[dict[str, Any]], object]


@pytest.fixture(scope="module")
def target(tmp_path_factory: pytest.TempPathFactory) -> ScanTarget:
    return make_scan_project(tmp_path_factory.mktemp("project")).target()


@pytest.fixture(scope="module")
def report(target: ScanTarget) -> dict[str, Any]:
    """The report of the first platform, which is believed."""
    seen = put_on_top(target.platforms[0], make_canary(shipped_canaries()))
    return FakeScanner(known=PLANTED).report(seen, target.layout)


def lied(target: ScanTarget, data: bytes) -> None:
    """Scan by a scanner that gives this report."""
    scan_image(replace(target, platforms=target.platforms[:1]), tools_of(LyingScanner(data=data)))


def test_a_report_that_all_holds_of_is_believed(target: ScanTarget, report: dict[str, Any]) -> None:
    lied(target, json.dumps(report).encode())


def results(report: dict[str, Any], kind: str) -> dict[str, Any]:
    """Find the results of a class or type."""
    found: dict[str, Any] = next(row for row in report["Results"] if kind in {row["Class"], row["Type"]})
    return found


def no_canary(kind: str) -> Change:
    def change(report: dict[str, Any]) -> None:
        rows = results(report, kind)["Vulnerabilities"]
        own = report["Metadata"]["DiffIDs"][-1]
        results(report, kind)["Vulnerabilities"] = [row for row in rows if row["Layer"]["DiffID"] != own]

    return change


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda report: report.update(SchemaVersion=3), "the report is of schema 3, and 2 is known"),
        (lambda report: report.pop("SchemaVersion"), "the report cannot be read"),
        (lambda report: report.update(SchemaVersion="2"), "the report cannot be read"),
        (lambda report: report.update(ArtifactType="filesystem"), "not of an image"),
        (lambda report: report.pop("Metadata"), "the report cannot be read"),
        (lambda report: report["Metadata"].update(ImageID="sha256:0"), "the report is of the image sha256:0"),
        (lambda report: report["Metadata"]["DiffIDs"].pop(), "the report is of the image"),
        (lambda report: report["Metadata"].pop("OS"), "did not recognise the operating system"),
        (lambda report: report["Metadata"].update(OS={"Family": "none"}), "did not recognise the operating system"),
        (lambda report: report.update(Results=[]), "found nothing wrong with the canary"),
        (lambda report: report.pop("Results"), "found nothing wrong with the canary"),
        (no_canary("os-pkgs"), "found nothing wrong with the canary: source package openssl"),
        (no_canary("python-pkg"), "found nothing wrong with the canary: requests 2.19.0"),
        (lambda report: results(report, "os-pkgs")["Packages"].pop(0), "lists 3 Debian packages where the lock has 4: it misses"),
        (lambda report: results(report, "os-pkgs")["Packages"][0].update(Version="9"), "it misses base-files 1.0-1, it has base-files 9-1"),
        (lambda report: results(report, "python-pkg")["Packages"].pop(0), "lists 3 distributions where the lock has 4"),
        (
            lambda report: results(report, "python-pkg")["Packages"].append(
                {**results(report, "python-pkg")["Packages"][0], "Name": "evil"}
            ),
            "it has evil 1.0",
        ),
        (lambda report: results(report, "os-pkgs").update(ExperimentalModifiedFindings=[{}]), "left out findings by rules of its own"),
        (lambda report: results(report, "os-pkgs")["Vulnerabilities"][0].update(PkgIdentifier={}), "has no package URL"),
    ],
)  # fmt: skip
def test_a_report_that_something_is_wrong_with_is_not_scanned(
    target: ScanTarget, report: dict[str, Any], change: Change, told: str
) -> None:
    changed = json.loads(json.dumps(report))
    change(changed)
    with pytest.raises(ScanError) as caught:
        lied(target, json.dumps(changed).encode())
    assert told in str(caught.value)


def test_a_report_that_is_cut_off_anywhere_is_not_scanned(target: ScanTarget, report: dict[str, Any]) -> None:
    data = json.dumps(report).encode()
    for length in {0, 1, 2, *range(3, len(data), len(data) // 40)}:
        with pytest.raises(ScanError):
            lied(target, data[:length])


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (b"", "wrote no report"),
        (b" \n", "wrote no report"),
        (b"null", "cannot be read"),
        (b"\xff\xfe", "cannot be read"),
        (b'{"SchemaVersion": 2, "Results": ' + b"[" * 100_000, "nested too deep"),
    ],
)
def test_what_is_no_report_is_not_scanned(data: bytes, told: str) -> None:
    with pytest.raises(ScanError, match=told):
        parse_report(data)


@pytest.mark.parametrize("known", [NOTHING, Advisories(debian=CANARY.debian), Advisories(pip=CANARY.pip)])
def test_a_database_that_does_not_know_the_canaries_is_not_scanned(target: ScanTarget, known: Advisories) -> None:
    with pytest.raises(ScanError, match="found nothing wrong with the canary"):
        scan_image(target, tools_of(FakeScanner(known=known)))


def test_an_image_whose_system_is_hidden_is_not_scanned(tmp_path: Path) -> None:
    hidden = make_scan_project(tmp_path, make_scan_world(tmp_path / "world", system=False))
    with pytest.raises(ScanError, match="did not recognise the operating system"):
        scan_image(hidden.target(), tools_of(FakeScanner(known=PLANTED)))


def test_an_image_that_another_lock_is_held_against_is_not_scanned(target: ScanTarget) -> None:
    lock = replace(target.lock, candidates=target.lock.candidates[:-1])
    with pytest.raises(ScanError, match=r"lists 4 distributions where the lock has 3: it has requests 2\.19\.0"):
        scan_image(replace(target, lock=lock), tools_of(FakeScanner(known=PLANTED)))


def test_findings_are_typed_and_the_canarys_are_left_out(target: ScanTarget) -> None:
    scan = scan_image(target, tools_of(FakeScanner(known=PLANTED)))
    assert scan.result == "findings"
    told = [(one.id, one.subject.kind, one.subject.name, one.severity, one.belongs.part) for one in scan.found.findings]
    assert told == [
        ("CVE-2099-0001", Kind.DEB, "libssl3t64", Severity.CRITICAL, Part.BASE),
        ("CVE-2018-18074", Kind.DISTRIBUTION, "requests", Severity.HIGH, Part.OWN),
        ("CVE-2099-0003", Kind.DISTRIBUTION, "beta", Severity.MEDIUM, Part.OWN),
        ("CVE-2099-0002", Kind.DEB, "libssl3t64", Severity.LOW, Part.BASE),
    ]
    openssl, requests, beta, unfixed = scan.found.findings
    assert openssl.platforms == ("linux/amd64", "linux/arm64")
    assert openssl.subject.purl == "pkg:deb/debian/libssl3t64@3.5.1-1"
    assert requests.belongs.chain == ("stack:tiny", "alpha", "requests")
    assert requests.belongs.owners == ("team:tiny",)
    assert beta.fixed_in == ("2.1", "3.0.1")
    assert (unfixed.fixed_in, unfixed.fix.state) == ((), FixState.NONE)


def test_platforms_are_joined_by_the_worse_of_two(tmp_path: Path) -> None:
    project = make_scan_project(tmp_path)
    one = scan_image(
        target_of(project.world, project.layout),
        tools_of(FakeScanner(known=PLANTED)),
        platforms=[project.world.stack.platforms[1]],
    )
    assert {found.platforms for found in one.found.findings} == {("linux/arm64",)}
    assert [part.platform for part in one.found.parts] == ["linux/arm64"]


def test_the_canary_changes_nothing_of_the_image(target: ScanTarget) -> None:
    image: PlatformImage = target.platforms[0]
    canary = make_canary(shipped_canaries())
    seen = put_on_top(image, canary)
    assert seen.diff_ids[:-1] == tuple(str(diff_id) for diff_id in image.config.diff_ids)
    assert seen.diff_ids[-1] == str(canary.diff_id)
    assert put_on_top(image, make_canary(shipped_canaries())) == seen


def test_the_program_says_its_version() -> None:
    assert parse_version(b'{"Version":"v0.70.0","VulnerabilityDB":{}}') == "0.70.0"
    for data in (b"", b"Version: 1", b"{}", b'{"Version": 1}'):
        with pytest.raises(ScanError, match="does not say its version"):
            parse_version(data)
