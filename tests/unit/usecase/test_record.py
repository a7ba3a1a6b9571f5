"""What is recorded of locks, builds and pushes: once, with documents, and what moved since the one before."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from builder.digest import Digest
from builder.errors import MissingBlobError
from builder.ledger.check import check_ledger
from builder.ledger.database import SqliteLedger
from builder.ledger.events import Built, Locked, Pushed
from builder.ledger.parts import Move, TagMove
from builder.ledger.queries import complete_digest, event_of, find_image, places_of
from builder.lock.pylock import dump_stack_lock
from builder.usecase.build import BuildRequest, BuildTools, build
from builder.usecase.record import (
    BuildDone,
    blob_reader,
    knows_build,
    read_lock_files,
    record_build,
    record_lock,
    record_push,
    tag_moves,
)
from tests.support.ledgers import ALICE, Ticking, digest_of, make_ledger
from tests.support.made_up import World, bump, make_world, write_locks


@pytest.fixture
def world(tmp_path: Path) -> World:
    world = make_world(tmp_path)
    write_locks(world, tmp_path / "locks")
    return world


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[SqliteLedger]:
    make_ledger(tmp_path / "ledger.db")
    with SqliteLedger(tmp_path / "ledger.db", Ticking(), write=True) as opened:
        yield opened
    assert check_ledger(tmp_path / "ledger.db", documents=True).problems == ()


def build_it(world: World, output: str = "out") -> tuple[BuildRequest, Mapping[str, Any]]:
    tools = BuildTools(files=world.files, artefacts=world.artefacts, compilers=world.compilers, jobs=2)
    request = BuildRequest(stack="tiny", locks=world.root / "locks", output=world.root / output)
    return request, build(request, tools)


def record(ledger: SqliteLedger, request: BuildRequest, summary: Mapping[str, Any]) -> Built:
    done = BuildDone(
        locks=read_lock_files(request.locks, request.stack),
        summary=summary,
        read=blob_reader(request.output),
        engine="airflow-kubler",
        compression="zstd",
        seconds=1.23456,
    )
    return event_of(record_build(ledger, done, ALICE), Built)


def move_one(world: World) -> None:
    """Lock the made-up stack again with another version of one project."""
    write_locks(bump(world), world.root / "locks")


def test_a_build_is_known_with_all_its_documents(world: World, ledger: SqliteLedger) -> None:
    request, summary = build_it(world)
    built = record(ledger, request, summary)
    assert (built.digest, built.stack, built.seconds) == (summary["index_digest"], "tiny", 1.235)
    assert [one.platform for one in built.platforms] == ["linux/amd64", "linux/arm64"]
    lock = (request.locks / "pylock.tiny.toml").read_bytes()
    assert ledger.document(Digest.parse(built.lock)) == lock
    index = json.loads(ledger.document(Digest.parse(built.digest)) or b"")
    for one, descriptor in zip(built.platforms, index["manifests"], strict=True):
        assert one.manifest == descriptor["digest"]
        manifest = json.loads(ledger.document(Digest.parse(one.manifest)) or b"")
        assert one.config == manifest["config"]["digest"]
        assert one.size_bytes == sum(layer["size"] for layer in manifest["layers"])
        assert ledger.document(Digest.parse(one.config)) is not None
        found = find_image(ledger, one.config)
        assert found is not None
        assert found.built == built


def test_a_build_in_one_tar_file_is_known_alike(world: World, ledger: SqliteLedger) -> None:
    request, summary = build_it(world, "image.tar")
    built = record(ledger, request, summary)
    assert ledger.document(Digest.parse(built.digest)) is not None


def test_the_same_build_again_is_known(world: World, ledger: SqliteLedger) -> None:
    request, summary = build_it(world)
    assert not knows_build(ledger, request.locks, summary, "airflow-kubler")
    record(ledger, request, summary)
    assert knows_build(ledger, request.locks, summary, "airflow-kubler")
    assert not knows_build(ledger, request.locks, summary, "buildkit")
    move_one(world)
    assert not knows_build(ledger, request.locks, summary, "airflow-kubler")


def test_documents_of_the_next_build_take_little(world: World, ledger: SqliteLedger) -> None:
    record(ledger, *build_it(world))
    move_one(world)
    built = record(ledger, *build_it(world))
    connection = ledger._connection
    rows = connection.execute(
        "SELECT depth FROM documents WHERE digest IN (?, ?)", (built.lock, built.digest)
    ).fetchall()
    assert rows == [(1,), (1,)]


def test_a_build_whose_documents_are_gone_is_not_recorded(world: World, ledger: SqliteLedger) -> None:
    request, summary = build_it(world)
    (request.output / "blobs" / summary["index_digest"].replace(":", "/")).unlink()
    with pytest.raises(MissingBlobError):
        record(ledger, request, summary)
    assert ledger.head().size == 1


def test_a_lock_is_recorded_once_and_says_what_moved(world: World, ledger: SqliteLedger) -> None:
    folder = world.root / "locks"
    first = record_lock(ledger, read_lock_files(folder, "tiny"), ALICE)
    assert first is not None
    assert event_of(first, Locked).moves == ()
    assert record_lock(ledger, read_lock_files(folder, "tiny"), ALICE) is None
    move_one(world)
    second = record_lock(ledger, read_lock_files(folder, "tiny"), ALICE)
    assert second is not None
    event = event_of(second, Locked)
    assert event.before == event_of(first, Locked).lock
    assert event.moves == (Move(name="alpha", before="1.0", after="1.1"),)
    assert event.base_moves == ()


def test_a_lock_that_was_built_is_known(world: World, ledger: SqliteLedger) -> None:
    record(ledger, *build_it(world))
    assert record_lock(ledger, read_lock_files(world.root / "locks", "tiny"), ALICE) is None


def test_pushes_say_where_an_image_is_and_nothing_new_is_not_told_again(ledger: SqliteLedger) -> None:
    digest, repository = digest_of("image"), "registry.example.org/team/airflow"
    moves = tag_moves(("core-20261130.01", "dev"), {"dev": Digest.of(b"old")}, Digest.of(b"image"))
    assert moves == (TagMove(tag="core-20261130.01"), TagMove(tag="dev", before=digest_of("old")))
    first = Pushed(digest=digest, repository=repository, stack="core", tags=moves, sent_bytes=7)
    again = Pushed(digest=digest, repository=repository, stack="core")
    assert record_push(ledger, first, ALICE) is not None
    assert record_push(ledger, again, ALICE) is None
    elsewhere = replace_repository(again, "other.example.org/airflow")
    assert record_push(ledger, elsewhere, ALICE) is not None
    assert [(place.repository, place.tag) for place in places_of(ledger, digest)] == [
        ("other.example.org/airflow", ""),
        (repository, "core-20261130.01"),
    ]


def replace_repository(pushed: Pushed, repository: str) -> Pushed:
    return Pushed(digest=pushed.digest, repository=repository, stack=pushed.stack)


def test_the_beginning_of_a_digest_names_the_one_that_begins_so(world: World, ledger: SqliteLedger) -> None:
    built = record(ledger, *build_it(world))
    assert complete_digest(ledger, built.digest[:19]) == built.digest
    assert complete_digest(ledger, built.digest.removeprefix("sha256:")[:12]) == built.digest
    assert complete_digest(ledger, digest_of("unheard of")) == digest_of("unheard of")
    with pytest.raises(Exception, match="the ledger knows no such digest"):
        complete_digest(ledger, "sha256:ffffffffffff" if not built.digest.startswith("sha256:ffff") else "000000")
    with pytest.raises(Exception, match=r"not the beginning of one\n  write more of it"):
        complete_digest(ledger, "sha256:")


def test_a_parents_lock_is_what_a_childs_first_is_kept_beside(world: World, ledger: SqliteLedger) -> None:
    folder = world.root / "locks"
    files = read_lock_files(folder, "tiny")
    record_lock(ledger, files, ALICE)
    child = replace(files.stack, stack="child", parents=("tiny",))
    data = dump_stack_lock(child)
    record_lock(ledger, replace(files, stack=child, stack_bytes=data), ALICE)
    connection = ledger._connection
    row = connection.execute("SELECT depth FROM documents WHERE digest = ?", (str(Digest.of(data)),)).fetchone()
    assert row == (1,)
