"""Bills of materials say what scanners find in the built images, and scanners and validators read them.

What a scanner finds that no bill lists stands below with the reason; a reason that is needed no more fails.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import pytest

from builder.image.layout_reader import FolderLayout
from builder.lock.model import PlannedLayer, StackLock
from builder.lock.pylock import dump_stack_lock
from builder.oci.layout import PlatformImage, parse_layout
from builder.platform import PLATFORMS
from builder.resolve.user_settings import load_index_settings
from builder.sbom.make import Form
from builder.usecase.build import BuildRequest, Locks, build, load_locks
from builder.usecase.fetch import FetchScope, fetch
from builder.usecase.locked_image import LockedImageOf, identity_of
from builder.usecase.sbom import make_bill
from builder.wiring.bills import make_fact_tools
from builder.wiring.fetching import make_fetch_sources
from builder.wiring.images import build_tools
from builder.wiring.stores import make_file_store, make_transport
from tests.conftest import Build
from tests.support.bills import check_cyclonedx, check_spdx, iter_components, properties_of
from tests.support.core_image import base_lock, stack_lock
from tests.support.scanners import (
    SyftScan,
    name_of,
    names_of,
    one_platform,
    packages_read_by_trivy,
    read_by_syft,
    read_by_trivy,
    scan_by_syft,
    scan_by_trivy,
)
from tests.support.tools import ROOT, require_tool

pytestmark = [pytest.mark.network, pytest.mark.tools, pytest.mark.slow]
AMD64 = PLATFORMS["linux/amd64"]
CARRYING: Final = (
    "cryptography", "distlib", "filelock", "platformdirs", "psycopg-binary", "ray", "ruamel-yaml", "setuptools", "virtualenv",
)  # fmt: skip
"""Projects of the stack gcp that carry others: archives, wheels, copies, crates, libraries of CentOS."""
WISH: Final = "a name without a version in a wheel's own bill: a wish and no content"
EXCEPTIONS: Final[Mapping[str, Mapping[str, str]]] = {
    "carrying": {
        "pkg:maven/ray_dist/ray_dist": "the archive's own file name: nothing in it says group or version",
        "pkg:nuget/Simple%20Launcher@1.1.0.14": "launchers for Windows in distlib, taken for .NET by their resources",
        "pkg:pypi/distlib": WISH,
        "pkg:pypi/filelock": WISH,
        "pkg:pypi/packaging": WISH,
        "pkg:pypi/platformdirs": WISH,
        "pkg:pypi/python-discovery": WISH,
        "pkg:pypi/typing-extensions": WISH,
    }
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One platform of an image: what scanners find in it, and its bills."""

    name: str
    image: PlatformImage
    syft: SyftScan
    trivy: tuple[Mapping[str, Any], ...]
    bills: Mapping[Form, Path]

    @property
    def bill(self) -> dict[str, Any]:
        """The one in CycloneDX."""
        found: dict[str, Any] = json.loads(self.bills[Form.CYCLONEDX].read_bytes())
        return found

    @property
    def purls(self) -> set[str]:
        """What it lists, at any depth."""
        return {component["purl"] for component in iter_components(self.bill) if "purl" in component}

    @property
    def trivy_purls(self) -> set[str]:
        """What Trivy lists."""
        return {package["Identifier"]["PURL"] for package in self.trivy}

    @property
    def syft_purls(self) -> set[str]:
        """What syft lists."""
        return {item["purl"] for item in self.syft.found}


@pytest.fixture(scope="module", params=["core-arm64", "legacy-amd64", "carrying-amd64"])
def case(request: pytest.FixtureRequest, build_stack: Build, tmp_path_factory: pytest.TempPathFactory) -> Case:
    """Build, scan, and make bills of the very image."""
    require_tool("syft")
    require_tool("trivy")
    stack, _, architecture = request.param.partition("-")
    folder = tmp_path_factory.mktemp(request.param)
    if stack == "carrying":
        locks, layout = _build_carrying(folder)
    else:
        locks, layout = load_locks(ROOT / "locks", stack), build_stack(stack, "zstd").folder
    platform = PLATFORMS[f"linux/{architecture}"]
    read = parse_layout(FolderLayout(layout))
    image = next(one for one in read.platforms if one.platform == platform)
    known = LockedImageOf(locks=locks, images={platform: identity_of(image, index=None)})
    bills = {form: folder / f"bill.{form}.json" for form in Form}
    for form, path in bills.items():
        path.write_bytes(make_bill(known, platform, form, make_fact_tools(2)))
    single = one_platform(layout, image, tmp_path_factory.mktemp("single"))
    return Case(
        name=stack,
        image=image,
        syft=scan_by_syft(single, architecture),
        trivy=scan_by_trivy(single),
        bills=bills,
    )


def _build_carrying(folder: Path) -> tuple[Locks, Path]:
    """Build a stack of those projects alone, as gcp has them locked."""
    gcp = stack_lock("gcp")
    held = tuple(
        replace(one, wheels={AMD64.name: one.wheels[AMD64.name]})
        for one in gcp.candidates_for(AMD64)
        if one.project in CARRYING
    )
    assert tuple(one.project for one in held) == CARRYING
    lock = _alone(replace(gcp, stack="carrying", parents=(), parent_lock=None, platforms=(AMD64,), candidates=held))
    (folder / "locks/files").mkdir(parents=True)
    (folder / "locks/pylock.carrying.toml").write_bytes(dump_stack_lock(lock))
    (folder / "locks/base.trixie.toml").write_bytes((ROOT / "locks/base.trixie.toml").read_bytes())
    settings = load_index_settings()
    fetch(
        FetchScope(locks=((lock, base_lock("trixie")),), platforms=(AMD64,)),
        make_file_store(),
        make_fetch_sources(settings),
        lambda: make_transport(settings),
        folder / "locks/files",
        progress=lambda _: nullcontext(lambda _: None),
    )
    request = BuildRequest(stack="carrying", locks=folder / "locks", output=folder / "image")
    build(request, build_tools(2))
    return load_locks(folder / "locks", "carrying"), folder / "image"


def _alone(lock: StackLock) -> StackLock:
    projects = tuple(one.project for one in lock.candidates)
    return replace(
        lock,
        candidates=tuple(
            replace(one, dependencies=tuple(name for name in one.dependencies if name in projects))
            for one in lock.candidates
        ),
        plan=(PlannedLayer(name="carrying-one", stack="carrying", projects=projects),),
        files=(),
        divergences=(),
    )


def test_debs_are_syfts_purls_to_the_letter(case: Case) -> None:
    ours = {purl for purl in case.purls if purl.startswith("pkg:deb/")}
    assert ours == {purl for purl in case.syft_purls if purl.startswith("pkg:deb/")}
    assert len(ours) > 40


def test_debs_and_distributions_are_those_that_trivy_finds(case: Case) -> None:
    ours = {name for name in names_of(case.purls) if name[0] == "deb"}
    assert ours == {name for name in names_of(case.trivy_purls) if name[0] == "deb"}
    installed = {
        name_of(one["purl"])
        for one in iter_components(case.bill)
        if "airflow-kubler:wanted-by" in {row["name"] for row in one.get("properties", ())}
    }
    assert installed <= names_of(case.trivy_purls) & names_of(case.syft_purls)


@pytest.mark.parametrize("scanner", ["syft", "trivy"])
def test_all_that_a_scanner_finds_is_listed_but_for_reasons(case: Case, scanner: str) -> None:
    found = names_of(case.syft_purls if scanner == "syft" else case.trivy_purls)
    assert found - names_of(case.purls) <= names_of(EXCEPTIONS.get(case.name, {}))


def test_no_reason_is_left_that_is_not_needed(case: Case) -> None:
    found = names_of(case.syft_purls | case.trivy_purls) - names_of(case.purls)
    assert found == names_of(EXCEPTIONS.get(case.name, {}))


def test_what_is_listed_and_not_found_lies_inside_a_distribution(case: Case) -> None:
    inside = {one["purl"] for one in iter_components(case.bill) if "airflow-kubler:inside" in properties_once(one)}
    python = f"pkg:generic/python@{properties_of(case.bill['metadata'])['airflow-kubler:python-version']}"
    more = names_of(case.purls) - names_of(case.syft_purls | case.trivy_purls)
    assert more - names_of(inside) == {name_of(python)}


def properties_once(component: dict[str, Any]) -> set[str]:
    return {row["name"] for row in component.get("properties", ())}


def test_layers_are_those_in_which_trivy_finds_it(case: Case) -> None:
    # Several may carry the same: then Trivy tells of one of them.
    ours: dict[tuple[str, ...], set[str]] = {}
    for component in iter_components(case.bill):
        said = {row["name"]: row["value"] for row in component.get("properties", ())}
        if "purl" in component and "airflow-kubler:layer-diff-id" in said:
            ours.setdefault(name_of(component["purl"]), set()).add(said["airflow-kubler:layer-diff-id"])
    known = [package for package in case.trivy if name_of(package["Identifier"]["PURL"]) in ours]
    assert len(known) > 50
    for package in known:
        assert package["Layer"]["DiffID"] in ours[name_of(package["Identifier"]["PURL"])], package["Name"]
    diff_ids = {str(diff_id) for diff_id in case.image.config.diff_ids}
    assert {diff_id for found in ours.values() for diff_id in found} <= diff_ids


@pytest.mark.parametrize("form", list(Form))
def test_trivy_reads_the_bill_as_it_reads_the_image(case: Case, form: Form) -> None:
    read = packages_read_by_trivy(case.bills[form])
    of_system = {"deb"}
    assert {
        name_of(one["Identifier"]["PURL"]) for one in read if name_of(one["Identifier"]["PURL"])[0] in of_system
    } == {name for name in names_of(case.trivy_purls) if name[0] in of_system}
    pypi = {name for name in names_of(one["Identifier"]["PURL"] for one in read) if name[0] == "pypi"}
    assert {name for name in names_of(case.trivy_purls) if name[0] == "pypi" and name[3]} <= pypi
    system = read_by_trivy(case.bills[form])["Metadata"]["OS"]
    assert system["Family"] == "debian"
    assert system["Name"].partition(".")[0] == case.syft.distro["versionID"]


def test_trivy_reads_the_same_sources_of_debs_in_bill_and_image(case: Case) -> None:
    # By source Debian publishes what is wrong with a package.
    parts = ("SrcName", "SrcVersion", "SrcRelease", "SrcEpoch")

    def sources(packages: tuple[Mapping[str, Any], ...]) -> dict[str, tuple[Any, ...]]:
        return {
            one["Name"]: tuple(one.get(part) for part in parts)
            for one in packages
            if one["Identifier"]["PURL"].startswith("pkg:deb/")
        }

    assert sources(packages_read_by_trivy(case.bills[Form.CYCLONEDX])) == sources(case.trivy)


@pytest.mark.parametrize("form", list(Form))
def test_syft_reads_the_bill_as_it_reads_the_image(case: Case, form: Form) -> None:
    kinds = ("deb", "pypi", "npm")
    read = names_of(item["purl"] for item in read_by_syft(case.bills[form]) if item["purl"])
    wanted = names_of(case.syft_purls) - names_of(EXCEPTIONS.get(case.name, {}))
    assert {name for name in wanted if name[0] in kinds} <= read
    assert {name for name in read if name[0] == "deb"} == {name for name in wanted if name[0] == "deb"}


def test_spdxs_own_tools_accept_the_bill(case: Case, tmp_path: Path) -> None:
    check_spdx(case.bills[Form.SPDX].read_bytes(), tmp_path)


def test_the_strict_schema_of_cyclonedx_accepts_the_bill(case: Case) -> None:
    check_cyclonedx(case.bills[Form.CYCLONEDX].read_bytes())
