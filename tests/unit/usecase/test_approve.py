"""Somebody agrees, or takes it back: who may, and what is said otherwise."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from builder.digest import Digest
from builder.errors import LedgerError, PromotionError
from builder.ledger.events import Approved
from builder.ledger.queries import event_of
from builder.policy.rules import dump_rules
from tests.support.channels import ALICE, BOB, CAROL, DAY, Scene, channels, found_of, person

RULES = """
[[channels]]
name = "dev"

[[channels]]
name = "prod"
approvals = 1
approvals-age = "14d"
approvers = ["bob", "carol"]
"""


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    with Scene(tmp_path, RULES) as made:
        yield made


def test_an_approval_is_bound_to_image_channel_and_rules(scene: Scene) -> None:
    digest = scene.build()
    done = scene.approve(digest[:19], BOB)
    assert done.entry is not None
    event = event_of(done.entry, Approved)
    assert (event.stack, event.channel, event.digest) == ("core", "prod", digest)
    assert scene.ledger.document(Digest.parse(event.rules)) == dump_rules(scene.rules("prod"))
    assert (len(done.approvals.counting), done.approvals.are_enough) == (1, True)


def test_the_same_approval_is_recorded_once(scene: Scene) -> None:
    digest = scene.build()
    scene.approve(digest, BOB)
    again = scene.approve(digest, BOB)
    assert again.entry is None
    assert again.approvals.are_enough


def test_an_approval_that_does_not_count_any_more_can_be_given_again(scene: Scene) -> None:
    digest = scene.build()
    scene.approve(digest, BOB)
    scene.now += 15 * DAY
    assert scene.approve(digest, BOB).entry is not None
    scene.channels = channels(RULES.replace("14d", "15d"))
    assert scene.approve(digest, BOB).entry is not None


def test_who_asked_for_the_move_cannot_approve_it(scene: Scene) -> None:
    digest = scene.build()
    scene.request(digest, BOB)
    with pytest.raises(PromotionError) as caught:
        scene.approve(digest, BOB)
    assert (
        str(caught.value) == "core prod: bob asked for this move, and cannot approve it\n  somebody else has to agree"
    )
    # For another image he is like everybody.
    assert scene.approve(scene.build("two"), BOB).entry is not None


@pytest.mark.parametrize("actor", [ALICE, person("bob", method="oidc")], ids=["alice", "other-method"])
def test_only_approvers_may(scene: Scene, actor: object) -> None:
    digest = scene.build()
    with pytest.raises(PromotionError) as caught:
        scene.approve(digest, actor)  # type: ignore[arg-type]
    assert str(caught.value).endswith("is no approver\n  stacks/channels.toml names bob, carol")


def test_an_approval_is_taken_back(scene: Scene) -> None:
    digest = scene.build()
    scene.approve(digest, BOB)
    gone = scene.approve(digest, BOB, withdraw=True)
    assert (gone.withdrawn, gone.approvals.counting) == (True, ())
    assert found_of(scene.promote("prod", digest))["approvals"] == "0 of 1; that of bob was taken back"
    with pytest.raises(PromotionError, match="there is no approval of bob to take back"):
        scene.approve(digest, BOB, withdraw=True)
    with pytest.raises(PromotionError, match="there is no approval of carol to take back"):
        scene.approve(digest, CAROL, withdraw=True)


def test_a_channel_that_asks_for_none_takes_none(scene: Scene) -> None:
    digest = scene.build()
    with pytest.raises(PromotionError, match="core dev: the channel asks for no approvals"):
        scene.approve(digest, BOB, "dev")


def test_what_is_not_on_record_cannot_be_approved(scene: Scene) -> None:
    with pytest.raises(LedgerError, match="the ledger knows no such digest"):
        scene.approve("abcdef", BOB)
    with pytest.raises(PromotionError, match="is an image of the stack aws, not of core"):
        scene.approve(scene.build(stack="aws"), BOB)
