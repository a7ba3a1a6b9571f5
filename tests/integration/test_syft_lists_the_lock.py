"""A scanner sees in the image exactly the debs and the distributions of the lock, each once.

What syft finds beside them lies inside a distribution: copies of other projects that it vendors, as setuptools does, and
package.json files. A distribution of the lock is told from a vendored one by its place: its dist-info lies directly in
site-packages.
"""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from packaging.utils import canonicalize_name

from builder.oci.index import Index, dump_index
from builder.oci.layout import INDEX_FILE, LAYOUT_BYTES, LAYOUT_FILE
from builder.platform import PLATFORMS
from tests.conftest import Built
from tests.support.core_image import SITE, base_lock, stack_lock
from tests.support.tools import require_tool

pytestmark = [pytest.mark.network, pytest.mark.tools, pytest.mark.slow]


@dataclass(frozen=True, slots=True, kw_only=True)
class Scan:
    """One platform of the image, as syft sees it."""

    architecture: str
    found: Sequence[Mapping[str, Any]]
    distro: Mapping[str, Any]

    def places(self, item: Mapping[str, Any]) -> list[str]:
        """Where an item was seen, without the leading slash."""
        return [place["path"].removeprefix("/") for place in item["locations"]]


@pytest.fixture(scope="session")
def syft() -> str:
    """The scanner, looked for before anything is built for it."""
    return require_tool("syft")


@pytest.fixture(scope="module", params=["amd64", "arm64"])
def scan(request: pytest.FixtureRequest, syft: str, core: Built, tmp_path_factory: pytest.TempPathFactory) -> Scan:
    """Scan one platform of core."""
    folder = _one_platform(core, request.param, tmp_path_factory.mktemp(request.param))
    env = {"PATH": os.defpath, "HOME": str(folder), "SYFT_CHECK_FOR_APP_UPDATE": "false"}
    done = subprocess.run(
        [syft, "scan", f"oci-dir:{folder}", "--output", "json"], capture_output=True, text=True, env=env, check=False
    )
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    return Scan(architecture=request.param, found=told["artifacts"], distro=told["distro"])


def _one_platform(built: Built, architecture: str, folder: Path) -> Path:
    """Make a layout that names one platform's manifest: syft 1.18 reads no image index from a folder."""
    (folder / "blobs").symlink_to(built.folder / "blobs")
    (folder / LAYOUT_FILE).write_bytes(LAYOUT_BYTES)
    (folder / INDEX_FILE).write_bytes(dump_index(Index(manifests=(built.platform(architecture).descriptor,))))
    return folder


def test_debs_are_those_of_the_lock(scan: Scan) -> None:
    found = [(item["name"], item["version"]) for item in scan.found if item["type"] == "deb"]
    platform = PLATFORMS[f"linux/{scan.architecture}"]
    debs = base_lock(stack_lock("core").base).debs
    assert sorted(found) == sorted((deb.package, deb.version) for deb in debs if platform in deb.platforms)


def test_distributions_are_those_of_the_lock(scan: Scan) -> None:
    lock = stack_lock("core")
    found = [
        (canonicalize_name(item["name"]), item["version"])
        for item in scan.found
        if item["type"] == "python" and _is_installed(scan.places(item), lock.python_version)
    ]
    candidates = lock.candidates_for(PLATFORMS[f"linux/{scan.architecture}"])
    assert sorted(found) == sorted((candidate.project, candidate.version) for candidate in candidates)


def test_whatever_else_is_found_lies_inside_a_distribution(scan: Scan) -> None:
    site = _site(stack_lock("core").python_version)
    others = [path for item in scan.found if item["type"] != "deb" for path in scan.places(item)]
    assert [path for path in others if not path.startswith(site)] == []


def test_the_release_of_debian_is_known(scan: Scan) -> None:
    assert (scan.distro["id"], scan.distro["versionID"]) == ("debian", "13")


def _is_installed(places: Sequence[str], python_version: str) -> bool:
    site = _site(python_version)
    names = [path.removeprefix(site) for path in places if path.startswith(site) and path.endswith("/METADATA")]
    return any(name.count("/") == 1 for name in names)


def _site(python_version: str) -> str:
    return SITE.format(python=python_version.rpartition(".")[0])
