"""Check the rules of a channel against what is on record: for each what was found, in which entries, and how to meet it. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Final

from builder.ledger.entry import format_time
from builder.ledger.events import Rebuilt, Tested
from builder.ledger.parts import Check
from builder.policy.approvals import count_approvals, person_of, requesters
from builder.policy.evidence import Evidence, Fact
from builder.policy.judged import PROGRAM, Asked, Judged, make_judged, numbers_of, render_span, shorten
from builder.policy.rules import LOCAL, RULES, ChannelRules
from builder.policy.scan import check_scan

_Rule = Callable[[ChannelRules, Evidence, Asked], Judged | None]


def judge(rules: ChannelRules, evidence: Evidence, asked: Asked) -> tuple[Judged, ...]:
    """Check every rule that a channel has, in the order of RULES."""
    found = (_CHECKS[name](rules, evidence, asked) for name in RULES)
    return tuple(judged for judged in found if judged is not None)


def judge_rollback(rules: ChannelRules, evidence: Evidence, asked: Asked) -> tuple[Judged, ...]:
    """Check a move back: the channel stood for it before; rules that the channel does not keep for rollbacks may fail."""
    stood = evidence.promotions[:1]
    met = bool(stood)
    found = f"stood for it from {format_time(stood[0].entry.time)} on" if met else "never stood for it"
    way = "" if met else f"{PROGRAM} rollback {evidence.stack} --channel {evidence.channel}, to see what it stood for"
    recorded = make_judged("recorded", met=met, found=found, evidence=numbers_of(stood), way=way)
    return (recorded, *(_excuse(judged, rules) for judged in judge(rules, evidence, asked)))


def is_met(judged: Sequence[Judged]) -> bool:
    """Tell whether a move may be made."""
    return not any(one.lacks for one in judged)


def _excuse(judged: Judged, rules: ChannelRules) -> Judged:
    check = judged.check
    if check.met or check.rule in rules.rollback:
        return judged
    skipped = Check(rule=check.rule, met=False, found=check.found, evidence=check.evidence, skipped=True)
    return Judged(check=skipped)


def _check_after(rules: ChannelRules, evidence: Evidence, asked: Asked) -> Judged | None:
    if not rules.after:
        return None
    standing = evidence.previous
    if standing is None or standing.digest != evidence.digest:
        found = f"{rules.after} stands for {shorten(standing.digest) if standing else 'nothing'}"
        way = f"{PROGRAM} promote {evidence.stack} --to {rules.after} {shorten(evidence.digest)}"
        return make_judged(
            "after", met=False, found=found, evidence=numbers_of(standing.promotions[:1] if standing else ()), way=way
        )
    due = standing.since + rules.after_for_s
    found = f"{rules.after} stands for it since {format_time(standing.since)}"
    if asked.now < due:
        found += f", and must for {render_span(rules.after_for_s)}"
    return make_judged(
        "after",
        met=asked.now >= due,
        found=found,
        evidence=numbers_of(standing.promotions),
        way=f"wait until {format_time(due)}",
    )


def _check_tests(rules: ChannelRules, evidence: Evidence, asked: Asked) -> Judged | None:
    del asked
    if rules.tests is False:
        return None
    latest: dict[str, Fact[Tested]] = {}
    for fact in evidence.tests:
        latest.setdefault(fact.event.name, fact)
    wanted = sorted(latest) if rules.tests is True else rules.tests
    missing = [name for name in wanted if name not in latest]
    failed = [name for name in wanted if name in latest and not latest[name].event.passed]
    lines = [*(f"{name} failed" for name in failed), *(f"{name} is not on record" for name in missing)]
    if not wanted:
        lines, missing = ["no test is on record"], ["stack"]
    again = (*failed, *missing)
    record = f"{PROGRAM} record test {shorten(evidence.digest)} --name {again[0]} --passed" if again else ""
    way = f"{PROGRAM} test {evidence.stack}, or test it elsewhere and then {record}" if again else ""
    return make_judged(
        "tests",
        met=not lines,
        found=", ".join(lines) or f"{', '.join(wanted)} passed",
        evidence=sorted(latest[name].entry.number for name in wanted if name in latest),
        way=way,
    )


def _check_licences(rules: ChannelRules, evidence: Evidence, asked: Asked) -> Judged | None:
    if not rules.licences:
        return None
    way = f"{PROGRAM} licences {shorten(evidence.digest)} --record"
    if not rules.licence_rules:
        found, way = "there are no rules of licences", "write stacks/licences.toml: docs/licences.md shows one"
        return make_judged("licences", met=False, found=found, way=way)
    last = next(iter(evidence.licences), None)
    if last is None:
        return make_judged("licences", met=False, found="they were not looked at", way=way)
    event, when = last.event, format_time(last.entry.time)
    if not event.allowed:
        found = f"refused at {when}"
        way = f"{PROGRAM} licences {shorten(evidence.digest)} shows which; mend it, then with --record again"
    elif event.rules != rules.licence_rules:
        found = f"allowed at {when}, under other rules than those of today"
    elif event.until and asked.now >= event.until:
        found = f"allowed at {when}; an exception ended at {format_time(event.until)}"
    else:
        return make_judged("licences", met=True, found=f"allowed at {when}", evidence=numbers_of((last,)))
    return make_judged("licences", met=False, found=found, evidence=numbers_of((last,)), way=way)


def _check_rebuilds(rules: ChannelRules, evidence: Evidence, asked: Asked) -> Judged | None:
    del asked
    if not rules.rebuilds:
        return None
    builder = evidence.build.entry.actor
    latest = {fact.event.by: fact for fact in reversed(evidence.rebuilds)}
    own = {builder.name, f"{builder.name}@{builder.host}"}
    if builder.method != LOCAL:
        # `by` is what the rebuilder says of itself; whom a ledger's service knows by a token is the same under each name.
        own |= {by for by, fact in latest.items() if person_of(fact.entry.actor) == person_of(builder)}
    same = [by for by, fact in sorted(latest.items()) if fact.event.same and by not in own]
    other = [by for by, fact in sorted(latest.items()) if not fact.event.same]
    its_own = {latest[by].event.statement for by in own & latest.keys()} - {""}
    counted = _count_rebuilders(same, latest, its_own, signed=rules.rebuilds_signed)
    found = f"{len(counted)} of {rules.rebuilds} say the same" + (f": {', '.join(counted)}" if counted else "")
    if rules.rebuilds_signed and len(counted) < len(same):
        found += "; what is not signed does not count, and a key counts once"
    if own & latest.keys():
        found += f"; {builder.name} built it, and does not count"
    if other:
        found = f"{', '.join(other)} got another image"
    way = f"on another machine: {PROGRAM} verify REPOSITORY@{evidence.digest} --rebuild"
    if rules.rebuilds_signed:
        way += f" --attest FILE, then attest --statement FILE; here: {PROGRAM} verify ... --signed --type rebuild"
    if other:
        way = f"find out why, mend it, and have it rebuilt again; {way}"
    return make_judged(
        "rebuilds",
        met=len(counted) >= rules.rebuilds and not other,
        found=found,
        evidence=sorted(latest[by].entry.number for by in (*counted, *other)),
        way=way,
    )


def _count_rebuilders(
    same: Sequence[str], latest: Mapping[str, Fact[Rebuilt]], its_own: set[str], *, signed: bool
) -> list[str]:
    """List who counts: each key once, and a statement once, under whatever names it is on record.

    Args:
        same: who says that the same came out, apart from who built it.
        latest: what each of them said last.
        its_own: statements of who built it, which count under no name.
        signed: only what a key has signed.
    """
    seen = set(its_own)
    counted = []
    # What is signed first: the name of a key says more than the one that somebody gives himself.
    for by in sorted(same, key=lambda by: (not latest[by].event.key, by)):
        event = latest[by].event
        ids = {one for one in (event.key, event.statement) if one}
        if (signed and not event.key) or ids & seen:
            continue
        seen |= ids
        counted.append(by)
    return sorted(counted)


def _check_approvals(rules: ChannelRules, evidence: Evidence, asked: Asked) -> Judged | None:
    if not rules.approvals:
        return None
    approvals = count_approvals(rules, evidence, promoter=asked.promoter, now=asked.now)
    names = [fact.entry.actor.name for fact in approvals.counting]
    found = f"{len(names)} of {rules.approvals}" + (f": {', '.join(names)}" if names else "")
    found += "".join(f"; that of {fact.entry.actor.name} {why}" for fact, why in approvals.others)
    barred = {*requesters(evidence), asked.promoter, *names}
    left = [str(person) for person in rules.approvers if person.name not in barred]
    whom = " or ".join(left) or ("nobody is left who may" if rules.approvers else "somebody else")
    way = f"by {whom}: {PROGRAM} approve {evidence.stack} --to {evidence.channel} {shorten(evidence.digest)}"
    return make_judged(
        "approvals", met=approvals.are_enough, found=found, evidence=sorted(numbers_of(approvals.counting)), way=way
    )


def _check_fresh(rules: ChannelRules, evidence: Evidence, asked: Asked) -> Judged | None:
    if not rules.fresh_s:
        return None
    built = evidence.build.entry
    met = asked.now - built.time <= rules.fresh_s
    found = f"built at {format_time(built.time)}" + ("" if met else f", more than {render_span(rules.fresh_s)} ago")
    way = f"{PROGRAM} lock {evidence.stack} --upgrade, then build and promote that one"
    return make_judged("fresh", met=met, found=found, evidence=(built.number,), way=way)


_CHECKS: Final[Mapping[str, _Rule]] = {
    "after": _check_after,
    "tests": _check_tests,
    "scan": check_scan,
    "licences": _check_licences,
    "rebuilds": _check_rebuilds,
    "approvals": _check_approvals,
    "fresh": _check_fresh,
}
