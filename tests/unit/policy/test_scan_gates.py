"""Gates of channels: how they are written, and what they make of findings that are on record."""

from __future__ import annotations

from typing import Any

import pytest

from builder.errors import BuilderError
from builder.finding.gate import Clause, Given
from builder.finding.model import Severity
from builder.finding.vex import Waiver
from builder.ledger.entry import format_time
from builder.ledger.events import Scanned
from builder.policy.checks import judge
from builder.policy.judged import Asked, Judged
from builder.policy.rules import ChannelRules, rules_to_dict
from tests.support.channels import channels
from tests.support.evidence import IMAGE, evidence, fact, newest_first, scanned
from tests.support.findings import DAY, NOW, TODAY, finding, findings, scan_event, waiver

HEAD = '[[channels]]\nname = "prod"\n'
CRITICAL = Clause(severity=Severity.CRITICAL)
AT = format_time(NOW)
GATE = ChannelRules(channel="prod", scan="gate", gate=(CRITICAL, Clause(severity=Severity.HIGH, fix="known")))


def read(text: str, stack: str = "core") -> ChannelRules:
    return channels(f"{HEAD}{text}", "core", "aws").rules_for(stack, "prod")


def test_a_gate_is_one_clause_or_several() -> None:
    one = read('scan = { severity = "critical" }')
    assert (one.scan, one.gate) == ("gate", (CRITICAL,))
    several = read(
        'scan = [{ severity = "high", fix = "reachable", grace = "14d" }, { exploited = true }, { fix = "known" }]'
    )
    assert several.gate == (
        Clause(severity=Severity.HIGH, fix="reachable", grace_s=14 * 86_400),
        Clause(exploited=True),
        Clause(fix="known"),
    )
    assert several.asks_for_exploited
    assert not one.asks_for_exploited


def test_a_gate_is_part_of_the_digest_of_the_rules_and_words_have_the_one_of_before() -> None:
    assert read('scan = { severity = "critical" }').digest != read('scan = { severity = "high" }').digest
    assert "gate" not in rules_to_dict(read('scan = "clean"'))


def test_a_stacks_own_rule_takes_the_place_of_the_gate_for_all() -> None:
    own = '\n[[channels]]\nname = "prod"\nstacks = ["aws"]\nscan = '
    gate = 'scan = { severity = "critical" }\nscan-age = "7d"\n'
    clean = read(f'{gate}{own}"clean"', "aws")
    assert (clean.scan, clean.gate, clean.scan_age_s) == ("clean", (), 7 * 86_400)
    off = read(f"{gate}{own}false", "aws")
    assert (off.scan, off.gate, off.scan_age_s) == ("", (), 0)
    stricter = read(f'scan = "clean"\n{own}{{ severity = "low" }}', "aws")
    assert (stricter.scan, stricter.gate) == ("gate", (Clause(severity=Severity.LOW),))


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("scan = []", "scan: is empty"),
        ("scan = {}", "scan.severity: nothing is stated"),
        ("scan = [{}]", "scan[0].severity: nothing is stated"),
        ('scan = [{ severity = "awful" }]', "scan[0].severity: unknown value 'awful'"),
        ('scan = { severity = "unknown" }', "scan.severity: unknown value 'unknown'"),
        ('scan = { fix = "maybe" }', "scan.fix: unknown value 'maybe'"),
        ('scan = { grace = "two weeks" }', "scan.grace: 'two weeks' is no span of time"),
        ("scan = { exploited = false }", "scan.exploited: says nothing"),
        ('scan = { exploited = "yes" }', "scan.exploited: must be true or false"),
        ('scan = { sevrity = "high" }', "scan.sevrity: unknown key"),
        ('scan = ["clean"]', "scan[0]: must be a table"),
        ("scan = true", "scan: must be a text"),
    ],
)
def test_a_wrong_gate_is_told_with_its_key(text: str, told: str) -> None:
    with pytest.raises(BuilderError) as caught:
        read(text)
    assert f"channels[0].{told}" in str(caught.value)


def look(rules: ChannelRules, event: Scanned, *found: Any, given: Given | None = None, now: int = NOW) -> Judged:
    known = evidence(
        scans=[fact(event, 7, time=NOW)],
        findings=findings(*found, digest=IMAGE) if event.findings else None,
        given=given or Given(),
    )
    return judge(rules, known, Asked(promoter="alice", now=now))[0]


OURS = scan_event(IMAGE, findings="sha256:" + "0" * 64)
LOW = finding("CVE-2026-2", severity=Severity.LOW)


def waived(*waivers: Waiver) -> Given:
    return Given(waivers=waivers)


@pytest.mark.parametrize(
    ("rules", "found", "given", "met", "told"),
    [
        (GATE, [], Given(), True, "clean"),
        (GATE, [LOW], Given(), True, "1 below the gate"),
        (GATE, [finding()], Given(), False, "1 stop: CVE-2026-1 in requests (high, a fix is known)"),
        (GATE, [finding(), LOW], waived(waiver()), True, "1 below the gate; 1 waived"),
        (GATE, [finding()], waived(waiver(expires=TODAY - DAY)), False,
         "1 stop: CVE-2026-1 in requests (high, a fix is known); 1 by waivers that have expired"),
        (GATE, [finding(f"CVE-2026-{number}") for number in range(5)], Given(), False,
         ("5 stop: CVE-2026-0 in requests (high, a fix is known), CVE-2026-1 in requests (high, a fix is known), "
         "CVE-2026-2 in requests (high, a fix is known) and 2 more")),
        (ChannelRules(channel="prod", scan="clean"), [], Given(), True, "clean"),
        (ChannelRules(channel="prod", scan="clean"), [LOW], waived(waiver("CVE-2026-2")), False, "1 stop: CVE-2026-2 in requests (low)"),
        (ChannelRules(channel="prod", scan="clean-or-waived"), [LOW], waived(waiver("CVE-2026-2")), True, "1 waived"),
        (ChannelRules(channel="prod", scan="clean-or-waived"), [LOW], Given(), False, "1 stop: CVE-2026-2 in requests (low)"),
    ],
)  # fmt: skip
def test_findings_on_record_are_judged_again_when_a_channel_moves(
    rules: ChannelRules, found: list[Any], given: Given, told: str, *, met: bool
) -> None:
    judged = look(rules, OURS, *found, given=given)
    assert (judged.check.met, judged.check.found, judged.check.evidence) == (met, f"{told} at {AT}", (7,))
    if not met:
        assert "mend it" in judged.way
        assert f"airflow-kubler scan {IMAGE[:19]} --record" in judged.way


def test_a_waiver_that_expires_after_the_scan_closes_the_gate() -> None:
    given = waived(waiver(expires=TODAY))
    assert look(GATE, OURS, finding(), given=given).check.met
    assert not look(GATE, OURS, finding(), given=given, now=NOW + 86_400).check.met


def test_a_weakness_that_has_become_exploited_closes_the_gate() -> None:
    rules = ChannelRules(channel="prod", scan="gate", gate=(Clause(exploited=True),))
    assert look(rules, OURS, LOW, given=Given(exploited=frozenset({"CVE-2026-9"}))).check.met
    assert not look(rules, OURS, LOW, given=Given(exploited=frozenset({"CVE-2026-2"}))).check.met


def test_the_grace_of_a_finding_ends_without_another_scan() -> None:
    rules = ChannelRules(channel="prod", scan="gate", gate=(Clause(grace_s=86_400),))
    assert look(rules, OURS, finding()).check.met
    assert not look(rules, OURS, finding(), now=NOW + 86_400).check.met


@pytest.mark.parametrize("rules", [GATE, ChannelRules(channel="prod", scan="clean")])
def test_a_scanner_that_is_not_pinned_opens_no_channel(rules: ChannelRules) -> None:
    event = scan_event(IMAGE, "clean", pinned=False, findings=OURS.findings)
    judged = look(rules, event)
    assert judged.check.found == f"clean by a scanner that stacks/scan.toml does not pin at {AT}"
    assert not judged.check.met


def test_another_systems_word_is_not_enough_for_a_gate() -> None:
    judged = look(GATE, Scanned(digest=IMAGE, result="clean"))
    assert judged.check.found == f"clean by another system, without findings that a gate could judge at {AT}"
    assert not judged.check.met
    assert look(ChannelRules(channel="prod", scan="clean"), Scanned(digest=IMAGE, result="clean")).check.met


def test_an_image_that_could_only_not_be_scanned_is_held_back_with_the_reason() -> None:
    event = Scanned(digest=IMAGE, result="not scanned", summary="the scanner wrote no report")
    known = evidence(scans=newest_first(fact(event, 3), scanned(2, "not scanned")))
    judged = judge(GATE, known, Asked(promoter="alice", now=NOW))[0]
    assert judged.check.found == "it could not be scanned: the scanner wrote no report"
    assert not judged.check.met
