"""A channel moves where its rules are met, by one decision with what was found."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from builder.digest import Digest
from builder.errors import LedgerError, LedgerMovedError, PromotionError
from builder.ledger.database import SqliteLedger
from builder.ledger.entry import Actor, Entry
from builder.ledger.events import Promoted, Pushed, Requested
from builder.ledger.model import NewEntry
from builder.ledger.parts import TagMove
from builder.ledger.queries import channel_state, event_of
from builder.policy.rules import dump_rules
from builder.usecase.channel_evidence import find_build
from builder.usecase.promote import PromoteRequest, look, promote
from tests.support.channels import ALICE, BOB, CAROL, HOUR, Scene, found_of, lacking
from tests.support.ledgers import digest_of, make_build

RULES = """
[[channels]]
name = "dev"

[[channels]]
name = "staging"
after = "dev"
tests = ["stack"]

[[channels]]
name = "prod"
after = "staging"
approvals = 1
"""


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    with Scene(tmp_path, RULES) as made:
        yield made


def test_a_channel_without_rules_takes_the_latest_build(scene: Scene) -> None:
    scene.build("one")
    newest = scene.build("two")
    done = scene.promote("dev")
    assert (done.outcome, done.digest, done.before) == ("promoted", newest, "")
    state = channel_state(scene.ledger, "core", "dev")
    assert state is not None
    assert (state.digest, state.entry.actor, state.entry) == (newest, ALICE, done.entry)


def test_a_promotion_records_checks_evidence_and_the_rules_as_a_document(scene: Scene) -> None:
    digest = scene.build()
    moved, tested = scene.promote("dev").entry, scene.test(digest)
    assert moved is not None
    entry = scene.promote("staging").entry
    assert entry is not None
    event = event_of(entry, Promoted)
    assert [(check.rule, check.met, check.evidence) for check in event.checks] == [
        ("after", True, (moved.number,)),
        ("tests", True, (tested.number,)),
    ]
    assert (event.digest, event.before, event.database, event.reason) == (digest, "", "unknown", "why")
    assert scene.ledger.document(Digest.parse(event.rules)) == dump_rules(scene.rules("staging"))


def test_what_lacks_is_said_and_nothing_is_written(scene: Scene) -> None:
    digest = scene.build()
    size = scene.ledger.head().size
    done = scene.promote("staging", digest)
    assert done.outcome == "lacking"
    assert lacking(done) == ["after", "tests"]
    assert found_of(done) == {"after": "dev stands for nothing", "tests": "stack is not on record"}
    assert scene.ledger.head().size == size


def test_without_a_digest_what_the_channel_before_stands_for_is_taken(scene: Scene) -> None:
    digest = scene.build("one")
    scene.promote("dev")
    scene.build("two")
    assert scene.promote("staging").digest == digest
    with pytest.raises(PromotionError) as caught:
        scene.promote("prod")
    assert str(caught.value) == (
        "core: staging comes before prod, and stands for nothing\n  airflow-kubler promote core --to staging"
    )


def test_what_stands_there_already_is_left_alone(scene: Scene) -> None:
    scene.build()
    scene.promote("dev")
    again = scene.promote("dev")
    assert (again.outcome, again.entry) == ("unchanged", None)


@pytest.mark.parametrize("named", ["whole", "beginning", "platform", "tag"])
def test_an_image_is_named_by_digest_platform_or_tag(scene: Scene, named: str) -> None:
    digest = scene.build("one")
    scene.build("two")
    move = TagMove(tag="core-20261130.01")
    scene.record(Pushed(digest=digest, repository="r.example.org/a", stack="core", tags=(move,)))
    names = {
        "whole": digest,
        "beginning": digest[7:15],
        "platform": make_build("core", "one").platforms[1].manifest,
        "tag": "core-20261130.01",
    }
    assert scene.promote("dev", names[named]).digest == digest


def test_a_tag_names_the_image_that_it_was_last_pushed_to(scene: Scene) -> None:
    for name in ("one", "two"):
        digest = scene.build(name)
        event = Pushed(digest=digest, repository="r.example.org/a", stack="core", tags=(TagMove(tag="cafe"),))
        scene.record(event)
    assert scene.promote("dev", "cafe").digest == digest


def test_what_is_not_on_record_is_told(scene: Scene) -> None:
    with pytest.raises(LedgerError, match="no build of the stack 'core' is on record"):
        scene.promote("dev")
    scene.build()
    with pytest.raises(LedgerError, match="v1: no image of the stack core was pushed under this tag"):
        scene.promote("dev", "v1")
    with pytest.raises(LedgerError, match="no build of it is on record\n  airflow-kubler build core"):
        scene.promote("dev", digest_of("unknown"))
    other = scene.build("one", stack="aws")
    with pytest.raises(PromotionError, match="is an image of the stack aws, not of core"):
        scene.promote("dev", other)
    request = PromoteRequest(stack="cor", rules=scene.rules("dev"))
    with pytest.raises(LedgerError, match="no build of the stack 'cor' is on record\n  did you mean 'core'"):
        promote(scene.ledger, request, ALICE, scene.clock)


def test_a_wish_is_put_on_record_once_for_each_person(scene: Scene) -> None:
    digest = scene.build()
    scene.move("staging", digest)
    asked = scene.promote("prod", digest, ask=True)
    assert asked.outcome == "requested"
    assert asked.entry is not None
    assert event_of(asked.entry, Requested).reason == "why"
    again = scene.promote("prod", digest, ask=True)
    assert (again.outcome, again.entry) == ("requested", None)
    assert scene.promote("prod", digest, BOB, ask=True).entry is not None


def test_asking_while_something_else_lacks_too_is_put_on_record(scene: Scene) -> None:
    digest = scene.build()
    asked = scene.promote("prod", digest, ask=True)
    assert (asked.outcome, lacking(asked)) == ("requested", ["after", "approvals"])


def test_where_no_approval_lacks_there_is_nothing_to_ask_for(scene: Scene) -> None:
    digest = scene.build()
    assert scene.promote("staging", digest, ask=True).outcome == "lacking"
    assert scene.promote("dev", digest, ask=True).outcome == "promoted"


def test_a_wish_that_is_approved_moves_the_channel(scene: Scene) -> None:
    digest = scene.build()
    scene.move("staging", digest)
    scene.promote("prod", digest, ask=True)
    scene.approve(digest, BOB)
    assert scene.promote("prod", digest, BOB).outcome == "lacking"
    assert scene.promote("prod", digest, CAROL).outcome == "promoted"


def test_an_approval_counts_for_one_promotion(scene: Scene) -> None:
    first, second = scene.build("one"), scene.build("two")
    for digest in (first, second):
        scene.move("staging", digest)
        scene.approve(digest, BOB)
        assert scene.promote("prod", digest).outcome == "promoted"
    scene.move("staging", first)
    refused = scene.promote("prod", first)
    assert found_of(refused)["approvals"] == "0 of 1; that of bob was used up when the channel last stood for it"


def test_an_image_is_as_old_as_its_first_build(tmp_path: Path) -> None:
    with Scene(tmp_path, '[[channels]]\nname = "dev"\nfresh = "1h"\n') as scene:
        digest = scene.build()
        scene.now += 2 * HOUR
        scene.build()
        assert lacking(scene.promote("dev", digest)) == ["fresh"]


class Meddled:
    """A ledger in which others write just before something is appended."""

    def __init__(self, ledger: SqliteLedger, meddle: Callable[[int], object]) -> None:
        self._ledger = ledger
        self._meddle = meddle
        self.tries = 0

    def append(self, entries: Sequence[NewEntry], actor: Actor, *, size: int | None = None) -> tuple[Entry, ...]:
        self.tries += 1
        self._meddle(self.tries)
        return self._ledger.append(entries, actor, size=size)

    def __getattr__(self, name: str) -> object:
        return getattr(self._ledger, name)


def meddled(scene: Scene, meddle: Callable[[int], object], digest: str, channel: str = "staging") -> tuple[str, int]:
    """Promote while others meddle; gives the outcome, and how often it was tried."""
    ledger = Meddled(scene.ledger, meddle)
    request = PromoteRequest(stack="core", rules=scene.rules(channel), target=digest)
    done = promote(ledger, request, ALICE, scene.clock)  # type: ignore[arg-type]
    return done.outcome, ledger.tries


def test_what_others_write_in_between_is_looked_at(scene: Scene) -> None:
    digest = scene.build()
    scene.move("dev", digest)
    scene.test(digest)
    assert meddled(scene, lambda _: scene.test(digest, passed=False), digest) == ("lacking", 1)
    assert channel_state(scene.ledger, "core", "staging") is None


def test_what_others_write_that_changes_nothing_only_costs_another_look(scene: Scene) -> None:
    digest = scene.build()
    scene.move("dev", digest)
    scene.test(digest)

    def meddle(tries: int) -> None:
        if tries < 4:
            scene.build(f"other {tries}")

    assert meddled(scene, meddle, digest) == ("promoted", 4)


def test_somebody_else_may_have_moved_it_there(scene: Scene) -> None:
    digest = scene.build()
    assert meddled(scene, lambda _: scene.move("dev", digest, BOB), digest, "dev") == ("unchanged", 1)


def test_a_ledger_that_never_stands_still_is_told(scene: Scene) -> None:
    digest = scene.build()
    with pytest.raises(LedgerMovedError, match="others wrote in the ledger 200 times in between"):
        meddled(scene, lambda _: scene.test(digest), digest, "dev")


def at_once(scene: Scene, wishes: Mapping[Actor, Sequence[PromoteRequest]]) -> None:
    """Let people promote at the same time, each with an opened ledger of his own."""
    start = threading.Barrier(len(wishes))

    def work(actor: Actor) -> None:
        with SqliteLedger(scene.path, scene.clock, write=True) as ledger:
            start.wait()
            for request in wishes[actor]:
                promote(ledger, request, actor, scene.clock)

    with ThreadPoolExecutor(len(wishes)) as pool:
        for done in [pool.submit(work, actor) for actor in wishes]:
            done.result()


def test_of_two_who_promote_at_once_no_move_breaks_a_rule(scene: Scene) -> None:
    # Dev goes back and forth while staging follows: it may only ever take what dev stands for at that moment.
    digests = [scene.build("one"), scene.build("two")]
    for digest in digests:
        scene.test(digest)

    def wishes(channel: str) -> list[PromoteRequest]:
        rules = scene.rules(channel)
        return [PromoteRequest(stack="core", rules=rules, target=digests[number % 2]) for number in range(60)]

    scene.promote("dev", digests[0])
    assert scene.promote("staging", digests[0]).outcome == "promoted"
    at_once(scene, {ALICE: wishes("dev"), BOB: wishes("staging"), CAROL: wishes("staging")[::-1]})
    standing: dict[str, str] = {}
    for entry in scene.ledger.entries():
        if entry.kind == Promoted.kind:
            event = event_of(entry, Promoted)
            assert event.before == standing.get(event.channel, "")
            assert event.before != event.digest
            if event.channel == "staging":
                assert standing["dev"] == event.digest
            standing[event.channel] = event.digest


def test_a_look_needs_no_right_to_write(scene: Scene) -> None:
    digest = scene.build()
    with SqliteLedger(scene.path, scene.clock, write=False) as ledger:
        request = PromoteRequest(stack="core", rules=scene.rules("dev"), target=digest)
        found, evidence = look(ledger, request, ALICE, scene.now)
        assert (found.outcome, evidence.build) == ("met", find_build(ledger, "core", digest))
