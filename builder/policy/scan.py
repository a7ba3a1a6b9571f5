"""The rule `scan`: what the last scan found is judged again, by the waivers and lists of now. Pure.

A scan by this program left its findings on record: a waiver that has expired since, or a weakness that has become exploited, counts
at the time of the move. Of what other systems recorded only their own word is known.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from builder.finding.gate import Given, Verdict, judge_findings
from builder.ledger.entry import format_time
from builder.ledger.events import Scanned
from builder.policy.evidence import Evidence, Fact
from builder.policy.judged import PROGRAM, Asked, Judged, make_judged, numbers_of, render_span, shorten
from builder.policy.rules import CLEAN, CLEAN_OR_WAIVED, GATE, ChannelRules

NOT_SCANNED: Final = "not scanned"
_MOST_SHOWN: Final = 3


def last_scan(scans: Sequence[Fact[Scanned]]) -> Fact[Scanned] | None:
    """Find the last scan that came to an end; the newest stand first."""
    # A scanner that could not scan says nothing about the image: the last one that could does.
    return next((fact for fact in scans if fact.event.result != NOT_SCANNED), None)


def check_scan(rules: ChannelRules, evidence: Evidence, asked: Asked) -> Judged | None:
    """Check the rule `scan`."""
    if not rules.scan:
        return None
    short = shorten(evidence.digest)
    way = f"{PROGRAM} scan {short} --record"
    done = last_scan(evidence.scans)
    if done is None:
        tried = evidence.scans[:1]
        why = f": {tried[0].event.summary}" if tried and tried[0].event.summary else ""
        found = f"it could not be scanned{why}" if tried else "no scan is on record"
        return make_judged("scan", met=False, found=found, evidence=numbers_of(tried), way=way)
    good, told, mend = _judge(rules, evidence, done, asked.now)
    old = bool(rules.scan_age_s) and asked.now - done.entry.time > rules.scan_age_s
    found = f"{told} at {format_time(done.entry.time)}"
    if old:
        found += f", more than {render_span(rules.scan_age_s)} ago"
    if evidence.scans and evidence.scans[0] is not done:
        found += f"; not scanned at {format_time(evidence.scans[0].entry.time)}"
    return make_judged(
        "scan", met=good and not old, found=found, evidence=numbers_of((done,)), way=f"{mend}; {way}" if mend else way
    )


def judge_scan(rules: ChannelRules, evidence: Evidence, now: int) -> Verdict | None:
    """Judge the findings that are on record; None where there are none, or the rules ask for none."""
    if not rules.scan or evidence.findings is None:
        return None
    given = Given() if rules.scan == CLEAN else evidence.given
    return judge_findings(evidence.findings.findings, rules.clauses, given, now)


def _judge(rules: ChannelRules, evidence: Evidence, done: Fact[Scanned], now: int) -> tuple[bool, str, str]:
    """Tell whether a scan will do, what it found, and what is to be mended; the last one empty where it will."""
    event = done.event
    if event.scanner_sha256 and not event.pinned:
        return False, f"{event.result} by a scanner that stacks/scan.toml does not pin", "pin it"
    verdict = judge_scan(rules, evidence, now)
    if verdict is not None:
        return _tell(rules, verdict)
    if rules.scan == GATE:
        return False, f"{event.result} by another system, without findings that a gate could judge", "scan it here"
    good = event.result == CLEAN or (event.result == "waived" and rules.scan == CLEAN_OR_WAIVED)
    allowed = " or waived" if rules.scan == CLEAN_OR_WAIVED else ""
    return good, event.result, "" if good else f"mend or waive what it found, so that it is clean{allowed}"


def _tell(rules: ChannelRules, verdict: Verdict) -> tuple[bool, str, str]:
    waived = verdict.waived
    parts = []
    if verdict.stopped:
        shown = ", ".join(
            f"{one.finding.id} in {one.finding.subject.name} ({one.why})" for one in verdict.stopped[:_MOST_SHOWN]
        )
        more = len(verdict.stopped) - _MOST_SHOWN
        parts.append(f"{len(verdict.stopped)} stop: {shown}{f' and {more} more' if more > 0 else ''}")
    if verdict.passed:
        parts.append(f"{verdict.passed} below the gate")
    if waived.waived:
        parts.append(f"{len(waived.waived)} waived")
    if waived.expired:
        parts.append(f"{len(waived.expired)} by waivers that have expired")
    how = "mend it" if rules.scan == CLEAN else f"mend it, or waive it: {PROGRAM} waive"
    return not verdict.stopped, "; ".join(parts) or CLEAN, how if verdict.stopped else ""
