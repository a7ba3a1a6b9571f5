"""Each rule: what meets it, what does not, what is said, and the way out."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import pytest

from builder.ledger.entry import format_time
from builder.ledger.parts import Check
from builder.policy.checks import is_met, judge, judge_rollback
from builder.policy.evidence import Evidence
from builder.policy.judged import Asked, Judged
from builder.policy.rules import RULES, ChannelRules, Person
from tests.support.channels import ALICE, BOB, CAROL, DAY, HOUR, START, person
from tests.support.evidence import (
    IMAGE,
    OTHER,
    TODAYS,
    approved,
    evidence,
    licences,
    newest_first,
    promoted,
    ran,
    rebuilt,
    requested,
    scanned,
    standing,
)

SHORT = IMAGE[:19]
LATER = f"; not scanned at {format_time(START)}"


def look(rules: ChannelRules, found: Evidence, *, now: int = START, promoter: str = "alice") -> Judged:
    """Check the one rule that there is."""
    (judged,) = judge(rules, found, Asked(promoter=promoter, now=now))
    assert bool(judged.way) is not judged.check.met
    return judged


def rules(**stated: Any) -> ChannelRules:
    return ChannelRules(channel="prod", **stated)


def test_a_channel_without_rules_asks_for_nothing() -> None:
    assert judge(rules(), evidence(), Asked(promoter="alice", now=START)) == ()


def test_the_channel_before_must_stand_for_the_image() -> None:
    after = rules(after="staging")
    met = look(after, evidence(previous=standing(promoted(7))))
    assert met.check == Check(
        rule="after", met=True, found=f"staging stands for it since {format_time(START)}", evidence=(7,)
    )
    nothing = look(after, evidence())
    assert (nothing.check.met, nothing.check.found) == (False, "staging stands for nothing")
    other = look(after, evidence(previous=standing(promoted(8, OTHER))))
    assert other.check == Check(rule="after", met=False, found=f"staging stands for {OTHER[:19]}", evidence=(8,))
    assert other.way == f"airflow-kubler promote core --to staging {SHORT}"


def test_and_must_have_for_so_long_without_a_break() -> None:
    after = rules(after="staging", after_for_s=12 * HOUR)
    found = evidence(previous=standing(promoted(9, time=START + HOUR), promoted(7)))
    early = look(after, found, now=START + 12 * HOUR - 1)
    assert early.check.found == f"staging stands for it since {format_time(START)}, and must for 12 hours"
    assert early.way == f"wait until {format_time(START + 12 * HOUR)}"
    late = look(after, found, now=START + 12 * HOUR)
    assert (late.check.met, late.check.evidence) == (True, (9, 7))


@pytest.mark.parametrize(
    ("wanted", "facts", "met", "found", "entries"),
    [
        (True, [], False, "no test is on record", ()),
        (True, [ran(2), ran(3, "smoke")], True, "smoke, stack passed", (2, 3)),
        (True, [ran(2), ran(3, "smoke", passed=False)], False, "smoke failed", (2, 3)),
        (("stack",), [ran(3, "smoke", passed=False), ran(2)], True, "stack passed", (2,)),
        (("stack", "smoke"), [ran(2)], False, "smoke is not on record", (2,)),
        (("stack",), [ran(2), ran(4, passed=False)], False, "stack failed", (4,)),
        (("stack",), [ran(2, passed=False), ran(4)], True, "stack passed", (4,)),
        (("a", "stack"), [ran(4, passed=False)], False, "stack failed, a is not on record", (4,)),
    ],
    ids=["none", "all", "one-failed", "another-failed", "missing", "failed-later", "passed-later", "both"],
)  # fmt: skip
def test_suites_must_have_passed_when_they_last_ran(
    facts: list[Any], found: str, entries: tuple[int, ...], *, wanted: bool | tuple[str, ...], met: bool
) -> None:
    judged = look(rules(tests=wanted), evidence(tests=newest_first(*facts)))
    assert judged.check == Check(rule="tests", met=met, found=found, evidence=entries)
    if not met:
        assert f"airflow-kubler record test {SHORT} --name " in judged.way


@pytest.mark.parametrize(
    ("wanted", "facts", "met", "found"),
    [
        ("clean", [], False, "no scan is on record"),
        ("clean", [scanned(2)], True, f"clean at {format_time(START)}"),
        ("clean", [scanned(2, "waived")], False, f"waived at {format_time(START)}"),
        ("clean-or-waived", [scanned(2, "waived")], True, f"waived at {format_time(START)}"),
        ("clean-or-waived", [scanned(2, "findings")], False, f"findings at {format_time(START)}"),
        ("clean", [scanned(2), scanned(3, "findings")], False, f"findings at {format_time(START)}"),
        ("clean", [scanned(2, "findings"), scanned(3)], True, f"clean at {format_time(START)}"),
        ("clean", [scanned(2, "not scanned")], False, "it could not be scanned"),
        ("clean", [scanned(2), scanned(3, "not scanned")], True, f"clean at {format_time(START)}{LATER}"),
        (
            "clean",
            [scanned(2, "findings"), scanned(3, "not scanned")],
            False,
            f"findings at {format_time(START)}{LATER}",
        ),
    ],
)
def test_the_last_scan_that_came_to_an_end_decides(wanted: str, facts: list[Any], found: str, *, met: bool) -> None:
    judged = look(rules(scan=wanted), evidence(scans=newest_first(*facts)))
    assert (judged.check.met, judged.check.found) == (met, found)
    if not met:
        assert f"airflow-kubler scan {SHORT} --record" in judged.way


def test_a_scan_may_be_too_old() -> None:
    aged = rules(scan="clean", scan_age_s=7 * DAY)
    found = evidence(scans=[scanned(2)])
    assert look(aged, found, now=START + 7 * DAY).check.met
    old = look(aged, found, now=START + 7 * DAY + 1)
    assert old.check.found == f"clean at {format_time(START)}, more than 7 days ago"


@pytest.mark.parametrize(
    ("facts", "met", "found", "entries"),
    [
        ([], False, "0 of 2 say the same", ()),
        ([rebuilt(2, "a"), rebuilt(3, "b")], True, "2 of 2 say the same: a, b", (2, 3)),
        ([rebuilt(2, "a"), rebuilt(3, "a")], False, "1 of 2 say the same: a", (3,)),
        ([rebuilt(2, "a"), rebuilt(3, "b", same=False)], False, "b got another image", (2, 3)),
        ([rebuilt(1, "b", same=False), rebuilt(2, "a"), rebuilt(3, "b")], True, "2 of 2 say the same: a, b", (2, 3)),
        ([rebuilt(2, "a"), rebuilt(3, "b"), rebuilt(4, "c", same=False)], False, "c got another image", (2, 3, 4)),
        (
            [rebuilt(2, "a"), rebuilt(3, "nightly@builder-1")],
            False,
            "1 of 2 say the same: a; nightly built it, and does not count",
            (2,),
        ),
        (
            [rebuilt(2, "a"), rebuilt(3, "nightly")],
            False,
            "1 of 2 say the same: a; nightly built it, and does not count",
            (2,),
        ),
        ([rebuilt(2, "a"), rebuilt(3, "nightly@builder-2")], True, "2 of 2 say the same: a, nightly@builder-2", (2, 3)),
    ],
    ids=["none", "two", "twice", "differs", "mended", "disputed", "builder", "builders-name", "same-name-elsewhere"],
)  # fmt: skip
def test_others_must_have_rebuilt_it_the_same(
    facts: list[Any], found: str, entries: tuple[int, ...], *, met: bool
) -> None:
    judged = look(rules(rebuilds=2), evidence(rebuilds=newest_first(*facts)))
    assert judged.check == Check(rule="rebuilds", met=met, found=found, evidence=entries)
    if not met:
        assert f"airflow-kubler verify REPOSITORY@{IMAGE} --rebuild" in judged.way


@pytest.mark.parametrize(
    ("facts", "met", "found", "entries"),
    [
        (
            [rebuilt(2, "a"), rebuilt(3, "b")],
            False,
            "0 of 2 say the same; what is not signed does not count, and a key counts once",
            (),
        ),
        ([rebuilt(2, "a", key="k"), rebuilt(3, "b", key="l")], True, "2 of 2 say the same: a, b", (2, 3)),
        (
            [rebuilt(2, "a", key="k"), rebuilt(3, "b", key="k")],
            False,
            "1 of 2 say the same: a; what is not signed does not count, and a key counts once",
            (2,),
        ),
        ([rebuilt(2, "a", key="k"), rebuilt(3, "b", same=False)], False, "b got another image", (2, 3)),
        (
            [rebuilt(2, "nightly@builder-1", statement="s"), rebuilt(3, "a", key="k", statement="s")],
            False,
            "0 of 2 say the same; what is not signed does not count, and a key counts once; nightly built it, and does not count",
            (),
        ),
    ],
    ids=["unsigned", "two", "one key twice", "unsigned but differs", "the builder's own, signed"],
)
def test_rebuilds_may_have_to_be_signed(facts: list[Any], found: str, entries: tuple[int, ...], *, met: bool) -> None:
    judged = look(rules(rebuilds=2, rebuilds_signed=True), evidence(rebuilds=newest_first(*facts)))
    assert judged.check == Check(rule="rebuilds", met=met, found=found, evidence=entries)


def test_one_statement_counts_once_under_whatever_names() -> None:
    facts = (rebuilt(2, "alice@a", statement="s"), rebuilt(3, "alice-key", key="k", statement="s"))
    judged = look(rules(rebuilds=2), evidence(rebuilds=newest_first(*facts)))
    assert judged.check.found == "1 of 2 say the same: alice-key"


def test_a_build_may_be_too_old() -> None:
    fresh = rules(fresh_s=30 * DAY)
    assert look(fresh, evidence(), now=START + 30 * DAY).check == Check(
        rule="fresh", met=True, found=f"built at {format_time(START)}", evidence=(1,)
    )
    stale = look(fresh, evidence(), now=START + 30 * DAY + 1)
    assert stale.check.found == f"built at {format_time(START)}, more than 30 days ago"
    assert stale.way.startswith("airflow-kubler lock core --upgrade")


BOTH = rules(approvals=2)
NAMED = rules(approvals=1, approvers=(Person(method="local", name="bob"), Person(method="local", name="carol")))
AGED = rules(approvals=1, approvals_age_s=14 * DAY)
Facts = Callable[[ChannelRules], dict[str, Sequence[Any]]]


@pytest.mark.parametrize(
    ("wanted", "facts", "met", "found"),
    [
        (BOTH, lambda r: {"approvals": [approved(2, BOB, r)]}, False, "1 of 2: bob"),
        (BOTH, lambda r: {"approvals": [approved(3, CAROL, r), approved(2, BOB, r)]}, True, "2 of 2: carol, bob"),
        (BOTH, lambda r: {"approvals": [approved(3, BOB, r), approved(2, BOB, r)]}, False, "1 of 2: bob"),
        (
            BOTH,
            lambda r: {"approvals": [approved(3, person("bob", method="oidc"), r), approved(2, BOB, r)]},
            False,
            "1 of 2: bob",
        ),
        (
            BOTH,
            lambda r: {"approvals": [approved(3, ALICE, r), approved(2, BOB, r)]},
            False,
            "1 of 2: bob; that of alice is by the one who asks for the move or makes it",
        ),
        (
            BOTH,
            lambda r: {"approvals": [approved(3, CAROL, r), approved(2, BOB, r)], "requests": [requested(4, BOB)]},
            False,
            "1 of 2: carol; that of bob is by the one who asks for the move or makes it",
        ),
        (
            BOTH,
            lambda r: {"approvals": [approved(4, BOB, r, withdrawn=True), approved(3, CAROL, r), approved(2, BOB, r)]},
            False,
            "1 of 2: carol; that of bob was taken back",
        ),
        (
            BOTH,
            lambda r: {"approvals": [approved(4, BOB, r), approved(3, BOB, r, withdrawn=True), approved(2, CAROL, r)]},
            True,
            "2 of 2: bob, carol",
        ),
        (
            NAMED,
            lambda r: {"approvals": [approved(2, person("dave"), r)]},
            False,
            "0 of 1; that of dave is by somebody who is no approver",
        ),
        (
            NAMED,
            lambda r: {"approvals": [approved(2, person("bob", method="oidc"), r)]},
            False,
            "0 of 1; that of bob is by somebody who is no approver",
        ),
        (NAMED, lambda r: {"approvals": [approved(2, BOB, r)]}, True, "1 of 1: bob"),
        (
            NAMED,
            lambda _: {"approvals": [approved(2, BOB, BOTH)]},
            False,
            "0 of 1; that of bob was given under other rules",
        ),
        (AGED, lambda r: {"approvals": [approved(2, BOB, r, time=START - 14 * DAY)]}, True, "1 of 1: bob"),
        (
            AGED,
            lambda r: {"approvals": [approved(2, BOB, r, time=START - 14 * DAY - 1)]},
            False,
            "0 of 1; that of bob is too old",
        ),
        (
            NAMED,
            lambda r: {"approvals": [approved(2, BOB, r)], "promotions": [promoted(5)]},
            False,
            "0 of 1; that of bob was used up when the channel last stood for it",
        ),
        (NAMED, lambda r: {"approvals": [approved(6, BOB, r)], "promotions": [promoted(5)]}, True, "1 of 1: bob"),
    ],
    ids=[
        "too-few", "enough", "twice", "alike", "promoter", "requester", "withdrawn", "given-again", "no-approver",
        "other-method", "approver", "other-rules", "old-enough", "too-old", "used-up", "given-after",
    ],
)  # fmt: skip
def test_others_must_agree(wanted: ChannelRules, facts: Facts, found: str, *, met: bool) -> None:
    judged = look(wanted, evidence(**facts(wanted)))
    assert (judged.check.met, judged.check.found) == (met, found)


def test_the_way_to_approvals_names_who_is_left() -> None:
    way = look(NAMED, evidence(requests=[requested(4, BOB)])).way
    assert way == f"by carol: airflow-kubler approve core --to prod {SHORT}"
    assert look(NAMED, evidence(requests=[requested(4, BOB), requested(3, CAROL)])).way.startswith("by nobody is left")
    assert look(BOTH, evidence()).way.startswith("by somebody else: ")


ALLOWED = rules(licences="allowed", licence_rules=TODAYS)


@pytest.mark.parametrize(
    ("wanted", "facts", "met", "found", "way"),
    [
        (ALLOWED, [licences(3)], True, f"allowed at {format_time(START)}", ""),
        (ALLOWED, [licences(3, until=START + 1)], True, f"allowed at {format_time(START)}", ""),
        (
            ALLOWED,
            [licences(3, until=START)],
            False,
            f"allowed at {format_time(START)}; an exception ended at {format_time(START)}",
            f"airflow-kubler licences {SHORT} --record",
        ),
        (
            ALLOWED,
            [licences(3, rules=OTHER)],
            False,
            f"allowed at {format_time(START)}, under other rules than those of today",
            f"airflow-kubler licences {SHORT} --record",
        ),
        (
            ALLOWED,
            [licences(5, allowed=False), licences(3)],
            False,
            f"refused at {format_time(START)}",
            f"airflow-kubler licences {SHORT} shows which; mend it, then with --record again",
        ),
        (ALLOWED, [], False, "they were not looked at", f"airflow-kubler licences {SHORT} --record"),
        (
            rules(licences="allowed"),
            [licences(3)],
            False,
            "there are no rules of licences",
            "write stacks/licences.toml: docs/licences.md shows one",
        ),
    ],
    ids=["allowed", "excepted", "exception-ended", "other-rules", "refused", "not-looked-at", "no-rules"],
)
def test_licences_must_be_allowed_under_the_rules_of_today(
    wanted: ChannelRules, facts: Sequence[Any], found: str, way: str, *, met: bool
) -> None:
    judged = look(wanted, evidence(licences=facts))
    assert (judged.check.met, judged.check.found, judged.way) == (met, found, way)
    assert judged.check.evidence == tuple(fact.entry.number for fact in facts[:1] if wanted.licence_rules)


def test_rules_that_ask_for_no_licences_have_the_digest_that_they_always_had() -> None:
    plain = rules(approvals=1)
    assert replace(plain, licence_rules=TODAYS).digest == plain.digest
    assert replace(ALLOWED, licence_rules=OTHER).digest != ALLOWED.digest


def test_every_rule_is_checked_in_its_order() -> None:
    judged = judge(rules(**EVERY), evidence(), Asked(promoter="alice", now=START + DAY))
    assert tuple(one.check.rule for one in judged) == RULES
    assert not is_met(judged)
    assert all(one.way for one in judged)


EVERY = {
    "after": "staging", "tests": True, "scan": "clean", "licences": "allowed", "rebuilds": 1, "approvals": 1, "fresh_s": 1
}  # fmt: skip


@pytest.mark.parametrize(
    ("kept", "may"),
    [((), True), (("scan",), False), (RULES, False), (("tests",), True)],
    ids=["none", "scan", "all", "met"],
)
def test_a_rollback_asks_that_the_channel_stood_for_it_and_for_the_rules_that_are_kept(
    kept: tuple[str, ...], *, may: bool
) -> None:
    found = evidence(promotions=[promoted(9)], tests=[ran(3)])
    judged = judge_rollback(rules(**EVERY, rollback=kept), found, Asked(promoter="alice", now=START + DAY))
    first, *others = judged
    assert first.check == Check(
        rule="recorded", met=True, found=f"stood for it from {format_time(START)} on", evidence=(9,)
    )
    assert is_met(judged) is may
    assert {one.check.rule for one in others if one.check.skipped} == set(RULES) - set(kept) - {"tests"}
    # What was found is on record all the same.
    assert next(one for one in others if one.check.rule == "scan").check.found == "no scan is on record"


def test_a_rollback_to_what_a_channel_never_stood_for_is_none() -> None:
    judged = judge_rollback(rules(), evidence(), Asked(promoter="alice", now=START))
    assert [(one.check.rule, one.check.found) for one in judged] == [("recorded", "never stood for it")]
    assert not is_met(judged)
    assert judged[0].way == "airflow-kubler rollback core --channel prod, to see what it stood for"
