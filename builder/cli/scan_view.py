"""What `scan` shows: text, and values for JSON."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import msgspec

from builder.cli.output import render_table
from builder.finding.changes import Changes
from builder.finding.gate import Stopped
from builder.finding.model import Finding, FixState, Kind
from builder.finding.vex import Waiver
from builder.ledger.entry import format_time
from builder.usecase.scan_gates import ChannelVerdict
from builder.usecase.scan_run import ScanOutcome

_MOST_NAMED = 5


def outcome_to_dict(outcome: ScanOutcome) -> dict[str, Any]:
    """Make the JSON form."""
    scan = outcome.scan
    found: dict[str, Any] = msgspec.to_builtins(scan.found)
    return {
        "name": outcome.target.name,
        "result": scan.result,
        **{key: value for key, value in found.items() if key != "format"},
        "waived": [_waived_to_dict(*pair) for pair in scan.waived.waived],
        "expired": [_waived_to_dict(*pair) for pair in scan.waived.expired],
        "mendable": [_waived_to_dict(*pair) for pair in scan.waived.mendable],
        "idle_waivers": [waiver.place for waiver in scan.waived.idle],
        "channels": [_verdict_to_dict(one) for one in outcome.verdicts],
        "before": outcome.compared.digest if outcome.compared else None,
        "changes": _changes_to_dict(outcome.compared.changes) if outcome.compared else None,
        "entry": outcome.entry.number if outcome.entry else None,
    }


def _waived_to_dict(finding: Finding, waiver: Waiver) -> dict[str, Any]:
    return {
        "id": finding.id,
        "package": finding.subject.name,
        "waiver": waiver.place,
        "status": waiver.status,
        "owner": waiver.owner,
        "expires": waiver.expires.isoformat(),
        "fix": finding.fix.version or None,
    }


def _verdict_to_dict(one: ChannelVerdict) -> dict[str, Any]:
    return {
        "channel": one.channel or None,
        "stops": one.stops,
        "stopped": [
            {"id": each.finding.id, "package": each.finding.subject.name, "why": each.why}
            for each in one.verdict.stopped
        ],
        "passed": one.verdict.passed,
        "waived": len(one.verdict.waived.waived),
    }


def _changes_to_dict(changes: Changes) -> dict[str, Any]:
    rows = {"fixed": changes.fixed, "new": changes.new, "stayed": changes.stayed}
    return {key: [{"id": one.id, "package": one.subject.name} for one in found] for key, found in rows.items()}


def render_outcome(outcome: ScanOutcome) -> str:
    """Render for a terminal."""
    return "\n".join(_iter_lines(outcome))


def _iter_lines(outcome: ScanOutcome) -> Iterator[str]:
    scan, found = outcome.scan, outcome.scan.found
    pinned = "pinned" if found.scanner.pinned else "NOT PINNED"
    shut_in = "shut in" if found.scanner.isolated else "NOT SHUT IN"
    yield f"{found.stack} {found.digest}: {scan.result}"
    yield f"by {found.scanner.name} {found.scanner.version} ({pinned}, {shut_in})"
    yield f"database of {format_time(found.database.updated)}, sha256:{found.database.sha256[:12]}"
    for part in found.parts:
        others = f", {part.others} copies of others" if part.others else ""
        yield (
            f"{part.platform}: {part.debs} Debian packages and {part.distributions} distributions, as locked{others}"
        )
    if found.findings:
        yield ""
        yield _render_findings(found.findings, scan.waived.expired)
    for finding in found.findings:
        yield from _render_fix(finding)
    if outcome.compared is not None:
        yield from _render_changes(outcome.compared.changes, outcome.compared.digest)
    yield from _render_waivers(outcome)
    yield ""
    yield from (_render_verdict(one) for one in outcome.verdicts)
    if outcome.entry is not None:
        yield f"on record: entry {outcome.entry.number}"


def _render_findings(findings: Sequence[Finding], expired: Sequence[tuple[Finding, Waiver]]) -> str:
    over = {finding.key for finding, _ in expired}
    rows = [
        (
            one.severity.value,
            one.id,
            f"{one.subject.name} {one.subject.version}",
            _fixed(one),
            one.belongs.part.value,
            ", ".join(one.belongs.owners) or "-",
            one.belongs.layer or "-",
            "waived" if one.waiver else "expired" if one.key in over else "",
        )
        for one in findings
    ]
    header = ("severity", "finding", "in", "mended by", "part", "owner", "layer", "")
    return render_table(header, rows)


def _fixed(finding: Finding) -> str:
    fix = finding.fix
    match fix.state:
        case FixState.REACHABLE | FixState.OUTSIDE:
            return f"{fix.version or 'leaving it out'}{' (diverges)' if fix.state is FixState.OUTSIDE else ''}"
        case FixState.NOT_LOOKED_FOR:
            return f"{', '.join(finding.fixed_in)} (not looked for)"
        case FixState.NONE:
            return "-"
        case _:
            return f"{', '.join(finding.fixed_in)} ({fix.state.value})"


def _render_fix(finding: Finding) -> Iterator[str]:
    """Say how what was looked for can be had, and who brought what is weak."""
    fix, chain = finding.fix, finding.belongs.chain
    if not fix.how:
        return
    yield ""
    yield f"{finding.id} in {finding.subject.name}: {fix.how}"
    if len(chain) > 1:
        yield f"  wanted by {' -> '.join(chain)}"
    if finding.subject.kind is Kind.OTHER and finding.subject.path:
        yield f"  at {finding.subject.path}"
    if fix.moves:
        yield f"  then {', '.join(fix.moves)}"


def _render_changes(changes: Changes, before: str) -> Iterator[str]:
    yield ""
    yield f"since {before}: {len(changes.fixed)} fixed, {len(changes.new)} new, {len(changes.stayed)} stayed"
    for word, found in (("fixed", changes.fixed), ("new", changes.new)):
        for one in found:
            yield f"  {word}: {one.id} {one.severity.value} in {one.subject.name} {one.subject.version}"


def _render_waivers(outcome: ScanOutcome) -> Iterator[str]:
    waived = outcome.scan.waived
    lines = [
        *(
            f"{finding.id} in {finding.subject.name}: {waiver.place} has expired on {waiver.expires}, ask {waiver.owner}"
            for finding, waiver in waived.expired
        ),
        *(
            f"{finding.id} in {finding.subject.name}: {finding.fix.version} can be had by now, take {waiver.place} out"
            for finding, waiver in waived.mendable
        ),
        *(f"{waiver.place} ({waiver.id}) waives nothing in this image" for waiver in waived.idle),
    ]
    if lines:
        yield ""
        yield from lines


def _render_verdict(one: ChannelVerdict) -> str:
    verdict = one.verdict
    name = one.channel or "no channel has a gate"
    if not verdict.stopped:
        rest = [f"{verdict.passed} below the gate"] if verdict.passed else []
        rest += [f"{len(verdict.waived.waived)} waived"] if verdict.waived.waived else []
        return ", ".join((f"{name}: open", *rest))
    return f"{name}: CLOSED by {_name_stopped(verdict.stopped)}"


def _name_stopped(stopped: Sequence[Stopped]) -> str:
    named = [f"{one.finding.id} in {one.finding.subject.name} ({one.why})" for one in stopped[:_MOST_NAMED]]
    more = f" and {len(stopped) - _MOST_NAMED} more" if len(stopped) > _MOST_NAMED else ""
    return ", ".join(named) + more
