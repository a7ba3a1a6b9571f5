from __future__ import annotations

import pytest

from builder.finding.model import Finding, Kind
from builder.finding.waivers import apply_waivers, is_about
from tests.support.findings import DAY, TODAY, finding, fixed, waiver

DEB = finding(name="libssl3t64", version="3.5.1-1", kind=Kind.DEB)


@pytest.mark.parametrize(
    ("product", "found", "about"),
    [
        ("pkg:pypi/requests@2.19.0", finding(), True),
        ("pkg:pypi/requests", finding(), True),
        ("pkg:pypi/requests@2.19.1", finding(), False),
        ("pkg:pypi/urllib3@2.19.0", finding(), False),
        ("pkg:deb/debian/requests@2.19.0", finding(), False),
        ("pkg:deb/debian/libssl3t64@3.5.1-1", DEB, True),
        ("pkg:deb/ubuntu/libssl3t64@3.5.1-1", DEB, False),
    ],
)
def test_a_waiver_is_about_the_package_that_it_names(product: str, found: Finding, *, about: bool) -> None:
    assert is_about(waiver(product=product), found) is about


def test_a_waiver_holds_by_any_name_of_the_weakness() -> None:
    assert apply_waivers([finding("GHSA-1", aliases=("CVE-2026-1",))], [waiver()], TODAY).waived
    assert apply_waivers([finding("GHSA-1")], [waiver(aliases=("GHSA-1",))], TODAY).waived
    assert not apply_waivers([finding("CVE-2026-2")], [waiver()], TODAY).waived


def test_of_several_the_one_that_holds_longest_counts() -> None:
    short, long = waiver(expires=TODAY - DAY), waiver(number=1, expires=TODAY + DAY)
    found = apply_waivers([finding()], [short, long], TODAY)
    assert [one for _, one in found.waived] == [long]
    assert (found.expired, found.idle) == ((), ())


def test_what_has_expired_is_left_and_told() -> None:
    over = waiver(expires=TODAY - DAY)
    found = apply_waivers([finding()], [over], TODAY)
    assert found.left == (finding(),)
    assert found.expired == ((finding(), over),)


def test_what_waives_nothing_and_what_could_be_mended_is_told() -> None:
    idle = waiver("CVE-2026-9", number=1)
    mended = finding(fix=fixed())
    found = apply_waivers([mended], [waiver(), idle], TODAY)
    assert found.idle == (idle,)
    assert found.mendable == ((mended, waiver()),)
