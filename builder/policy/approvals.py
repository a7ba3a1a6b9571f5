"""Which approvals count. Pure.

An approval is bound to stack, channel, digest and the rules as they stood. Of each person the latest word counts: that he
agrees, or that he takes it back. People are told apart by their names: the same name by two methods is one person.

What does not count, and why, is said: it was given by the one who asks for the move or makes it, by somebody who may not, under
other rules, too long ago, or before the channel last stood for the image, for which it was used up.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass

from builder.ledger.entry import Actor
from builder.ledger.events import Approved
from builder.policy.evidence import Evidence, Fact
from builder.policy.rules import ChannelRules, Person


@dataclass(frozen=True, slots=True, kw_only=True)
class Approvals:
    """Those of one move."""

    counting: tuple[Fact[Approved], ...]
    """One of each person, the newest first."""
    others: tuple[tuple[Fact[Approved], str], ...]
    """The latest of each other person, and why it does not count."""
    wanted: int

    @property
    def are_enough(self) -> bool:
        """Whether as many count as are wanted."""
        return len(self.counting) >= self.wanted


def person_of(actor: Actor) -> Person:
    """Find whom an actor stands for."""
    return Person(method=actor.method, name=actor.name)


def may_approve(rules: ChannelRules, person: Person) -> bool:
    """Tell whether somebody is among the approvers."""
    return not rules.approvers or person in rules.approvers


def requesters(evidence: Evidence) -> frozenset[str]:
    """List who asked for the move, by name."""
    return frozenset(fact.entry.actor.name for fact in evidence.requests)


def count_approvals(rules: ChannelRules, evidence: Evidence, *, promoter: str, now: int) -> Approvals:
    """Find which approvals count for a move.

    Args:
        rules: of the channel, as they stand now.
        evidence: of the move.
        promoter: name of who makes it; empty where nobody does yet.
        now: seconds since the epoch.
    """
    barred = requesters(evidence) | ({promoter} if promoter else frozenset())
    counting, others = [], []
    for fact in _latest_of_each(evidence):
        problem = _problem(rules, evidence, fact, barred, now)
        if problem:
            others.append((fact, problem))
        else:
            counting.append(fact)
    return Approvals(counting=tuple(counting), others=tuple(others), wanted=rules.approvals)


def _latest_of_each(evidence: Evidence) -> Iterator[Fact[Approved]]:
    seen: set[str] = set()
    for fact in evidence.approvals:
        name = fact.entry.actor.name
        if name not in seen:
            seen.add(name)
            yield fact


def _problem(rules: ChannelRules, evidence: Evidence, fact: Fact[Approved], barred: Collection[str], now: int) -> str:
    """Find why an approval does not count; empty where it does."""
    actor, entry = fact.entry.actor, fact.entry
    problems = (
        (fact.event.withdrawn, "was taken back"),
        (actor.name in barred, "is by the one who asks for the move or makes it"),
        (not may_approve(rules, person_of(actor)), "is by somebody who is no approver"),
        (fact.event.rules != str(rules.digest), "was given under other rules"),
        (bool(rules.approvals_age_s) and now - entry.time > rules.approvals_age_s, "is too old"),
        (
            bool(evidence.promotions) and entry.number < evidence.promotions[0].entry.number,
            "was used up when the channel last stood for it",
        ),
    )
    return next((text for holds, text in problems if holds), "")
