"""What a night says of locks and images: where all stood, what moved, what nodes pull."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from builder.digest import Digest
from builder.ledger.database import SqliteLedger
from builder.ledger.events import Locked
from builder.ledger.model import NewEntry
from builder.ledger.parts import Move
from builder.nightly.model import BaseBefore, Before
from builder.usecase.lock import lock_stacks
from builder.usecase.lock_model import LockOptions
from builder.usecase.night_facts import (
    base_facts,
    find_base_before,
    find_before,
    image_facts,
    layout_digest,
    lock_facts,
    recorded_moves,
)
from tests.support.ledgers import Ticking, digest_of, make_ledger
from tests.support.lock_world import AIRFLOW_STACK, CHILD_STACK, World, make_project


def layer(name: str, size: int) -> dict[str, object]:
    return {"digest": digest_of(name), "size_bytes": size}


def test_stacks_stand_where_their_locks_do_and_one_without_stands_nowhere(tmp_path: Path) -> None:
    project = make_project(tmp_path, core=AIRFLOW_STACK, child=CHILD_STACK)
    lock_stacks(project, World().tools(project), ["core"])
    lock = str(Digest.of(project.stack_lock_path("core").read_bytes()))
    assert find_before(project, None, ["core", "child"]) == {"core": Before(lock=lock), "child": Before()}


def test_bases_stand_where_their_locks_do_with_their_debs(tmp_path: Path) -> None:
    project = make_project(tmp_path)
    assert find_base_before(project, ["trixie"]) == {"trixie": BaseBefore()}
    lock_stacks(project, World().tools(project))
    lock = str(Digest.of(project.base_lock_path("trixie").read_bytes()))
    assert find_base_before(project, ["trixie"]) == {"trixie": BaseBefore(lock=lock, debs={"bash": "5"})}


def test_debs_that_came_went_and_moved_are_named(tmp_path: Path) -> None:
    lock = World().base_lock(make_project(tmp_path), "trixie")
    [bash] = lock.debs
    after = replace(
        lock, debs=(bash, replace(bash, package="new", version="1"), replace(bash, package="up", version="2"))
    )
    before = BaseBefore(lock="sha256:1", debs={"bash": "5", "gone": "1", "up": "1"})
    assert base_facts(before, after) == {
        "moves": [
            {"name": "gone", "before": "1", "after": ""},
            {"name": "new", "before": "", "after": "1"},
            {"name": "up", "before": "1", "after": "2"},
        ]
    }


def test_a_lock_s_facts_name_what_moved(tmp_path: Path) -> None:
    project, world = make_project(tmp_path), World()
    lock_stacks(project, world.tools(project))
    world.offers["alpha"] = "2.0"
    [change] = lock_stacks(project, world.tools(project), ["core"], LockOptions(upgrade=True)).stacks
    facts = lock_facts(change)
    assert facts["moves"] == [{"name": "alpha", "before": "1.0", "after": "2.0"}]
    assert facts["candidates"] == 2


def test_nodes_pull_the_layers_that_they_do_not_hold_of_the_largest_platform() -> None:
    summary = {
        "index_digest": digest_of("image"),
        "platforms": {
            "linux/amd64": {"layers": [layer("a", 100), layer("b", 20), layer("c", 3)]},
            "linux/arm64": {"layers": [layer("x", 1)]},
        },
    }
    assert image_facts(summary, Before(layers={digest_of("a"): 100, digest_of("old"): 7})) == {
        "digest": digest_of("image"),
        "platform": "linux/amd64",
        "size_bytes": 123,
        "pull_bytes": 23,
        "layers": 3,
    }


def test_a_folder_without_a_layout_has_no_image(tmp_path: Path) -> None:
    assert layout_digest(tmp_path / "none") == ""
    (tmp_path / "index.json").write_text("{")
    assert layout_digest(tmp_path) == ""


def test_moves_are_recalled_from_the_entry_of_the_lock(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    locked = Locked(
        stack="core",
        lock=digest_of("lock"),
        base="trixie",
        base_lock=digest_of("base"),
        airflow="3.3.2",
        moves=(Move(name="alpha", before="1.0", after="2.0"),),
    )
    make_ledger(path, [NewEntry(event=locked)])
    with SqliteLedger(path, Ticking(), write=False) as ledger:
        moves = [{"name": "alpha", "before": "1.0", "after": "2.0"}]
        assert recorded_moves(ledger, "core", digest_of("lock")) == moves
        assert recorded_moves(ledger, "child", digest_of("lock")) == []
        assert recorded_moves(ledger, "core", digest_of("other")) == []
