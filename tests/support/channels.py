"""A ledger for tests of channels: people, an adjustable clock, and what is recorded of images."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Self

from builder.ledger.database import SqliteLedger, create_ledger
from builder.ledger.entry import Actor, Entry
from builder.ledger.events import Approved, Built, Event, Promoted, Rebuilt, Requested, Scanned, Tested
from builder.ledger.model import NewDocument, NewEntry
from builder.ledger.parts import Revisions
from builder.policy.reader import Channels, parse_channels
from builder.policy.rules import ChannelRules
from builder.usecase.approve import Approval, ApproveRequest, approve
from builder.usecase.promote import PromoteRequest, Promotion, promote
from tests.support.ledgers import ORIGIN, make_build

START = 1_790_000_000
HOUR, DAY = 3600, 86_400


def person(name: str, *, method: str = "local", host: str = "builder-1") -> Actor:
    """Make somebody."""
    return Actor(name=name, method=method, host=host)


ALICE, BOB, CAROL, NIGHTLY = map(person, ("alice", "bob", "carol", "nightly"))


def channels(text: str, *stacks: str) -> Channels:
    """Read rules as they stand in the file."""
    return parse_channels(text.encode(), stacks=stacks or ("core",))


class Scene:
    """A ledger in a folder, and a clock that stands still until it is moved."""

    def __init__(self, folder: Path, rules: str = "") -> None:
        self.path = folder / "ledger.db"
        self.now = START
        self.channels = channels(rules)
        create_ledger(self.path, ORIGIN, NIGHTLY, self.clock)
        self._later = ExitStack()
        self.ledger = self._later.enter_context(SqliteLedger(self.path, self.clock, write=True))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._later.close()

    def clock(self) -> int:
        return self.now

    def rules(self, channel: str, stack: str = "core") -> ChannelRules:
        return self.channels.rules_for(stack, channel)

    def record(self, event: Event, actor: Actor = NIGHTLY, documents: Sequence[NewDocument] = ()) -> Entry:
        return self.ledger.append([NewEntry(event=event, documents=documents)], actor)[0]

    def build(self, name: str = "one", stack: str = "core", revisions: Sequence[tuple[Revisions, bytes]] = ()) -> str:
        """Record a build; gives its digest."""
        built: Built = make_build(stack, name, revisions=[found for found, _ in revisions])
        self.record(built, documents=[NewDocument(data=document) for _, document in revisions])
        return built.digest

    def test(self, digest: str, name: str = "stack", *, passed: bool = True) -> Entry:
        return self.record(Tested(digest=digest, name=name, passed=passed))

    def scan(self, digest: str, result: str = "clean") -> Entry:
        return self.record(Scanned(digest=digest, result=result))

    def rebuild(self, digest: str, by: str, *, same: bool = True) -> Entry:
        return self.record(Rebuilt(digest=digest, same=same, by=by))

    def request(self, digest: str, actor: Actor, channel: str = "prod", stack: str = "core") -> Entry:
        return self.record(Requested(stack=stack, channel=channel, digest=digest), actor)

    def approve(self, digest: str, actor: Actor, channel: str = "prod", *, withdraw: bool = False) -> Approval:
        request = ApproveRequest(stack="core", rules=self.rules(channel), target=digest, withdraw=withdraw)
        return approve(self.ledger, request, actor, self.clock)

    def promote(
        self, channel: str, target: str = "", actor: Actor = ALICE, *, ask: bool = False, rollback: bool = False
    ) -> Promotion:
        request = PromoteRequest(
            stack="core", rules=self.rules(channel), target=target, ask=ask, rollback=rollback, reason="why"
        )
        return promote(self.ledger, request, actor, self.clock)

    def move(self, channel: str, digest: str, actor: Actor = ALICE, stack: str = "core") -> Entry:
        """Record a move, whatever the rules."""
        rules = str(self.rules(channel, stack).digest)
        return self.record(Promoted(stack=stack, channel=channel, digest=digest, rules=rules), actor)

    def agree(self, digest: str, actor: Actor, channel: str = "prod", *, withdrawn: bool = False) -> Entry:
        """Record an approval, whoever it is."""
        rules = str(self.rules(channel).digest)
        return self.record(
            Approved(stack="core", channel=channel, digest=digest, rules=rules, withdrawn=withdrawn), actor
        )


def found_of(promotion: Promotion) -> dict[str, str]:
    """List what was found, by rule."""
    return {one.check.rule: one.check.found for one in promotion.judged}


def lacking(promotion: Promotion) -> list[str]:
    """List the rules that stand in the way."""
    return [one.check.rule for one in promotion.judged if one.lacks]
