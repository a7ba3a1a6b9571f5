"""One scan from beginning to end: find the image, scan it, look for fixes, judge, put on record.

What cannot be scanned is put on record as that, with the reason, and raised: it is never taken for clean.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from pathlib import Path

from builder.errors import InvalidInputError, ScanError, ToolError
from builder.finding.changes import Changes, compare_findings
from builder.finding.gate import Given
from builder.ledger.entry import Actor, Entry
from builder.ledger.model import Ledger, LedgerReader
from builder.lock.model import BaseLock
from builder.platform import Platform
from builder.project import Project
from builder.usecase.scan import Scan, ScanTools, scan_image, with_findings
from builder.usecase.scan_fix import FindDeb, OpenSession, find_fixes
from builder.usecase.scan_gates import ChannelVerdict, given_for, judge_channels, scanning_rules
from builder.usecase.scan_record import check_recorded, first_seen, record_failure, record_scan
from builder.usecase.scan_target import Places, ScanTarget, find_target


@dataclass(frozen=True, slots=True, kw_only=True)
class ScanRequest:
    """What is wanted."""

    text: str
    """The image."""
    layout: Path | None = None
    platforms: Sequence[Platform] = ()
    channel: str = ""
    """Whose gate judges; empty for all that have one."""
    before: str | None = None
    """An image to compare with, scanned by the same scanner and database."""
    check_fixes: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ScanWorld:
    """What a scan needs from outside."""

    project: Project | None
    places: Places
    open_tools: Callable[[], AbstractContextManager[ScanTools]]
    """Opens the scanner; raises ScanError where it will not do."""
    open_fixers: Callable[[Project, BaseLock], AbstractContextManager[tuple[OpenSession, FindDeb]]]
    """Opens what looks for fixes."""
    ledger: LedgerReader | None
    record: Ledger | None
    """To put it on record in; None to leave that."""
    actor: Actor
    now: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """What an image has since another one."""

    digest: str
    """Of the one before."""
    changes: Changes


@dataclass(frozen=True, slots=True, kw_only=True)
class ScanOutcome:
    """What came out."""

    target: ScanTarget
    scan: Scan
    verdicts: tuple[ChannelVerdict, ...]
    compared: Compared | None = None
    """With the image before."""
    entry: Entry | None = None
    """Where it is on record."""

    @property
    def stops(self) -> bool:
        """Whether a gate says no."""
        return any(one.stops for one in self.verdicts)


def run_scan(request: ScanRequest, world: ScanWorld) -> ScanOutcome:
    """Scan an image.

    Raises:
        ScanError: nothing can be said of it; that is on record, where it was to be.
        ToolError: there is no scanner; on record as well.
        LedgerError: its build is not on record, where the scan was to be.
        InvalidInputError: some of its platforms are left out, where the scan was to be on record.
    """
    target = find_target(request.text, world.places, layout=request.layout)
    if world.record is not None:
        check_recorded(world.record, str(target.digest))
        _check_whole(request, target)
    rules = scanning_rules(world.project, target.stack, request.channel)
    given = given_for(world.project, target.stack, rules)
    try:
        with world.open_tools() as tools:
            scan = scan_image(target, tools, waivers=given.waivers, platforms=request.platforms)
            compared = _compare(request, world, scan, tools)
    except (ScanError, ToolError) as error:
        if world.record is not None:
            record_failure(world.record, str(target.digest), str(error), world.actor)
        raise
    scan = _know_more(request, world, target, scan, given)
    entry = record_scan(world.record, scan, world.actor) if world.record is not None else None
    if isinstance(compared, ScanError):
        raise compared
    return ScanOutcome(
        target=target,
        scan=scan,
        verdicts=judge_channels(scan.found.findings, rules, given, world.now),
        compared=compared,
        entry=entry,
    )


def _check_whole(request: ScanRequest, target: ScanTarget) -> None:
    """Refuse to record a scan of some platforms: a channel that takes it for the image's would let the others pass unseen."""
    left = sorted({image.platform.name for image in target.platforms} - {one.name for one in request.platforms})
    if request.platforms and left:
        message = f"leaves out {', '.join(left)}, so it is no scan of the image that could be on record"
        raise InvalidInputError(message, context="--platform", hint="leave out --platform, or --record")


def _compare(request: ScanRequest, world: ScanWorld, scan: Scan, tools: ScanTools) -> Compared | ScanError | None:
    """Scan the image before, alike: what its own scan found then was by another database.

    Returns:
        The error where that one could not be scanned, which is no failure of this one.
    """
    if request.before is None:
        return None
    room = world.places.room / "before"
    room.mkdir()
    try:
        before = find_target(request.before, replace(world.places, room=room))
        old = scan_image(before, tools, platforms=request.platforms)
    except ScanError as error:
        return ScanError(f"the image before: {error.message}", context=request.before, hint=error.hint)
    return Compared(digest=str(before.digest), changes=compare_findings(old.found.findings, scan.found.findings))


def _know_more(request: ScanRequest, world: ScanWorld, target: ScanTarget, scan: Scan, given: Given) -> Scan:
    """Look up since when findings are known, and what mends them."""
    findings = scan.found.findings
    if world.ledger is not None:
        findings = first_seen(world.ledger, target.stack, findings)
    if request.check_fixes and world.project is not None and findings:
        with world.open_fixers(world.project, target.base) as (open_session, find_deb):
            findings = find_fixes(findings, open_session, find_deb)
    return with_findings(scan, findings, given.waivers, world.now)
