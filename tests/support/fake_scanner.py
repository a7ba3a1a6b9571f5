"""A scanner of the tests' own: it reads layers and says what Trivy would, in Trivy's form, by knowledge that it is given.

It shares no code with what is tested: layers are read by tarfile, versions compared by packaging and python-debian.
"""

from __future__ import annotations

import gzip
import io
import json
import re
import tarfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import zstandard
from debian.debian_support import version_compare
from packaging.specifiers import SpecifierSet

from builder.digest import Digest
from builder.scan.canary import ScanImage
from builder.scan.trivy import Identity
from tests.support.advisories import Advisories, Advisory

FAKE = Identity(name="trivy", version="0.99.0", sha256=Digest.of(b"fake"), isolated=True)
_STATUS = "var/lib/dpkg/status.d/"


@dataclass(frozen=True, slots=True, kw_only=True)
class FakeScanner:
    """Scans for real, in a small way."""

    known: Advisories
    identity: Identity = FAKE

    def scan(self, image: ScanImage, layout: Path) -> bytes:
        """Scan one platform of an image."""
        return json.dumps(self.report(image, layout)).encode()

    def report(self, image: ScanImage, layout: Path) -> dict[str, Any]:
        """Make the report, as values."""
        files = list(_iter_files(image, layout))
        system = next((data.decode().strip() for path, _, data in files if path == "etc/debian_version"), "")
        debs = [_deb(layer, data.decode()) for path, layer, data in files if _is_status(path)] if system else []
        pythons = [
            _distribution(layer, path, data.decode())
            for path, layer, data in files
            if path.endswith(".dist-info/METADATA")
        ]
        results = []
        if debs:
            weak = [row for deb in debs for one in self.known.debian if (row := _weak_deb(deb, one))]
            results.append({"Target": "debian", "Class": "os-pkgs", "Type": "debian", "Packages": debs, **_some(weak)})
        weak = [row for python in pythons for one in self.known.pip if (row := _weak_python(python, one))]
        results.append(
            {"Target": "Python", "Class": "lang-pkgs", "Type": "python-pkg", "Packages": pythons, **_some(weak)}
        )
        return {
            "SchemaVersion": 2,
            "ArtifactType": "container_image",
            "Metadata": {
                "OS": {"Family": "debian", "Name": system} if system else {"Family": "none"},
                "ImageID": str(image.image_id),
                "DiffIDs": list(image.diff_ids),
            },
            "Results": results,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class LyingScanner:
    """Says what it is told to, whatever it scans."""

    data: bytes
    identity: Identity = FAKE

    def scan(self, image: ScanImage, layout: Path) -> bytes:
        """Say it."""
        del image, layout
        return self.data


def _some(weak: list[dict[str, Any]]) -> Mapping[str, Any]:
    """Leave empty lists out, as Trivy does."""
    return {"Vulnerabilities": weak} if weak else {}


def _iter_files(image: ScanImage, layout: Path) -> Iterator[tuple[str, str, bytes]]:
    """Read what is looked at of each layer: path, diff_id, content."""
    index = json.loads(image.files["index.json"])
    manifest = json.loads(_blob(image, layout, index["manifests"][0]["digest"]))
    for layer, diff_id in zip(manifest["layers"], image.diff_ids, strict=True):
        with tarfile.open(fileobj=io.BytesIO(_inflate(_blob(image, layout, layer["digest"])))) as archive:
            for member in archive:
                content = archive.extractfile(member) if member.isreg() else None
                if content is not None and (_is_looked_at(member.name)):
                    yield member.name, diff_id, content.read()


def _blob(image: ScanImage, layout: Path, digest: str) -> bytes:
    path = f"blobs/sha256/{digest.removeprefix('sha256:')}"
    return image.files.get(path) or (layout / path).read_bytes()


def _inflate(data: bytes) -> bytes:
    if data.startswith(zstandard.FRAME_HEADER):
        return zstandard.ZstdDecompressor().stream_reader(data, read_across_frames=True).read()
    return gzip.decompress(data) if data.startswith(b"\x1f\x8b") else data


def _is_looked_at(path: str) -> bool:
    return path == "etc/debian_version" or _is_status(path) or path.endswith(".dist-info/METADATA")


def _is_status(path: str) -> bool:
    return path.startswith(_STATUS) and not path.endswith(".md5sums")


def _fields(text: str) -> dict[str, str]:
    return dict(re.findall(r"^([A-Za-z-]+): (.*)$", text, re.MULTILINE))


def _deb(layer: str, text: str) -> dict[str, Any]:
    fields = _fields(text)
    source, _, version = fields.get("Source", fields["Package"]).partition(" ")
    upstream, _, revision = fields["Version"].rpartition("-")
    epoch, colon, rest = upstream.rpartition(":")
    return {
        "Name": fields["Package"],
        "Version": rest if colon else upstream,
        "Release": revision,
        "Epoch": int(epoch or 0),
        "SrcName": source,
        "_source": version.strip("()") or fields["Version"],
        "Identifier": {"PURL": f"pkg:deb/debian/{fields['Package']}@{rest if colon else upstream}-{revision}?arch=all"},
        "Layer": {"DiffID": layer},
    }


def _distribution(layer: str, path: str, text: str) -> dict[str, Any]:
    fields = _fields(text)
    purl = f"pkg:pypi/{fields['Name'].lower()}@{fields['Version']}"
    return {
        "Name": fields["Name"],
        "Version": fields["Version"],
        "FilePath": path,
        "Identifier": {"PURL": purl},
        "Layer": {"DiffID": layer},
    }


def _weak_deb(deb: Mapping[str, Any], one: Advisory) -> dict[str, Any] | None:
    if deb["SrcName"] != one.name or (one.fixed and version_compare(deb["_source"], one.fixed[0]) >= 0):
        return None
    return _weakness(deb, one)


def _weak_python(python: Mapping[str, Any], one: Advisory) -> dict[str, Any] | None:
    if python["Name"].lower() != one.name or not SpecifierSet(one.below).contains(python["Version"]):
        return None
    return _weakness(python, one) | {"PkgPath": python["FilePath"]}


def _weakness(package: Mapping[str, Any], one: Advisory) -> dict[str, Any]:
    release = f"-{package['Release']}" if package.get("Release") else ""
    return {
        "VulnerabilityID": one.id,
        "PkgName": package["Name"],
        "PkgIdentifier": package["Identifier"],
        "InstalledVersion": f"{package['Version']}{release}",
        "FixedVersion": ", ".join(one.fixed),
        "Status": "fixed" if one.fixed else "affected",
        "Severity": one.severity,
        "Title": one.title,
        "Layer": package["Layer"],
    }
