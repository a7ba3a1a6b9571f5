"""What syft and Trivy find in a built image, and what they read in a bill of materials. Nothing of them asks the network."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from packageurl import PackageURL
from packaging.utils import canonicalize_name

from builder.oci.index import Index, dump_index
from builder.oci.layout import INDEX_FILE, LAYOUT_BYTES, LAYOUT_FILE, PlatformImage
from tests.support.tools import require_tool

Name = tuple[str, str, str, str, str]
"""Type, namespace, name, version with its epoch, architecture of a deb."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SyftScan:
    """One platform of an image, as syft sees it."""

    architecture: str
    found: Sequence[Mapping[str, Any]]
    distro: Mapping[str, Any]

    def places(self, item: Mapping[str, Any]) -> list[str]:
        """Where an item was seen, without the leading slash."""
        return [place["path"].removeprefix("/") for place in item["locations"]]


def one_platform(layout: Path, image: PlatformImage, folder: Path) -> Path:
    """Make a layout that names one platform's manifest: neither scanner chooses from an image index in a folder."""
    (folder / "blobs").symlink_to(layout / "blobs")
    (folder / LAYOUT_FILE).write_bytes(LAYOUT_BYTES)
    (folder / INDEX_FILE).write_bytes(dump_index(Index(manifests=(image.descriptor,))))
    return folder


def scan_by_syft(layout: Path, architecture: str) -> SyftScan:
    """Scan a layout of one platform."""
    told = json.loads(_run("syft", "scan", f"oci-dir:{layout}", "--output", "json", home=layout))
    return SyftScan(architecture=architecture, found=told["artifacts"], distro=told["distro"])


def scan_by_trivy(layout: Path) -> tuple[Mapping[str, Any], ...]:
    """List the packages that Trivy finds in a layout of one platform."""
    return _packages(_trivy("image", "--input", str(layout), home=layout))


def read_by_trivy(bill: Path) -> Mapping[str, Any]:
    """Have Trivy read a bill; gives its report."""
    return _trivy("sbom", str(bill), home=bill.parent)


def packages_read_by_trivy(bill: Path) -> tuple[Mapping[str, Any], ...]:
    """List the packages that Trivy reads in a bill."""
    return _packages(read_by_trivy(bill))


def read_by_syft(bill: Path) -> Sequence[Mapping[str, Any]]:
    """List the packages that syft reads in a bill."""
    found: Sequence[Mapping[str, Any]] = json.loads(
        _run("syft", "convert", str(bill), "--output", "json", home=bill.parent)
    )["artifacts"]
    return found


def name_of(purl: str) -> Name:
    """Take of a purl what both scanners and we agree on: epochs and names are written in several ways."""
    found = PackageURL.from_string(purl)
    qualifiers: Mapping[str, str] = found.qualifiers
    version = found.version or ""
    if "epoch" in qualifiers:
        version = f"{qualifiers['epoch']}:{version}"
    return (
        found.type,
        found.namespace or "",
        canonicalize_name(found.name) if found.type == "pypi" else found.name,
        version,
        qualifiers.get("arch", "") if found.type == "deb" else "",
    )


def names_of(purls: Iterable[str]) -> set[Name]:
    """The same of many."""
    return set(map(name_of, purls))


def _trivy(verb: str, *argv: str, home: Path) -> Mapping[str, Any]:
    # Licences need no database, as vulnerabilities do; the packages are the same.
    options = (
        "--scanners",
        "license",
        "--list-all-pkgs",
        "--skip-db-update",
        "--skip-java-db-update",
        "--offline-scan",
    )
    cache = home / "trivy-cache"
    told = _run("trivy", verb, "--quiet", *options, "--format", "json", "--cache-dir", str(cache), *argv, home=home)
    found: Mapping[str, Any] = json.loads(told)
    return found


def _packages(report: Mapping[str, Any]) -> tuple[Mapping[str, Any], ...]:
    return tuple(package for result in report.get("Results", ()) for package in result.get("Packages", ()))


def _run(tool: str, *argv: str, home: Path) -> str:
    """Run a scanner with nothing of this user's around it."""
    done = subprocess.run(
        [require_tool(tool), *argv],
        env={"PATH": os.defpath, "HOME": str(home), "SYFT_CHECK_FOR_APP_UPDATE": "false"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout
