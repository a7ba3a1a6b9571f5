"""What channels stand for, and what waits."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from builder.errors import IssuesError, StackError
from builder.project import open_project
from builder.usecase.channel_evidence import find_standing, load_channels
from builder.usecase.channels import ChannelLine, list_channels
from tests.support.channels import ALICE, BOB, CAROL, DAY, START, Scene, channels

RULES = """
[[channels]]
name = "dev"

[[channels]]
name = "prod"
approvals = 2
"""


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    with Scene(tmp_path, RULES) as made:
        yield made


def lines(scene: Scene) -> dict[str, ChannelLine]:
    return {line.channel: line for line in list_channels(scene.ledger, scene.channels, ["core"], scene.now)}


def test_channels_come_in_the_order_of_the_rules_moved_or_not(scene: Scene) -> None:
    digest = scene.build()
    scene.move("dev", digest)
    found = lines(scene)
    assert list(found) == ["dev", "prod"]
    assert (found["prod"].standing, found["prod"].promoted, found["prod"].built) == (None, None, None)
    standing, promoted = found["dev"].standing, found["dev"].promoted
    assert standing is not None
    assert promoted is not None
    assert (standing.digest, found["dev"].built, promoted.entry.actor) == (digest, START, ALICE)


def test_since_when_a_channel_stands_for_an_image_counts_from_the_first_of_its_moves(scene: Scene) -> None:
    one, two = scene.build("one"), scene.build("two")
    for digest in (one, two, one, one):
        scene.now += DAY
        scene.move("dev", digest)
    standing = find_standing(scene.ledger, "core", "dev")
    assert standing is not None
    assert (standing.since, len(standing.promotions)) == (START + 3 * DAY, 2)


def test_a_long_time_is_followed_page_by_page(scene: Scene) -> None:
    digest = scene.build()
    first = scene.move("dev", digest)
    for _ in range(120):
        scene.move("dev", digest)
    standing = find_standing(scene.ledger, "core", "dev")
    assert standing is not None
    assert standing.promotions[-1].entry == first


def test_a_channel_that_is_in_no_rule_any_more_is_shown(scene: Scene) -> None:
    scene.move("dev", scene.build())
    scene.channels = channels('[[channels]]\nname = "prod"')
    assert list(lines(scene)) == ["prod", "dev"]


def test_what_waits_is_what_was_asked_for_since_the_channel_last_moved(scene: Scene) -> None:
    one, two, three = (scene.build(name) for name in ("one", "two", "three"))
    scene.request(one, ALICE)
    scene.move("prod", one)
    assert lines(scene)["prod"].waiting == ()
    scene.request(two, ALICE)
    scene.request(three, BOB)
    scene.request(two, BOB)
    scene.agree(two, CAROL)
    waiting = lines(scene)["prod"].waiting
    assert [(one.request.event.digest, one.request.entry.actor) for one in waiting] == [(two, BOB), (three, BOB)]
    assert [len(one.approvals.counting) for one in waiting] == [1, 0]
    assert waiting[0].approvals.wanted == 2


def make_project(folder: Path, text: str | None) -> Path:
    (folder / "stacks/core").mkdir(parents=True)
    (folder / "stacks/core/stack.toml").write_text('description = "x"\nextends = "y"\n')
    if text is not None:
        (folder / "stacks/channels.toml").write_text(text)
    return folder


def test_rules_are_read_from_the_project(tmp_path: Path) -> None:
    project = open_project(make_project(tmp_path, RULES + 'stacks = ["core"]'))
    assert load_channels(project).rules_for("core", "prod").approvals == 2


def test_a_project_without_rules_is_told_and_wrong_ones_too(tmp_path: Path) -> None:
    project = open_project(make_project(tmp_path, None))
    with pytest.raises(StackError, match=r"stacks/channels\.toml: is not there\n  docs/channels\.md shows one"):
        load_channels(project)
    project.channels_path.write_text(RULES + 'stacks = ["cor"]')
    with pytest.raises(IssuesError, match="no stack 'cor'\n  did you mean 'core'"):
        load_channels(project)
