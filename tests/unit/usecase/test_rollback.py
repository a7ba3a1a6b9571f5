"""The ways back of a channel: which images, what they mean, and the move."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from builder.ledger.entry import Actor
from builder.ledger.events import Promoted
from builder.ledger.parts import Revisions
from builder.ledger.queries import event_of
from builder.migrations.move import Danger
from builder.migrations.wheels import read_revisions
from builder.usecase.database_move import advise_on_database, read_schemas
from builder.usecase.rollback import Proposal, propose_rollback
from tests.support.channels import ALICE, BOB, DAY, START, Scene, channels, lacking
from tests.support.ledgers import make_build
from tests.support.migrations import core_files, zipped

RULES = """
[[channels]]
name = "prod"
scan = "clean"
approvals = 1
"""
OLD, NEW = (read_revisions("apache-airflow-core", zipped(core_files(*names))) for names in (("r1",), ("r1", "r2")))


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    with Scene(tmp_path, RULES) as made:
        yield made


def propose(scene: Scene, actor: Actor = ALICE, most: int = 5) -> tuple[Proposal, ...]:
    return propose_rollback(scene.ledger, "core", scene.rules("prod"), actor, scene.now, most=most)


def test_images_come_the_latest_first_each_once_without_the_one_that_stands_there(scene: Scene) -> None:
    one, two, three = (scene.build(name) for name in ("one", "two", "three"))
    for digest in (one, two, two, one, three, two):
        scene.now += DAY
        scene.move("prod", digest)
    found = propose(scene)
    assert [proposal.promotion.digest for proposal in found] == [three, one]
    assert [(one.promoted.entry.time - START, one.left.entry.time - START) for one in found] == [
        (5 * DAY, 6 * DAY),
        (4 * DAY, 5 * DAY),
    ]
    assert len(propose(scene, most=1)) == 1


def test_a_span_begins_with_the_first_of_moves_to_the_same_image(scene: Scene) -> None:
    one, two = scene.build("one"), scene.build("two")
    first = scene.move("prod", one)
    scene.move("prod", one)
    left = scene.move("prod", two)
    scene.move("prod", two)
    (found,) = propose(scene)
    assert (found.promoted.entry, found.left.entry) == (first, left)


def test_a_channel_that_stood_for_nothing_else_has_no_way_back(scene: Scene) -> None:
    assert propose(scene) == ()
    scene.move("prod", scene.build())
    assert propose(scene) == ()


def test_a_way_back_says_what_it_means_for_the_database(scene: Scene) -> None:
    old, new = scene.build("one", revisions=OLD), scene.build("two", revisions=NEW)
    scene.move("prod", old)
    scene.move("prod", new)
    (back,) = propose(scene)
    assert back.promotion.database.move.danger is Danger.BACKUP
    commands = [(step.image, step.command) for step in back.promotion.database.steps if step.command]
    assert commands == [(new, ("airflow", "db", "downgrade", "--to-revision", "r1", "--yes"))]


def test_what_changes_is_unknown_where_locks_are_not_on_record(scene: Scene) -> None:
    scene.move("prod", scene.build("one"))
    scene.move("prod", scene.build("two"))
    assert propose(scene)[0].changes is None


def test_rolling_back_asks_for_no_approvals_unless_said_so(scene: Scene) -> None:
    one, two = scene.build("one"), scene.build("two")
    scene.move("prod", one)
    scene.move("prod", two)
    scene.channels = channels(f'{RULES}\nrollback = ["approvals"]')
    assert lacking(scene.promote("prod", one, rollback=True)) == ["approvals"]
    scene.channels = channels(f'{RULES}\nrollback = "rules"')
    assert lacking(scene.promote("prod", one, rollback=True)) == ["scan", "approvals"]
    scene.channels = channels(RULES)
    assert lacking(scene.promote("prod", one)) == ["scan", "approvals"]
    done = scene.promote("prod", one, rollback=True)
    assert done.entry is not None
    event = event_of(done.entry, Promoted)
    assert (event.rollback, event.reason, event.before, event.digest) == (True, "why", two, one)
    assert [(check.rule, check.met, check.skipped) for check in event.checks] == [
        ("recorded", True, False),
        ("scan", False, True),
        ("approvals", False, True),
    ]


def test_a_rollback_leads_only_to_what_the_channel_stood_for(scene: Scene) -> None:
    scene.move("prod", scene.build("one"))
    refused = scene.promote("prod", scene.build("two"), rollback=True)
    assert (refused.outcome, lacking(refused)) == ("lacking", ["recorded"])


def test_what_was_rolled_back_from_says_so(scene: Scene) -> None:
    one, two = scene.build("one"), scene.build("two")
    scene.move("prod", one)
    scene.move("prod", two)
    scene.promote("prod", one, BOB, rollback=True)
    (back,) = propose(scene)
    assert (back.promotion.digest, back.left.event.rollback, back.left.event.reason) == (two, True, "why")


def test_the_first_move_of_a_channel_says_that_nothing_is_known(scene: Scene) -> None:
    digest = scene.build(revisions=NEW)
    advice = advise_on_database(scene.ledger, "", digest)
    assert (advice.move.danger, advice.move.reason) == (
        Danger.UNKNOWN,
        "the channel stood for nothing; a new database is made by `airflow db migrate`",
    )


def test_images_without_schemas_on_record_are_unknown(scene: Scene) -> None:
    old, new = scene.build("one"), scene.build("two", revisions=NEW)
    assert advise_on_database(scene.ledger, old, new).move.danger is Danger.UNKNOWN
    assert advise_on_database(scene.ledger, new, old).move.danger is Danger.UNKNOWN


@pytest.mark.parametrize("document", [b"", b'{"format":99}'], ids=["lost", "newer"])
def test_a_history_that_cannot_be_read_leads_to_a_backup(scene: Scene, document: bytes) -> None:
    ((revisions, _),) = NEW
    new = scene.build("two", revisions=[(revisions, b"x")] if not document else NEW)
    strange = Revisions(owner="apache-airflow-core", heads=("r9",), history=make_build().digest)
    old = scene.build("one", revisions=[(strange, document or b"y")])
    assert advise_on_database(scene.ledger, new, old).move.danger is Danger.BACKUP


def test_two_owners_of_one_table_are_known_by_nobody(scene: Scene) -> None:
    ((revisions, document),) = NEW
    twice = [(revisions, document), (Revisions(owner="fork", heads=("r2",), history=revisions.history), document)]
    digest = scene.build("two", revisions=twice)
    (schema,) = read_schemas(scene.ledger, digest)
    assert (schema.heads, schema.history) == ((), None)
    assert advise_on_database(scene.ledger, digest, scene.build("one", revisions=NEW)).move.danger is Danger.BACKUP
