"""Made-up evidence: facts without a ledger."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeVar

from builder.digest import Digest
from builder.ledger.entry import NOTHING, Actor, Entry
from builder.ledger.events import (
    Approved,
    Event,
    LicencesJudged,
    Promoted,
    Rebuilt,
    Requested,
    Scanned,
    Tested,
    dump_event,
)
from builder.policy.evidence import Evidence, Fact, Standing
from builder.policy.rules import ChannelRules
from tests.support.channels import NIGHTLY, START
from tests.support.ledgers import digest_of, make_build

IMAGE = make_build("core", "one").digest
OTHER = make_build("core", "two").digest
TODAYS = digest_of("rules of licences")
"""Digest of the rules of licences as they stand."""

_E = TypeVar("_E", bound=Event)


def fact(event: _E, number: int = 0, *, time: int = START, actor: Actor = NIGHTLY) -> Fact[_E]:
    """Make a fact that no ledger holds."""
    entry = Entry(
        number=number,
        previous=NOTHING,
        time=time,
        kind=event.kind,
        actor=actor,
        data=dump_event(event),
        documents=(),
        hash=Digest.of(str(number).encode()),
    )
    return Fact(entry=entry, event=event)


def evidence(**found: Any) -> Evidence:
    """Make evidence on the first image of `core` for `prod`; what is not given is empty."""
    made = {"build": fact(make_build("core", "one"), 1), "standing": None, **found}
    return Evidence(stack="core", channel="prod", digest=IMAGE, **made)


def promoted(number: int, digest: str = IMAGE, *, time: int = START, channel: str = "prod") -> Fact[Promoted]:
    event = Promoted(stack="core", channel=channel, digest=digest, rules=digest_of("rules"))
    return fact(event, number, time=time)


def standing(*moves: Fact[Promoted]) -> Standing:
    """Make what a channel stands for, by the moves that brought it there, the newest first."""
    return Standing(digest=moves[0].event.digest, since=moves[-1].entry.time, promotions=moves)


def ran(number: int, name: str = "stack", *, passed: bool = True) -> Fact[Tested]:
    return fact(Tested(digest=IMAGE, name=name, passed=passed), number)


def scanned(number: int, result: str = "clean", *, time: int = START) -> Fact[Scanned]:
    return fact(Scanned(digest=IMAGE, result=result), number, time=time)


def licences(number: int, *, allowed: bool = True, rules: str = TODAYS, until: int = 0) -> Fact[LicencesJudged]:
    return fact(LicencesJudged(digest=IMAGE, allowed=allowed, rules=rules, until=until), number)


def rebuilt(number: int, by: str, *, same: bool = True, key: str = "", statement: str = "") -> Fact[Rebuilt]:
    return fact(Rebuilt(digest=IMAGE, same=same, by=by, key=key, statement=statement), number)


def requested(number: int, actor: Actor) -> Fact[Requested]:
    return fact(Requested(stack="core", channel="prod", digest=IMAGE), number, actor=actor)


def approved(
    number: int, actor: Actor, rules: ChannelRules, *, time: int = START, withdrawn: bool = False
) -> Fact[Approved]:
    event = Approved(stack="core", channel="prod", digest=IMAGE, rules=str(rules.digest), withdrawn=withdrawn)
    return fact(event, number, time=time, actor=actor)


def newest_first(*facts: Fact[_E]) -> Sequence[Fact[_E]]:
    return sorted(facts, key=lambda one: -one.entry.number)
