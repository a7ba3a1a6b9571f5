"""Channels in a night: moved in their order where rules are met, asked for where approvals lack, judged as `promote` judges."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from builder.digest import Digest
from builder.finding.document import dump_findings
from builder.finding.gate import Given
from builder.ledger.events import Requested
from builder.ledger.model import NewDocument
from builder.nightly.model import Result, Step, StepDone
from builder.usecase.night_channels import move_channels
from tests.support.channels import BOB, NIGHTLY, Scene
from tests.support.findings import NOW, finding, findings, scan_event, waiver

RULES = """\
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


def move(scene: Scene, digest: str, *channels: str, given: Given | None = None) -> StepDone:
    wanted = [scene.rules(channel) for channel in channels or ("dev", "staging", "prod")]
    return move_channels(scene.ledger, "core", digest, wanted, NIGHTLY, scene.clock, given=given)


def outcomes(done: StepDone) -> dict[str, str]:
    return {row["channel"]: row["outcome"] for row in done.facts["channels"]}


def test_channels_move_as_far_as_their_rules_are_met_and_approval_is_asked_for(scene: Scene) -> None:
    digest = scene.build()
    scene.test(digest)
    done = move(scene, digest)
    assert (done.node, done.step, done.key, done.result) == ("stack:core", Step.CHANNELS, digest, Result.WAITING)
    assert outcomes(done) == {"dev": "promoted", "staging": "promoted", "prod": "requested"}
    assert done.reason == "prod: approvals: 0 of 1"


def test_what_lacks_is_named_for_each_channel(scene: Scene) -> None:
    done = move(scene, scene.build())
    assert outcomes(done) == {"dev": "promoted", "staging": "lacking", "prod": "requested"}
    assert [line.partition(":")[0] for line in done.reason.splitlines()] == ["staging", "prod"]
    assert "tests: " in done.reason


def test_the_next_night_asks_no_second_time_and_moves_once_it_is_approved(scene: Scene) -> None:
    digest = scene.build()
    scene.test(digest)
    move(scene, digest)
    assert outcomes(move(scene, digest)) == {"dev": "unchanged", "staging": "unchanged", "prod": "requested"}
    assert len(scene.ledger.find("kind", Requested.kind)) == 1
    scene.approve(digest, BOB)
    done = move(scene, digest)
    assert (done.result, done.reason) == (Result.DONE, "")
    assert outcomes(done) == {"dev": "unchanged", "staging": "unchanged", "prod": "promoted"}
    assert move(scene, digest).result is Result.UNCHANGED


def test_of_another_image_it_is_asked_for_again(scene: Scene) -> None:
    first, second = scene.build("one"), scene.build("two")
    for digest in (first, second):
        scene.test(digest)
        assert outcomes(move(scene, digest))["prod"] == "requested"
    assert {entry.data["digest"] for entry in scene.ledger.find("kind", Requested.kind)} == {first, second}


def test_waived_findings_let_a_channel_move_and_others_do_not(tmp_path: Path) -> None:
    with Scene(tmp_path, '[[channels]]\nname = "dev"\nscan = "clean-or-waived"\n') as scene:
        scene.now = NOW
        digest = scene.build()
        found = dump_findings(findings(finding(), digest=digest, stack="core"))
        event = scan_event(digest, findings=str(Digest.of(found)))
        scene.record(event, documents=[NewDocument(data=found)])
        assert outcomes(move(scene, digest, "dev")) == {"dev": "lacking"}
        waived = Given(waivers=(waiver(stack="core"),))
        assert outcomes(move(scene, digest, "dev", given=waived)) == {"dev": "promoted"}
