"""Nights by the command line against an index, a mirror and a registry on the loopback: all that may happen, and kill -9 amid it.

Night 1 builds all, night 2 meets a fixed deb, releases, a yank, an index that is down, a stack that cannot be resolved, one
whose tests fail and one that waits for approval; night 3 meets nothing new.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from builder.nightly.model import Night, Result
from builder.usecase.night import IMAGE_STEPS
from builder.wiring.nights import Nights
from tests.support.archive_keys import new_signer
from tests.support.killing import run_and_kill
from tests.support.night_world import FIXED, OWNERS, STACKS, NightState, NightWorld, open_night_world
from tests.support.tools import ROOT, wait_until

pytestmark = [
    pytest.mark.slow,
    pytest.mark.tools,
    pytest.mark.skipif(not all(map(shutil.which, ("gpg", "gpgv", "dpkg-deb"))), reason="needs gpg, gpgv and dpkg-deb"),
]

KILLS = int(os.environ.get("NIGHT_KILLS") or 5)
"""`NIGHT_KILLS=20` takes a minute."""
MOST_A_NIGHT = 5
SEED = int(os.environ.get("KILL_SEED") or random.SystemRandom().randrange(1_000_000))
PROVIDER = "apache-airflow-providers-acme"
MOVED = {
    "deb": (),
    "provider": ((PROVIDER, "1.0", "1.1"),),
    "yanked": (("gamma", "2.0", "1.0"),),
    "waits": (("zeta", "1.0", "2.0"),),
    "fails": (("omega", "1.0", "2.0"),),
}
PUSHED = set(MOVED) - {"fails"}
FINISHED = {Result.DONE, Result.UNCHANGED, Result.SKIPPED}


@dataclass(frozen=True, slots=True, kw_only=True)
class Story:
    """Nights 1 and 2, and where things stood before and after the second."""

    world: NightWorld
    digests: Mapping[str, str]
    """Images of night 1."""
    settled: Mapping[str, Any]
    """A night of which nothing came."""
    before: NightState
    plan: Mapping[str, Any]
    plan_wrote: bool
    refused: str
    """What a second night was told while the other one ran."""
    report: Mapping[str, Any]
    after: NightState
    entries: Mapping[str, int]
    """What night 2 put on record, and how often."""


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Story]:
    root = tmp_path_factory.mktemp("nights")
    with new_signer() as signer, open_night_world(root, signer, int(time.time())) as world:
        first = by_name(world.night())
        assert {name: stack["result"] for name, stack in first.items()} == dict.fromkeys(STACKS, "done") | {
            "waits": "waiting"
        }
        world.approve("waits", "prod", first["waits"]["digest"])
        settled = world.night()
        before = world.save(root / "before")
        let_a_day_pass(world)
        files = world.files()
        plan = world.plan()
        wrote = world.files() != files
        known = len(everything(world))
        world.end_team_index()
        with ThreadPoolExecutor(1) as pool:
            running = pool.submit(world.night, status=1)
            wait_until(lambda: running_night(world) is not None, timeout_s=60, what="the night begins")
            refused = world.project.run("nightly", status=4).flat
            report = running.result()
        world.begin_team_index()
        yield Story(
            world=world,
            digests={name: stack["digest"] for name, stack in first.items()},
            settled=settled,
            before=before,
            plan=plan,
            plan_wrote=wrote,
            refused=refused,
            report=report,
            after=world.save(root / "after"),
            entries=Counter(everything(world)[known:]),
        )


def let_a_day_pass(world: NightWorld) -> None:
    """Change what mirror and index say."""
    world.fix_deb()
    world.release(PROVIDER, "1.1")
    world.release("zeta", "2.0")
    world.release("omega", "2.0")
    world.yank("gamma-2.0-py3-none-any.whl")
    del world.index.files["delta"]["delta-2.0-py3-none-any.whl"]


def test_a_night_of_which_nothing_came_proves_it(story: Story) -> None:
    stacks = by_name(story.settled)
    assert all(stack["same"] for stack in stacks.values())
    assert {name: stack["digest"] for name, stack in stacks.items()} == story.digests
    # But for the move that was approved meanwhile.
    assert {name for name, stack in stacks.items() if stack["result"] != "unchanged"} == {"waits"}


def test_the_plan_names_what_is_affected_and_why_and_writes_nothing(story: Story) -> None:
    moves = [{"name": FIXED, "before": "3.25", "after": "3.25+fix1"}]
    assert [(base["name"], base["changed"], base["moves"]) for base in story.plan["bases"]] == [
        ("still", False, []),
        ("trixie", True, moves),
    ]
    reasons = {stack["name"]: stack["reasons"] for stack in story.plan["stacks"]}
    assert reasons == {
        "deb": [f"base trixie moves: {FIXED}"],
        "provider": [f"indexes say something new of {PROVIDER}"],
        "yanked": ["indexes say something new of gamma"],
        "clash": ["indexes say something new of delta"],
        "child": ["its parent clash would be locked again"],
        "waits": ["indexes say something new of zeta"],
        "fails": ["indexes say something new of omega"],
        "down": [],
        "quiet": [],
    }
    assert not story.plan_wrote


def test_each_stack_ends_as_it_should_and_its_owner_is_told(story: Story) -> None:
    stacks = by_name(story.report)
    assert {name: stack["result"] for name, stack in stacks.items()} == {
        "deb": "done",
        "provider": "done",
        "yanked": "done",
        "down": "failed",
        "clash": "failed",
        "child": "held",
        "fails": "failed",
        "waits": "waiting",
        "quiet": "unchanged",
    }
    assert {name: tuple(stack["owners"]) for name, stack in stacks.items()} == {
        name: (owner,) for name, owner in OWNERS.items()
    }
    for name, moves in MOVED.items():
        assert tuple((one["name"], one["before"], one["after"]) for one in stacks[name]["moves"]) == moves
        assert stacks[name]["digest"] != story.digests[name]
        assert not stacks[name]["same"]
    assert "Connection refused" in stacks["down"]["failed"]
    assert "stack clash asks for delta>=2" in stacks["clash"]["failed"]
    assert stacks["fails"]["failed"].startswith("test: stack fails/omega.sh failed: ")
    assert "omega 2.0 is not known to work" in stacks["fails"]["failed"]
    assert stacks["child"]["held"] == "stands on stack clash, whose lock failed"
    assert stacks["waits"]["waits"] == "prod: approvals: 0 of 1"
    assert (stacks["quiet"]["same"], stacks["quiet"]["digest"]) == (True, story.digests["quiet"])
    text = (story.world.project.folder / f"build/nights/{story.report['night']}/report.md").read_text()
    shown = {
        section.partition("\n")[0]: {name for name in OWNERS if f"**{name}** ({OWNERS[name]})" in section}
        for section in text.split("\n## ")[1:]
    }
    assert shown == {
        "Failed": {"down", "clash", "fails"},
        "Needs a person": {"waits"},
        "Held": {"child"},
        "Bases": set(),
        "Changed": PUSHED,
        "Unchanged, by digest": set(),
    }
    unchanged = text.partition("## Unchanged")[2]
    assert story.digests["quiet"] in unchanged
    assert "quiet" in unchanged


def test_what_is_not_affected_is_as_it_was_on_disk_in_the_registry_and_on_record(story: Story) -> None:
    for name in set(STACKS) - set(MOVED):
        lock = f"project/locks/pylock.{name}.toml"
        assert (story.before.folder / lock).read_bytes() == (story.after.folder / lock).read_bytes()
        assert (story.before.folder / f"project/build/{name}/index.json").read_bytes() == (
            story.after.folder / f"project/build/{name}/index.json"
        ).read_bytes()
    new = {tag: digest for tag, digest in story.after.tags.items() if tag not in story.before.tags}
    assert {tag: story.after.tags[tag] for tag in story.before.tags} == story.before.tags
    stacks = by_name(story.report)
    assert sorted(new.values()) == sorted(stacks[name]["digest"] for name in PUSHED)
    assert Counter(key.split()[0] for key in story.entries) == {
        "lock": 5, "build": 5, "push": 4, "promotion": 7, "request": 1, "night": 1
    }  # fmt: skip
    assert {key.split()[1] for key in story.entries if not key.startswith("night")} == set(MOVED)
    [entry] = [key for key in story.entries if key.startswith("night")]
    assert json.loads(entry.partition(" ")[2]) == {
        name: [stack["result"], stack["digest"], stack["same"]] for name, stack in stacks.items()
    }


def test_a_second_night_is_refused_by_the_name_of_who_runs_the_first(story: Story) -> None:
    assert f"a night of {story.report['by']} (process " in story.refused
    assert "is running" in story.refused


def test_a_night_after_which_nothing_moved_changes_nothing(story: Story) -> None:
    world = story.world
    world.restore(story.after)
    kept = world.index.files["delta"]
    world.index.offer("delta", "2.0")
    try:
        locks, tags = world.locks(), world.tags()
        report = world.night(status=1)
    finally:
        del kept["delta-2.0-py3-none-any.whl"]
    stacks = by_name(report)
    assert all(stack["same"] for stack in stacks.values())
    assert {name: stack["result"] for name, stack in stacks.items() if stack["result"] != "unchanged"} == {
        "waits": "waiting",
        "fails": "failed",
    }
    assert {name: stack["digest"] for name, stack in stacks.items()} == last_digests(story)
    assert (world.locks(), world.tags(), world.sent) == (locks, tags, Counter())
    [entry] = world.entries("night")[-1:]
    assert {one["stack"]: (one["digest"], one.get("same", False)) for one in entry.data["results"]} == {
        name: (digest, True) for name, digest in last_digests(story).items()
    }
    assert "whole" in world.project.run("ledger", "verify").stdout


def test_a_killed_night_is_gone_on_with_to_the_same_digests_and_nothing_is_done_twice(story: Story) -> None:
    world, moments = story.world, random.Random(SEED)  # noqa: S311  no secret
    print(f"KILL_SEED={SEED}")  # noqa: T201  pytest shows it when the test fails
    all_steps = len(nights_in(story.after.folder / "project").read(story.report["night"]).latest())
    all_steps += len(IMAGE_STEPS)  # The team's index answers here.
    for done in range(0, KILLS, MOST_A_NIGHT):
        world.restore(story.before)
        for number in range(min(MOST_A_NIGHT, KILLS - done)):
            kill(story, moments, number, all_steps)
        nights = nights_in(world.project.folder)
        is_over = nights.unfinished() is None
        check_killed(story, world.night(*(("--show", nights.names()[-1]) if is_over else ()), status=1))


def kill(story: Story, moments: random.Random, number: int, all_steps: int) -> None:
    """Run the night and kill it, a moment after so many of its steps have ended."""
    world = story.world
    steps = round((number + moments.random()) / MOST_A_NIGHT * all_steps)
    after_s = moments.random() * (0.3 if number else 1.5)

    def is_so_far() -> bool:
        night = running_night(world)
        return not number or (night is not None and len(night.latest()) >= steps)

    killed = run_and_kill(
        world.project.argv("nightly"), world.project.environment(), ROOT, after_s=after_s, once=is_so_far
    )
    over = ", was over" if killed.over else ""
    print(f"killed {after_s:.2f} s after {steps if number else 0} of {all_steps} steps{over}")  # noqa: T201


def check_killed(story: Story, report: Mapping[str, Any]) -> None:
    """See that a night that was killed came out as the one that was not, and did what it did once."""
    world = story.world
    nights, known = nights_in(world.project.folder), story.after.folder / "project"
    assert len(nights.names()) == len(nights_in(known).names())
    stacks, expected = by_name(report), by_name(story.report)
    for name in set(STACKS) - {"down"}:
        assert {key: stacks[name][key] for key in ("result", "digest", "moves", "same", "pull_bytes", "failed")} == {
            key: expected[name][key] for key in ("result", "digest", "moves", "same", "pull_bytes", "failed")
        }
    assert (stacks["down"]["result"], stacks["down"]["same"]) == ("unchanged", True)
    assert [base["moves"] for base in report["bases"]] == [base["moves"] for base in story.report["bases"]]
    night = nights.read(report["night"])
    finished = Counter((one.node, one.step) for one in night.steps if one.result in FINISHED)
    assert [key for key, count in finished.items() if count > 1] == []
    assert set(world.sent.values()) <= {1}
    assert {name: digest for (_, name), digest in story.after.tags.items()} == world.tags()
    recorded = Counter(everything(world)[-sum(story.entries.values()) :])
    assert {key: count for key, count in recorded.items() if not key.startswith("night")} == {
        key: count for key, count in story.entries.items() if not key.startswith("night")
    }
    assert "whole" in world.project.run("ledger", "verify").stdout
    assert (world.project.folder / "build/nights/lock").read_bytes() == b""
    assert names_in(world.project.folder) == names_in(known)


def names_in(project: Path) -> set[str]:
    """List files of a project, but for those of nights, the ledger's own, and names that `fetch` gives to files of the store."""
    names = (str(path.relative_to(project)) for path in project.rglob("*") if path.is_file())
    return {name for name in names if not name.startswith(("build/nights/", "ledger.db", "locks/files/"))}


def by_name(report: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Map stacks of a report by name."""
    return {stack["name"]: stack for stack in report["stacks"]}


def last_digests(story: Story) -> dict[str, str]:
    """Map stacks to the image that they had after night 2."""
    return {**story.digests, **{name: by_name(story.report)[name]["digest"] for name in MOVED}}


def running_night(world: NightWorld) -> Night | None:
    """Read the night that is not over or not on record; None where there is none."""
    return nights_in(world.project.folder).unfinished()


def nights_in(project: Path) -> Nights:
    """Open the nights of a project."""
    return Nights(root=project / "build/nights")


def everything(world: NightWorld) -> list[str]:
    """List what nights put on record, without times: kind, stack and what of."""
    found = []
    for kind in ("lock", "build", "push", "promotion", "request", "night"):
        for entry in world.entries(kind):
            data = entry.data
            if kind == "night":
                rows = {
                    one["stack"]: [one["result"], one.get("digest", ""), one.get("same", False)]
                    for one in data["results"]
                }
                found.append((entry.number, f"night {json.dumps(rows)}"))
            else:
                what = data.get("digest", data.get("lock"))
                found.append((entry.number, f"{kind} {data['stack']} {what} {data.get('channel', '')}"))
    return [text for _, text in sorted(found)]
