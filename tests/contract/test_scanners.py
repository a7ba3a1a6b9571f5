"""One suite over every Scanner: the same made-up image and the same knowledge, the same findings; or why nothing is believed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import pytest

from builder.errors import ScanError
from builder.finding.model import Finding
from builder.scan.confinement import find_confinement
from builder.scan.copying import hash_file
from builder.scan.trivy import Scanner, open_trivy
from builder.usecase.scan import Scan, scan_image
from builder.usecase.scan_target import ScanTarget
from tests.support.advisories import CANARY, NOTHING, Advisories, Advisory, write_database
from tests.support.fake_scanner import FakeScanner
from tests.support.recorded import change_deb
from tests.support.scan_world import PLANTED, ScanProject, make_scan_project, make_scan_world, tools_of
from tests.support.tools import require_tool

Open = Callable[[Advisories], Scanner]
"""Opens a scanner that knows so much."""


@pytest.fixture(params=["fake", pytest.param("trivy", marks=pytest.mark.tools)])
def open_scanner(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Open]:
    if request.param == "fake":
        yield lambda known: FakeScanner(known=known)
        return
    program = Path(require_tool("trivy")).resolve()
    with ExitStack() as later:

        def open_real(known: Advisories) -> Scanner:
            database = write_database(tmp_path / f"db-{len(list(tmp_path.iterdir()))}", known)
            sha256 = hash_file(database / "trivy.db")
            confinement, _ = find_confinement()
            return later.enter_context(open_trivy(program, database, sha256, confinement, scratch=tmp_path / "scratch"))

        yield open_real


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> ScanProject:
    return make_scan_project(tmp_path_factory.mktemp("project"))


def scan(open_scanner: Open, target: ScanTarget, known: Advisories = PLANTED) -> Scan:
    """Scan one platform."""
    return scan_image(replace(target, platforms=target.platforms[:1]), tools_of(open_scanner(known)))


def told(finding: Finding) -> tuple[object, ...]:
    """What every scanner must say of a finding."""
    subject, belongs = finding.subject, finding.belongs
    return (
        *(finding.id, finding.severity.value, finding.fixed_in, finding.platforms),
        *(subject.kind.value, subject.name, subject.version, subject.purl),
        *(belongs.part.value, belongs.layer, belongs.stack, belongs.chain),
    )


def test_what_is_planted_is_found_and_belongs_to_somebody(open_scanner: Open, project: ScanProject) -> None:
    openssl = ("deb", "libssl3t64", "3.5.1-1", "pkg:deb/debian/libssl3t64@3.5.1-1", "base", "base", "", ())
    amd64 = ("linux/amd64",)
    assert [told(one) for one in scan(open_scanner, project.target()).found.findings] == [
        ("CVE-2099-0001", "critical", ("3.5.9-1",), amd64, *openssl),
        (
            *("CVE-2018-18074", "high", ("2.20.0",), amd64),
            *("distribution", "requests", "2.19.0", "pkg:pypi/requests@2.19.0"),
            *("own", "tiny-requests", "tiny", ("stack:tiny", "alpha", "requests")),
        ),
        (
            *("CVE-2099-0003", "medium", ("2.1", "3.0.1"), amd64),
            *("distribution", "beta", "2.0", "pkg:pypi/beta@2.0", "own", "tiny-rest", "tiny", ("beta",)),
        ),
        ("CVE-2099-0002", "low", (), amd64, *openssl),
    ]


def test_both_platforms_are_scanned(open_scanner: Open, project: ScanProject) -> None:
    found = scan_image(project.target(), tools_of(open_scanner(PLANTED))).found
    assert [(part.platform, part.debs, part.distributions) for part in found.parts] == [
        ("linux/amd64", 4, 4),
        ("linux/arm64", 4, 4),
    ]
    assert {one.platforms for one in found.findings} == {("linux/amd64", "linux/arm64")}


def test_an_image_without_weaknesses_is_clean(open_scanner: Open, project: ScanProject) -> None:
    old = Advisories(
        debian=(Advisory(id="CVE-2099-1", name="openssl", fixed=("3.0-1",)),),
        pip=(Advisory(id="CVE-2099-2", name="requests", fixed=("2.19.1",), below="<2.18"), CANARY.pip[0]),
    )
    other = replace(project.target(), name="clean")
    clean = scan(open_scanner, other, replace(old, pip=(replace(CANARY.pip[0], below="==2.19.0"),)))
    assert [one.id for one in clean.found.findings] == ["CVE-2018-18074"]


@pytest.mark.parametrize("known", [NOTHING, Advisories(debian=CANARY.debian), Advisories(pip=CANARY.pip)])
def test_knowledge_without_the_canaries_is_not_scanned(
    open_scanner: Open, project: ScanProject, known: Advisories
) -> None:
    with pytest.raises(ScanError, match="found nothing wrong with the canary"):
        scan(open_scanner, project.target(), known)


def test_a_hidden_system_is_not_scanned(open_scanner: Open, tmp_path: Path) -> None:
    hidden = make_scan_project(tmp_path, make_scan_world(tmp_path / "world", system=False))
    with pytest.raises(ScanError, match=r"did not recognise the operating system|found nothing wrong with the canary"):
        scan(open_scanner, hidden.target())


def test_an_image_of_another_lock_is_not_scanned(open_scanner: Open, tmp_path: Path) -> None:
    project = make_scan_project(tmp_path)
    target = project.target()
    newer = change_deb(project.world, "libtiny", "1.0-2")
    with pytest.raises(ScanError, match=r"it misses libtiny 1\.0-2, it has libtiny 1\.0-1"):
        scan(open_scanner, replace(target, base=newer.base))
    with pytest.raises(ScanError, match=r"the lock has 3: it has requests 2\.19\.0"):
        scan(open_scanner, replace(target, lock=replace(target.lock, candidates=target.lock.candidates[:-1])))
