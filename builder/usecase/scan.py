"""Scan: every platform of an image by a scanner that nobody trusts, and what of it is believed.

What comes out is typed findings with whose they are, waivers applied, and the scanner's own reports; or ScanError, which is never
taken for clean.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from builder.digest import Digest
from builder.errors import IntegrityError, ScanError
from builder.finding.document import DatabaseFacts, Findings, ScannedPart, ScannerFacts
from builder.finding.model import Finding
from builder.finding.vex import Waiver
from builder.finding.waivers import Waived, apply_waivers
from builder.image.view import view_platform
from builder.oci.layout import PlatformImage
from builder.platform import Platform
from builder.registry.folder import FolderBlobs
from builder.scan.belonging import find_landmarks
from builder.scan.canary import Canary, put_on_top
from builder.scan.database import Database
from builder.scan.expected import expect
from builder.scan.reading import Read, join_findings, read_report
from builder.scan.trivy import Scanner
from builder.usecase.scan_target import ScanTarget

CLEAN = "clean"
WAIVED = "waived"
FINDINGS = "findings"
NOT_SCANNED = "not scanned"


@dataclass(frozen=True, slots=True, kw_only=True)
class ScanTools:
    """What an image is scanned with."""

    scanner: Scanner
    database: Database
    canary: Canary
    pinned: bool
    """Whether stacks/scan.toml names the scanner."""
    now: int
    """Seconds since the epoch."""
    say: Callable[[str], None] = lambda _: None


@dataclass(frozen=True, slots=True, kw_only=True)
class Scan:
    """What came out."""

    found: Findings
    reports: tuple[tuple[str, bytes], ...]
    """The scanner's own, by platform."""
    waived: Waived

    @property
    def result(self) -> str:
        """Say it in a word."""
        if not self.found.findings:
            return CLEAN
        return FINDINGS if self.waived.left else WAIVED


def scan_image(
    target: ScanTarget, tools: ScanTools, *, waivers: Sequence[Waiver] = (), platforms: Sequence[Platform] = ()
) -> Scan:
    """Scan an image.

    Args:
        target: the image.
        tools: what scans.
        waivers: for its stack.
        platforms: which ones; all where empty.

    Raises:
        ScanError: for one of its platforms nothing can be said.
        IntegrityError: a layer is damaged.
    """
    wanted = [image for image in target.platforms if not platforms or image.platform in platforms]
    missing = sorted({platform.name for platform in platforms} - {image.platform.name for image in wanted})
    if missing:
        raise ScanError(f"the image is not there for {', '.join(missing)}", context=target.name)
    reads, reports, parts = [], [], []
    for image in wanted:
        tools.say(f"scanning {target.name} for {image.platform}")
        data, read = _scan_platform(target, image, tools)
        reads.append(read)
        reports.append((image.platform.name, data))
        parts.append(_part(image, data, read))
    findings = join_findings(finding for read in reads for finding in read.findings)
    # What is on record first is looked up when it is recorded: until then it was first seen now.
    found = _findings(target, tools, parts, tuple(replace(one, first_seen=tools.now) for one in findings))
    return judge_scan(found, tuple(reports), waivers, tools.now)


def judge_scan(found: Findings, reports: tuple[tuple[str, bytes], ...], waivers: Sequence[Waiver], now: int) -> Scan:
    """Apply waivers to findings, and note on each which one waives it."""
    today = dt.datetime.fromtimestamp(now, tz=dt.UTC).date()
    waived = apply_waivers(found.findings, waivers, today)
    places = {finding.key: waiver.place for finding, waiver in waived.waived}
    findings = tuple(replace(one, waiver=places.get(one.key, "")) for one in found.findings)
    return Scan(
        found=replace(found, findings=findings),
        reports=reports,
        waived=apply_waivers(findings, waivers, today),
    )


def with_findings(scan: Scan, findings: Sequence[Finding], waivers: Sequence[Waiver], now: int) -> Scan:
    """Put findings of which more is known in the place of a scan's own."""
    return judge_scan(replace(scan.found, findings=tuple(findings)), scan.reports, waivers, now)


def _scan_platform(target: ScanTarget, image: PlatformImage, tools: ScanTools) -> tuple[bytes, Read]:
    _check_layers(target, image)
    seen = put_on_top(image, tools.canary)
    data = tools.scanner.scan(seen, target.layout)
    marks = find_landmarks(target.lock, view_platform(image), target.owners)
    expected = expect(target.lock, target.base, image.platform)
    return data, read_report(data, seen, tools.canary, expected, marks)


def _check_layers(target: ScanTarget, image: PlatformImage) -> None:
    """Read every layer before the scanner does: it looks at no hash."""
    blobs = FolderBlobs(target.layout)
    for layer in image.manifest.layers:
        if not blobs.has(layer):
            message = f"layer {layer.digest} is damaged, or not there"
            raise IntegrityError(message, context=str(target.layout), hint="build or pull the image again")


def _part(image: PlatformImage, data: bytes, read: Read) -> ScannedPart:
    return ScannedPart(
        platform=image.platform.name,
        manifest=str(image.descriptor.digest),
        report=str(Digest.of(data)),
        debs=read.debs,
        distributions=read.distributions,
        others=read.others,
    )


def _findings(
    target: ScanTarget, tools: ScanTools, parts: Sequence[ScannedPart], findings: tuple[Finding, ...]
) -> Findings:
    identity, database = tools.scanner.identity, tools.database
    return Findings(
        digest=str(target.digest),
        stack=target.stack,
        lock=str(target.lock_digest),
        scanner=ScannerFacts(
            name=identity.name,
            version=identity.version,
            sha256=identity.sha256.hex,
            pinned=tools.pinned,
            isolated=identity.isolated,
        ),
        database=DatabaseFacts(
            sha256=database.sha256.hex,
            updated=database.updated,
            artifact=str(database.artifact) if database.artifact else "",
        ),
        canary=str(tools.canary.diff_id),
        parts=tuple(parts),
        findings=findings,
    )
