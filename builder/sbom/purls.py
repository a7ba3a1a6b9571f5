"""Package URLs, as scanners write them.

Source: package-url specification; its types deb, pypi, oci, generic.
"""

from __future__ import annotations

from packageurl import PackageURL

from builder.digest import Digest
from builder.sbom.facts import DebFacts, SystemFacts

OPERATING_SYSTEM_TYPES = frozenset({"alpm", "apk", "deb", "rpm"})
"""Types of packages that belong to a whole system."""


def pypi_purl(project: str, version: str) -> str:
    """Name a distribution.

    >>> pypi_purl("ruamel-yaml", "0.19.1")
    'pkg:pypi/ruamel-yaml@0.19.1'
    """
    return PackageURL(type="pypi", name=project, version=version).to_string()


def deb_purl(deb: DebFacts, system: SystemFacts | None) -> str:
    """Name a Debian package; its source where that has another name or version.

    Returns:
        As `pkg:deb/debian/bash@5.2.37-2%2Bb10?arch=amd64&distro=debian-13&upstream=bash%405.2.37-2`.
    """
    qualifiers = {"arch": deb.architecture} if deb.architecture else {}
    if system is not None:
        qualifiers["distro"] = f"{system.id}-{system.version_id}"
    if deb.source_version != deb.version:
        qualifiers["upstream"] = f"{deb.source}@{deb.source_version}"
    elif deb.source != deb.package:
        qualifiers["upstream"] = deb.source
    vendor = system.id if system is not None else "debian"
    return PackageURL(
        type="deb", namespace=vendor, name=deb.package, version=deb.version, qualifiers=qualifiers
    ).to_string()


def python_purl(version: str) -> str:
    """Name the interpreter."""
    return PackageURL(type="generic", name="python", version=version).to_string()


def image_purl(name: str, digest: Digest, architecture: str) -> str:
    """Name an image by the digest of one platform's manifest; no registry, since it may lie in several."""
    return PackageURL(type="oci", name=name, version=str(digest), qualifiers={"arch": architecture}).to_string()


def outside_purl(kind: str, namespace: str, name: str, version: str) -> str:
    """Name a package by words from outside; empty where they are no words."""
    words = [name, version, *([namespace] if namespace else [])]
    if not all(word.isprintable() and word == word.strip() and word for word in words):
        return ""
    try:
        made = PackageURL(type=kind, namespace=namespace or None, name=name, version=version).to_string()
    except ValueError:
        return ""
    return made if parse_purl(made) is not None else ""


def parse_purl(text: str) -> PackageURL | None:
    """Read a purl from outside; None where it is none, or says no version."""
    if len(text) > 1000 or not text.isprintable():
        return None
    try:
        found = PackageURL.from_string(text)
    except ValueError:
        return None
    return found if found.version and found.name else None
