"""Trivy's JSON report, schema 2, read strictly where anything depends on it; fields of no concern may come and go.

A report is written by a program that read hostile bytes: sizes are bounded, kinds are checked, nothing of it is taken on trust.

Source: aquasecurity/trivy, pkg/types/report.go.
"""

from __future__ import annotations

from typing import Final

import msgspec

from builder.errors import ScanError

SCHEMA: Final = 2
ARTIFACT: Final = "container_image"
LARGEST: Final = 128 << 20
"""Bytes. The report of an image with 250 packages and 500 findings has 2 MB."""


class _Named(msgspec.Struct, frozen=True, kw_only=True, rename="pascal"):
    """Fields are named as in Go."""


class InLayer(_Named, frozen=True, kw_only=True):
    """Where something lies."""

    diff_id: str = msgspec.field(name="DiffID", default="")


class Identifier(_Named, frozen=True, kw_only=True):
    """What it is called by everybody."""

    purl: str = msgspec.field(name="PURL", default="")


class ListedPackage(_Named, frozen=True, kw_only=True):
    """Something that is installed."""

    name: str
    version: str = ""
    release: str = ""
    epoch: int = 0
    file_path: str = ""
    layer: InLayer = InLayer()
    identifier: Identifier = Identifier()

    @property
    def full_version(self) -> str:
        """Write the version as dpkg does, with epoch and revision."""
        epoch = f"{self.epoch}:" if self.epoch else ""
        return f"{epoch}{self.version}{f'-{self.release}' if self.release else ''}"


class ListedWeakness(_Named, frozen=True, kw_only=True):
    """Something that is known to be weak."""

    id: str = msgspec.field(name="VulnerabilityID")
    vendor_ids: tuple[str, ...] = msgspec.field(name="VendorIDs", default=())
    pkg_name: str
    pkg_path: str = ""
    pkg_identifier: Identifier = Identifier()
    installed_version: str
    fixed_version: str = ""
    status: str = ""
    severity: str = "UNKNOWN"
    title: str = ""
    primary_url: str = msgspec.field(name="PrimaryURL", default="")
    layer: InLayer = InLayer()


class Result(_Named, frozen=True, kw_only=True):
    """What was found of one kind."""

    target: str = ""
    class_: str = msgspec.field(name="Class", default="")
    type: str = ""
    packages: tuple[ListedPackage, ...] = ()
    vulnerabilities: tuple[ListedWeakness, ...] = ()
    suppressed: tuple[msgspec.Raw, ...] = msgspec.field(name="ExperimentalModifiedFindings", default=())


class SystemFound(_Named, frozen=True, kw_only=True):
    """Which operating system it was taken for."""

    family: str = ""
    name: str = ""


class Metadata(_Named, frozen=True, kw_only=True):
    """What was scanned."""

    os: SystemFound | None = msgspec.field(name="OS", default=None)
    image_id: str = msgspec.field(name="ImageID")
    diff_ids: tuple[str, ...] = msgspec.field(name="DiffIDs")


class Report(_Named, frozen=True, kw_only=True):
    """A report."""

    schema_version: int
    artifact_type: str
    metadata: Metadata
    results: tuple[Result, ...] = ()


class _Version(_Named, frozen=True, kw_only=True):
    schema_version: int


def parse_report(data: bytes) -> Report:
    """Read a report.

    Raises:
        ScanError: it is empty, cut off, of an unknown form, or not of an image.
    """
    if not data.strip():
        raise ScanError("the scanner wrote no report")
    if len(data) > LARGEST:
        raise ScanError(f"the report is longer than {LARGEST} bytes")
    try:
        schema = msgspec.json.decode(data, type=_Version).schema_version
        if schema != SCHEMA:
            hint = f"take a release of Trivy that writes {SCHEMA}"
            raise ScanError(f"the report is of schema {schema}, and {SCHEMA} is known", hint=hint)
        report = msgspec.json.decode(data, type=Report)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ScanError(f"the report cannot be read: {error}") from error
    except RecursionError as error:
        raise ScanError("the report is nested too deep") from error
    if report.artifact_type != ARTIFACT:
        raise ScanError(f"the report is of {report.artifact_type[:80]!r}, not of an image")
    if any(result.suppressed for result in report.results):
        raise ScanError("the scanner left out findings by rules of its own", hint="waive them in stacks/vex/ instead")
    return report


class _ProgramVersion(_Named, frozen=True, kw_only=True):
    version: str


def parse_version(data: bytes) -> str:
    """Read what `trivy --version --format json` says.

    Raises:
        ScanError: it says no version.
    """
    try:
        return msgspec.json.decode(data, type=_ProgramVersion).version.removeprefix("v")
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ScanError(f"the program does not say its version: {data[:200]!r}", hint="is it Trivy?") from error
