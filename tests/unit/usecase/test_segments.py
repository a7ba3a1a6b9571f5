"""Segments from a registry: what one machine compiled, another does not; nothing unpinned or damaged is used."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from builder.archive.segments import dump_record, dump_set, parse_record, parse_set
from builder.digest import Digest
from builder.errors import IntegrityError, InvalidInputError, LockInvalidError
from builder.oci.descriptor import describe
from builder.registry.model import Repository, parse_repository
from builder.store.artefacts import DirectoryArtefactStore
from builder.usecase.build import BuildRequest, BuildTools, build
from builder.usecase.segments import (
    RemoteSegments,
    plan_segments,
    push_segments,
    record_set,
    recorded_set,
    used_segments,
    with_segments,
)
from tests.support.made_up import FakeCompilers, World, bump, make_world, write_locks
from tests.support.registries import Fault, SmallRegistry, always
from tests.support.registry_images import client, close_clients


@dataclass
class Machine:
    """One with its own cache."""

    world: World
    name: str
    told: list[str] = field(default_factory=list)
    compilers: FakeCompilers = field(default_factory=FakeCompilers)

    @property
    def tools(self) -> BuildTools:
        cache = DirectoryArtefactStore(self.world.root / self.name, durable=False)
        return BuildTools(files=self.world.files, artefacts=cache, compilers=self.compilers, jobs=2)

    @property
    def request(self) -> BuildRequest:
        return BuildRequest(stack="tiny", locks=self.world.root / "locks", output=self.world.root / self.name / "out")

    def push(self, repository: Repository) -> Digest:
        segments = used_segments(self.request, self.tools)
        plan, places = plan_segments(client(), repository, "tiny", segments, ("segments-tiny",))
        push_segments(client(), plan, places)
        record_set(self.request.locks, "tiny", plan.root.digest)
        return plan.root.digest

    def build(self, repository: Repository | None = None) -> dict[str, Any]:
        """Build, with the pinned set where a repository is given."""
        if repository is None:
            return build(self.request, self.tools)
        pinned = recorded_set(self.request.locks, "tiny")
        assert pinned is not None
        remote = RemoteSegments(self.tools.artefacts, client(), repository.at(pinned), self.told.append)
        return build(self.request, with_segments(self.tools, remote))


@pytest.fixture
def small() -> Iterator[SmallRegistry]:
    with SmallRegistry() as served:
        yield served
        close_clients()


@pytest.fixture
def repository(small: SmallRegistry) -> Repository:
    return parse_repository(f"{small.host}/segments")


@pytest.fixture
def world(tmp_path: Path) -> World:
    world = make_world(tmp_path)
    write_locks(world, tmp_path / "locks")
    return world


def test_what_one_machine_compiled_another_does_not(world: World, repository: Repository) -> None:
    one, other = Machine(world, "one"), Machine(world, "other")
    one.push(repository)
    assert other.build(repository) == one.build()
    assert (one.compilers.opened, other.compilers.opened) == (1, 0)
    assert other.told == []


def test_after_a_change_only_what_changed_is_made(world: World, repository: Repository) -> None:
    Machine(world, "one").push(repository)
    newer = bump(world)
    write_locks(newer, world.root / "locks")
    other, alone = Machine(newer, "other"), Machine(newer, "alone")
    sent = client().tags(repository)
    assert other.build(repository) == alone.build()
    assert other.told == []
    assert sent == ("segments-tiny",)


def test_pushing_again_sends_nothing(world: World, repository: Repository) -> None:
    one = Machine(world, "one")
    first = one.push(repository)
    plan, _ = plan_segments(client(), repository, "tiny", used_segments(one.request, one.tools), ("segments-tiny",))
    assert (plan.root.digest, plan.bytes_to_send, plan.stale_tags) == (first, 0, ())


def test_after_a_change_only_new_segments_are_sent_and_only_missing_ones_fetched(
    world: World, repository: Repository, small: SmallRegistry
) -> None:
    def moved(method: str, part: str) -> int:
        count = small.count(method, part)
        small.asked.clear()
        return count

    one, other = Machine(world, "one"), Machine(world, "other")
    one.push(repository)
    whole = moved("PUT", "/uploads/")
    other.build(repository)
    assert moved("GET", "/blobs/") == whole - 1
    newer = bump(world)
    write_locks(newer, world.root / "locks")
    one, other = replace(one, world=newer), replace(other, world=newer, told=[])
    one.push(repository)
    assert small.count("HEAD", "/blobs/") <= 1
    assert moved("PUT", "/uploads/") == 1
    assert other.build(repository) == one.build()
    assert moved("GET", "/blobs/") == 1
    assert other.told == []


def test_a_poisoned_segment_is_made_instead(world: World, repository: Repository, small: SmallRegistry) -> None:
    one, other = Machine(world, "one"), Machine(world, "other")
    one.push(repository)
    held = small.state.blobs
    for key, data in list(held.items()):
        held[key] = data[:-1] + bytes([data[-1] ^ 1]) if len(data) > 2 else data
    assert other.build(repository) == one.build()
    assert other.compilers.opened == 1
    assert other.told
    assert all("is made here" in line for line in other.told)


def test_another_set_under_the_tag_is_not_looked_at(world: World, repository: Repository) -> None:
    one, other = Machine(world, "one"), Machine(world, "other")
    pinned = one.push(repository)
    evil = describe("application/vnd.airflow-kubler.segment.v1", b"evil")
    client().push_blob(repository, evil, lambda offset: iter([b"evil"[offset:]]))
    keys = used_segments(one.request, one.tools)
    client().push_manifest(
        repository,
        dump_set("tiny", dict.fromkeys(keys, evil)),
        "application/vnd.oci.image.manifest.v1+json",
        "segments-tiny",
    )
    assert recorded_set(other.request.locks, "tiny") == pinned
    assert other.build(repository) == one.build()
    with pytest.raises(InvalidInputError, match="by tag"):
        RemoteSegments(other.tools.artefacts, client(), repository.at("segments-tiny"))


def test_what_is_pinned_but_no_segment_is_made_instead(world: World, repository: Repository) -> None:
    one, other = Machine(world, "one"), Machine(world, "other")
    junk = describe("application/vnd.airflow-kubler.segment.v1", b"junk")
    client().push_blob(repository, junk, lambda offset: iter([b"junk"[offset:]]))
    one.push(repository)
    keys = used_segments(one.request, one.tools)
    data = dump_set("tiny", dict.fromkeys(keys, junk))
    client().push_manifest(repository, data, "application/vnd.oci.image.manifest.v1+json")
    record_set(other.request.locks, "tiny", Digest.of(data))
    assert other.build(repository) == one.build()
    assert "what came is no segment" in other.told[0]


def test_a_registry_that_fails_stops_no_build(world: World, repository: Repository, small: SmallRegistry) -> None:
    one, other, third = (Machine(world, name) for name in ("one", "other", "third"))
    one.push(repository)
    small.fault = always(Fault(status=500), method="GET", part="/blobs/")
    assert other.build(repository) == one.build()
    assert len(other.told) == 1
    assert other.told[0].startswith("no more finished segments are used")
    small.fault = always(Fault(status=500), method="GET", part="/manifests/")
    assert third.build(repository) == one.build()
    assert third.told[0].startswith("no finished segments are used")


def test_a_set_that_is_gone_stops_no_build(world: World, repository: Repository) -> None:
    one = Machine(world, "one")
    record_set(one.request.locks, "tiny", Digest.of(b"gone"))
    assert one.build(repository)["stack"] == "tiny"
    assert one.told == [f"no finished segments are used: {repository.at(Digest.of(b'gone'))} is not there"]


def test_a_registry_is_not_asked_where_nothing_is_missing(
    world: World, repository: Repository, small: SmallRegistry
) -> None:
    one = Machine(world, "one")
    one.push(repository)
    small.asked.clear()
    assert one.build(repository) == one.build(repository)
    assert small.asked == []


def test_sets_and_records_are_read_and_written_alike(tmp_path: Path) -> None:
    held = {Digest.of(b"key").hex: describe("application/vnd.airflow-kubler.segment.v1", b"x")}
    found = parse_set(dump_set("tiny", held), context="x")
    assert {key: replace(one, annotations=()) for key, one in found.items()} == held
    record_set(tmp_path, "tiny", Digest.of(b"1"))
    record_set(tmp_path, "other", Digest.of(b"2"))
    assert (recorded_set(tmp_path, "tiny"), recorded_set(tmp_path, "none")) == (Digest.of(b"1"), None)
    assert parse_record(dump_record({"a.b": Digest.of(b"1")}), file="x") == {"a.b": Digest.of(b"1")}


@pytest.mark.parametrize("data", [b"[tiny", b"[tiny]\n", b"tiny = 1\n", b"[tiny]\ndigest = 'sha256:x'\n", b"\xff"])
def test_a_damaged_record_is_told(data: bytes) -> None:
    with pytest.raises(LockInvalidError, match=r"segments\.toml"):
        parse_record(data, file="locks/segments.toml")


def test_a_set_that_registries_do_not_take_is_told_before_anything_is_sent() -> None:
    many = {
        Digest.of(b"%d" % n).hex: describe("application/vnd.airflow-kubler.segment.v1", b"%d" % n)
        for n in range(20_000)
    }
    with pytest.raises(IntegrityError, match="20000 segments make a manifest"):
        dump_set("tiny", many)


def test_keys_that_are_none_are_refused() -> None:
    bad = dump_set("tiny", {"../../etc/passwd": describe("application/vnd.airflow-kubler.segment.v1", b"x")})
    with pytest.raises(IntegrityError, match="no key of a segment"):
        parse_set(bad, context="x")
