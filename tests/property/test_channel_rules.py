"""What holds for the rules of channels, whatever is on record."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from builder.ledger.events import Approved
from builder.policy.approvals import count_approvals
from builder.policy.checks import is_met, judge, judge_rollback
from builder.policy.evidence import Evidence, Fact
from builder.policy.judged import Asked
from builder.policy.rules import RULES, ChannelRules, Person
from tests.support.channels import DAY, START, person
from tests.support.evidence import (
    IMAGE,
    OTHER,
    TODAYS,
    approved,
    evidence,
    licences,
    promoted,
    ran,
    rebuilt,
    requested,
    scanned,
    standing,
)
from tests.support.ledgers import digest_of

_PEOPLE = ("alice", "bob", "carol", "dave")
_people = st.sampled_from(_PEOPLE)
_actors = st.builds(person, _people, method=st.sampled_from(("local", "local", "oidc")), host=st.sampled_from("ab"))
_ages = st.sampled_from((0, 3600, DAY, 7 * DAY))
_times = st.integers(START - 10 * DAY, START)
_rules = st.builds(
    ChannelRules,
    channel=st.just("prod"),
    after=st.sampled_from(("", "staging")),
    after_for_s=_ages,
    tests=st.sampled_from((False, True, ("stack",), ("smoke", "stack"))),
    scan=st.sampled_from(("", "clean", "clean-or-waived")),
    scan_age_s=_ages,
    licences=st.sampled_from(("", "allowed")),
    licence_rules=st.sampled_from(("", TODAYS)),
    rebuilds=st.integers(0, 2),
    rebuilds_signed=st.booleans(),
    approvals=st.integers(0, 2),
    approvers=st.sets(_people.map(lambda name: Person(method="local", name=name)), max_size=4).map(
        lambda found: tuple(sorted(found))
    ),
    approvals_age_s=_ages,
    fresh_s=_ages,
    rollback=st.sets(st.sampled_from(RULES)).map(lambda found: tuple(name for name in RULES if name in found)),
)


def _facts(make: st.SearchStrategy[Any]) -> st.SearchStrategy[Sequence[Any]]:
    """A few facts of one kind, the newest first."""
    return st.lists(make, max_size=4, unique_by=lambda one: one.entry.number).map(
        lambda found: sorted(found, key=lambda one: -one.entry.number)
    )


_numbers = st.integers(2, 30)


@st.composite
def _cases(draw: st.DrawFn) -> tuple[ChannelRules, Evidence]:
    rules = draw(_rules)
    other = replace(rules, rebuilds=rules.rebuilds + 1)
    moves = draw(_facts(st.builds(promoted, _numbers, st.just(IMAGE), time=_times)))
    before = draw(st.none() | st.builds(promoted, _numbers, st.sampled_from((IMAGE, OTHER)), time=_times))
    return rules, evidence(
        previous=standing(before) if before else None,
        tests=draw(_facts(st.builds(ran, _numbers, st.sampled_from(("stack", "smoke")), passed=st.booleans()))),
        scans=draw(
            _facts(
                st.builds(
                    scanned, _numbers, st.sampled_from(("clean", "waived", "findings", "not scanned")), time=_times
                )
            )
        ),
        licences=draw(
            _facts(
                st.builds(
                    licences,
                    _numbers,
                    allowed=st.booleans(),
                    rules=st.sampled_from((TODAYS, digest_of("other rules"))),
                    until=st.sampled_from((0, START - DAY, START + DAY)),
                )
            )
        ),
        rebuilds=draw(
            _facts(
                st.builds(
                    rebuilt,
                    _numbers,
                    st.sampled_from(("a", "b", "nightly@builder-1")),
                    same=st.booleans(),
                    key=st.sampled_from(("", "k", "l")),
                    statement=st.sampled_from(("", "s")),
                )
            )
        ),
        requests=draw(_facts(st.builds(requested, _numbers, _actors))),
        approvals=draw(
            _facts(
                st.builds(
                    approved,
                    _numbers,
                    _actors,
                    st.sampled_from((rules, rules, other)),
                    time=_times,
                    withdrawn=st.booleans(),
                )
            )
        ),
        promotions=moves,
    )


_asked = st.builds(Asked, promoter=_people, now=st.just(START))


@given(_cases(), _asked)
@settings(deadline=None)
def test_every_rule_that_stands_is_checked_and_said(case: tuple[ChannelRules, Evidence], asked: Asked) -> None:
    rules, found = case
    judged = judge(rules, found, asked)
    stands = {
        "after": bool(rules.after),
        "tests": rules.tests is not False,
        "scan": bool(rules.scan),
        "licences": bool(rules.licences),
        "rebuilds": bool(rules.rebuilds),
        "approvals": bool(rules.approvals),
        "fresh": bool(rules.fresh_s),
    }
    assert [one.check.rule for one in judged] == [name for name in RULES if stands[name]]
    for one in judged:
        assert one.check.found
        assert bool(one.way) is not one.check.met
        assert len(set(one.check.evidence)) == len(one.check.evidence)
    assert is_met(judged) is all(one.check.met for one in judged)
    assert judge(rules, found, asked) == judged


@given(_cases(), _people)
@settings(deadline=None)
def test_approvals_that_count_are_by_different_others_who_may_and_meant_it(
    case: tuple[ChannelRules, Evidence], promoter: str
) -> None:
    rules, found = case
    counted = count_approvals(rules, found, promoter=promoter, now=START)
    names = [fact.entry.actor.name for fact in counted.counting]
    assert len(set(names)) == len(names)
    assert promoter not in names
    assert not {fact.entry.actor.name for fact in found.requests} & set(names)
    for fact in counted.counting:
        assert fact in found.approvals
        assert not fact.event.withdrawn
        assert fact.event.rules == str(rules.digest)
        assert not rules.approvers or fact.entry.actor.name in {one.name for one in rules.approvers}
        later = [one for one in found.approvals if one.entry.number > fact.entry.number]
        assert not [one for one in later if one.entry.actor.name == fact.entry.actor.name and one.event.withdrawn]
    everybody = {fact.entry.actor.name for fact in found.approvals}
    assert len(counted.counting) + len(counted.others) == len(everybody)


@given(_cases(), _asked, st.data())
@settings(deadline=None)
def test_an_approval_of_the_promoters_own_never_helps(
    case: tuple[ChannelRules, Evidence], asked: Asked, data: st.DataObject
) -> None:
    rules, found = case
    host = data.draw(st.sampled_from("ab"))
    own: Fact[Approved] = approved(99, person(asked.promoter, host=host), rules)
    more = replace(found, approvals=(own, *found.approvals))
    assert is_met(judge(rules, more, asked)) <= is_met(judge(rules, found, asked))


@given(_cases(), _asked)
@settings(deadline=None)
def test_taking_an_approval_back_or_a_failing_test_never_helps(
    case: tuple[ChannelRules, Evidence], asked: Asked
) -> None:
    rules, found = case
    met = is_met(judge(rules, found, asked))
    worse = (
        replace(found, tests=(ran(99, passed=False), *found.tests)),
        replace(found, scans=(scanned(99, "findings"), *found.scans)),
        replace(found, rebuilds=(rebuilt(99, "c", same=False), *found.rebuilds)),
        replace(found, approvals=(approved(99, person("bob"), rules, withdrawn=True), *found.approvals)),
        replace(found, requests=(requested(99, person("bob")), *found.requests)),
        replace(found, previous=None),
    )
    for one in worse:
        assert is_met(judge(rules, one, asked)) <= met


@given(_cases(), _asked)
@settings(deadline=None)
def test_rules_that_are_switched_off_never_hinder(case: tuple[ChannelRules, Evidence], asked: Asked) -> None:
    rules, found = case
    # Other rules have another digest, and approvals are bound to it: they are left out of this.
    rules = replace(rules, approvals=0)
    met = is_met(judge(rules, found, asked))
    milder = (
        replace(rules, after=""),
        replace(rules, tests=False),
        replace(rules, scan=""),
        replace(rules, rebuilds=0),
        replace(rules, fresh_s=0),
    )
    for one in milder:
        assert met <= is_met(judge(one, found, asked))


@given(_cases(), _asked)
@settings(deadline=None)
def test_a_rollback_holds_to_what_is_kept_and_hides_nothing(case: tuple[ChannelRules, Evidence], asked: Asked) -> None:
    rules, found = case
    back, forth = judge_rollback(rules, found, asked), judge(rules, found, asked)
    assert [one.check.found for one in back[1:]] == [one.check.found for one in forth]
    assert is_met(back) is (
        bool(found.promotions) and all(one.check.met for one in forth if one.check.rule in rules.rollback)
    )
    assert not any(one.check.skipped and one.check.rule in rules.rollback for one in back)
