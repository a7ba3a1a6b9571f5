from __future__ import annotations

import pytest
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

from builder.platform import AMD64, ARM64, Platform
from builder.resolve.releases import Catalogue, FaultKind, allowed
from tests.support.small_universe import Universe
from tests.support.synthetic_offers import SyntheticOffers

UNIVERSE: Universe = {
    "alpha": {"1.0": [], "1.1": [], "2.0": [], "3.0rc1": []},
    "native": {"1.0": []},
    "wants": {
        "1.0": ["alpha>=1", 'beta; sys_platform == "win32"', 'gamma; extra == "more"', "broken requirement line !"],
    },
}


def catalogue(offers: SyntheticOffers, platform: Platform = AMD64) -> Catalogue:
    return Catalogue(offers, python_version="3.13.5", glibc="2.41", platform=platform)


def fault(offers: SyntheticOffers, text: str, near: str = "") -> tuple[FaultKind, str] | None:
    found = catalogue(offers).fault_of(Requirement(text), near)
    return (found.kind, found.text) if found else None


def test_what_can_be_had_has_no_fault() -> None:
    assert fault(SyntheticOffers(UNIVERSE), "alpha~=1.0") is None


@pytest.mark.parametrize(
    ("text", "near", "kind", "said"),
    [
        ("alpah", "alpha", FaultKind.UNKNOWN, "no index has a project alpah (did you mean alpha?)"),
        ("alpah", "", FaultKind.UNKNOWN, "no index has a project alpah"),
        ("alpha>=9", "", FaultKind.VERSION, "there is no alpha >=9: the newest are 2.0, 1.1, 1.0"),
    ],
    ids=["misspelt", "unknown", "no-such-version"],
)
def test_a_name_or_version_that_is_not_there(text: str, near: str, kind: FaultKind, said: str) -> None:
    assert fault(SyntheticOffers(UNIVERSE), text, near) == (kind, said)


@pytest.mark.parametrize(
    ("rule", "detail", "kind", "said"),
    [
        ("yanked", "breaks", FaultKind.HELD_BACK, "late 2.0 was yanked: breaks; 1 other release is held back too"),
        ("cooldown", "uploaded 2026-11-20", FaultKind.HELD_BACK, "late 2.0 is held back by the cool-down"),
        ("as-of", "uploaded 2026-11-20", FaultKind.HELD_BACK, "late 2.0 is held back by as-of"),
        ("quarantined", "malware", FaultKind.QUARANTINED, "late is quarantined on its index: malware"),
        ("sdist", "", FaultKind.HELD_BACK, "late 2.0 has no wheel, and building is switched off"),
    ],
)
def test_a_rule_that_holds_all_releases_back_is_named(rule: str, detail: str, kind: FaultKind, said: str) -> None:
    offers = SyntheticOffers(UNIVERSE, dropped={"late": [("1.0", rule, detail), ("2.0", rule, detail)]})
    found = fault(offers, "late")
    assert found is not None
    assert found[0] is kind
    assert found[1].startswith(said)


def test_a_release_for_another_python_says_which() -> None:
    offers = SyntheticOffers(UNIVERSE, python={("native", "1.0"): "<3.13"})
    assert fault(offers, "native") == (FaultKind.PYTHON, "native 1.0 needs Python <3.13; the base has 3.13.5")


def test_the_patch_version_of_python_counts() -> None:
    offers = SyntheticOffers(UNIVERSE, python={("native", "1.0"): ">=3.13.6"})
    assert fault(offers, "native") is not None


def test_a_release_without_a_fitting_wheel_says_what_there_is() -> None:
    offers = SyntheticOffers(UNIVERSE, tags={("native", "1.0"): "cp313-cp313-manylinux_2_28_x86_64"})
    assert fault(offers, "native") is None
    found = catalogue(offers, ARM64).fault_of(Requirement("native"))
    assert found is not None
    assert found.text == (
        "native 1.0 has no wheel for Python 3.13.5 and glibc 2.41 on linux/arm64, only for cp313 (manylinux_2_28_x86_64)"
    )


def test_requirements_are_read_for_platform_and_extras_and_broken_lines_left_out() -> None:
    reader = catalogue(SyntheticOffers(UNIVERSE))
    assert [str(need) for need in reader.requires("wants", "1.0")] == ["alpha>=1"]
    assert [need.name for need in reader.requires("wants", "1.0", ["more"])] == ["alpha", "gamma"]


def test_metadata_is_read_once() -> None:
    offers = SyntheticOffers(UNIVERSE)
    reader = catalogue(offers)
    reader.requires("wants", "1.0")
    reader.requires("wants", "1.0", ["more"])
    assert offers.read == ["wants-1.0-py3-none-any.whl"]


@pytest.mark.parametrize(
    ("specifier", "found"),
    [("", ("2.0", "1.1")), (">2.0", ("3.0rc1",)), (">=3.0rc1", ("3.0rc1",)), ("<1", ())],
)
def test_pre_releases_are_taken_only_where_asked_for_or_nothing_else_is_there(
    specifier: str, found: tuple[str, ...]
) -> None:
    assert allowed(SpecifierSet(specifier), ("3.0rc1", "2.0", "1.1")) == found
