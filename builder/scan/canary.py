"""The canary: a layer with things that are known to be weak, which every image is scanned with on top.

A scanner that finds nothing says the same of a good image, of one that it could not read, and with a database that is empty. So each
scan has something that must be found, by the same program, in the same run, from the same database: a Debian package and a
distribution. What is not found there makes the scan count for nothing.

The image that is scanned is the built one with one layer more: its own layers are untouched, and read from where they lie.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from importlib.resources import files
from typing import Final

from builder.digest import Digest
from builder.entry import file_entry
from builder.errors import ScanError
from builder.image.tarball import END_OF_ARCHIVE, iter_tar, sort_entries
from builder.oci import media
from builder.oci.config import History, dump_config
from builder.oci.descriptor import describe
from builder.oci.index import Index, dump_index
from builder.oci.layout import INDEX_FILE, LAYOUT_BYTES, LAYOUT_FILE, PlatformImage, blob_path
from builder.oci.manifest import dump_manifest
from builder.scan.expected import OS_CLASS, PYTHON_TYPE
from builder.scan.report import Report
from builder.scan.settings import Canaries, parse_canaries

NAME: Final = "airflow-kubler-canary"
_VERSION: Final = "0.0.1-1"
_FOLDER: Final = f"usr/lib/{NAME}"
_WAY_OUT: Final = "take another database, or name canaries in stacks/scan.toml that it knows"


@dataclass(frozen=True, slots=True, kw_only=True)
class Canary:
    """The layer."""

    canaries: Canaries
    data: bytes
    """Of the layer, a plain tar."""

    @property
    def diff_id(self) -> Digest:
        """Name the layer."""
        return Digest.of(self.data)


@dataclass(frozen=True, slots=True, kw_only=True)
class ScanImage:
    """An image with the canary on top: small files of a layout, beside the blobs of the image's own."""

    image: PlatformImage
    """As it was built."""
    image_id: Digest
    """Of the config that the scanner sees."""
    diff_ids: tuple[str, ...]
    """That the scanner must have seen, in their order."""
    files: Mapping[str, bytes]
    """By path in the layout."""


def shipped_canaries() -> Canaries:
    """Read the canaries that come with this program."""
    name = "canaries.toml"
    return parse_canaries((files("builder.scan") / name).read_bytes(), file=name)


def make_canary(canaries: Canaries) -> Canary:
    """Make the layer; bytes are stable."""
    status = (
        f"Package: {NAME}\nStatus: install ok installed\nPriority: optional\nSection: misc\nMaintainer: nobody\n"
        f"Architecture: all\nSource: {canaries.deb} ({_VERSION})\nVersion: {_VERSION}\nDescription: known to be weak\n"
    )
    metadata = f"Metadata-Version: 2.1\nName: {canaries.project}\nVersion: {canaries.version}\n"
    info = f"{canaries.project.replace('-', '_')}-{canaries.version}.dist-info"
    entries = sort_entries(
        (
            file_entry(f"var/lib/dpkg/status.d/{NAME}", status.encode()),
            file_entry(f"{_FOLDER}/{info}/METADATA", metadata.encode()),
        )
    )
    return Canary(canaries=canaries, data=b"".join(iter_tar(entries)) + END_OF_ARCHIVE)


def put_on_top(image: PlatformImage, canary: Canary) -> ScanImage:
    """Put the canary on an image: config, manifest and index of its own; bytes are stable."""
    line = History(created=image.config.created, created_by=NAME)
    config = replace(
        image.config, diff_ids=(*image.config.diff_ids, canary.diff_id), history=(*image.config.history, line)
    )
    config_data = dump_config(config)
    layers = (*image.manifest.layers, describe(media.LAYER_TAR, canary.data))
    manifest_data = dump_manifest(replace(image.manifest, config=describe(media.CONFIG, config_data), layers=layers))
    index = dump_index(Index(manifests=(replace(describe(media.MANIFEST, manifest_data), platform=image.platform),)))
    blobs = (config_data, manifest_data, canary.data)
    return ScanImage(
        image=image,
        image_id=Digest.of(config_data),
        diff_ids=tuple(str(diff_id) for diff_id in config.diff_ids),
        files={
            LAYOUT_FILE: LAYOUT_BYTES,
            INDEX_FILE: index,
            **{blob_path(Digest.of(data)): data for data in blobs},
        },
    )


def check_seen(report: Report, seen: ScanImage) -> None:
    """Make sure that a report is of this very image, and that the scanner knew its operating system.

    Raises:
        ScanError: it is of another one; or no system was recognised, and then no package of it was looked at.
    """
    metadata = report.metadata
    if metadata.image_id != str(seen.image_id) or metadata.diff_ids != seen.diff_ids:
        raise ScanError(
            f"the report is of the image {metadata.image_id[:80]}, not of {seen.image_id}",
            hint="it is an old one, or of another run",
        )
    if metadata.os is None or metadata.os.family in {"", "none"}:
        raise ScanError(
            "the scanner did not recognise the operating system, so it looked at no package of it",
            hint="etc/os-release and etc/debian_version must be in the image",
        )


def check_canary(report: Report, canary: Canary) -> None:
    """Make sure that the scanner found what is weak in the canary.

    Raises:
        ScanError: it did not, in one of its two parts.
    """
    wanted = {
        OS_CLASS: f"source package {canary.canaries.deb}",
        PYTHON_TYPE: f"{canary.canaries.project} {canary.canaries.version}",
    }
    diff_id = str(canary.diff_id)
    for kind, what in wanted.items():
        found = [
            weakness
            for result in report.results
            if kind in {result.class_, result.type}
            for weakness in result.vulnerabilities
            if weakness.layer.diff_id == diff_id
        ]
        if not found:
            message = f"the scanner found nothing wrong with the canary: {what}, which is known to be weak"
            raise ScanError(message, hint=_WAY_OUT)
