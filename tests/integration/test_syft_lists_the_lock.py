"""A scanner sees in the image exactly the debs and the distributions of the lock, each once.

What syft finds beside them lies inside a distribution: copies of other projects that it vendors, as setuptools does, and
package.json files. A distribution of the lock is told from a vendored one by its place: its dist-info lies directly in
site-packages.
"""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from packaging.utils import canonicalize_name

from builder.platform import PLATFORMS
from tests.conftest import Built
from tests.support.core_image import SITE, base_lock, stack_lock
from tests.support.scanners import SyftScan, one_platform, scan_by_syft
from tests.support.tools import require_tool

pytestmark = [pytest.mark.network, pytest.mark.tools, pytest.mark.slow]


@pytest.fixture(scope="session")
def syft() -> str:
    """The scanner, looked for before anything is built for it."""
    return require_tool("syft")


@pytest.fixture(scope="module", params=["amd64", "arm64"])
def scan(request: pytest.FixtureRequest, syft: str, core: Built, tmp_path_factory: pytest.TempPathFactory) -> SyftScan:
    """Scan one platform of core."""
    assert syft
    folder = one_platform(core.folder, core.platform(request.param), tmp_path_factory.mktemp(request.param))
    return scan_by_syft(folder, request.param)


def test_debs_are_those_of_the_lock(scan: SyftScan) -> None:
    found = [(item["name"], item["version"]) for item in scan.found if item["type"] == "deb"]
    platform = PLATFORMS[f"linux/{scan.architecture}"]
    debs = base_lock(stack_lock("core").base).debs
    assert sorted(found) == sorted((deb.package, deb.version) for deb in debs if platform in deb.platforms)


def test_distributions_are_those_of_the_lock(scan: SyftScan) -> None:
    lock = stack_lock("core")
    found = [
        (canonicalize_name(item["name"]), item["version"])
        for item in scan.found
        if item["type"] == "python" and _is_installed(scan.places(item), lock.python_version)
    ]
    candidates = lock.candidates_for(PLATFORMS[f"linux/{scan.architecture}"])
    assert sorted(found) == sorted((candidate.project, candidate.version) for candidate in candidates)


def test_whatever_else_is_found_lies_inside_a_distribution(scan: SyftScan) -> None:
    site = _site(stack_lock("core").python_version)
    others = [path for item in scan.found if item["type"] != "deb" for path in scan.places(item)]
    assert [path for path in others if not path.startswith(site)] == []


def test_the_release_of_debian_is_known(scan: SyftScan) -> None:
    assert (scan.distro["id"], scan.distro["versionID"]) == ("debian", "13")


def _is_installed(places: Sequence[str], python_version: str) -> bool:
    site = _site(python_version)
    names = [path.removeprefix(site) for path in places if path.startswith(site) and path.endswith("/METADATA")]
    return any(name.count("/") == 1 for name in names)


def _site(python_version: str) -> str:
    return SITE.format(python=python_version.rpartition(".")[0])
