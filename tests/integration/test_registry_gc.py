"""Old images out of a real registry: what is kept can be pulled whole afterwards, with what refers to it."""

from __future__ import annotations

import contextlib
import datetime as dt
from collections.abc import Iterator
from pathlib import Path

import pytest

from builder.digest import Digest
from builder.errors import RegistryError
from builder.oci.descriptor import Descriptor
from builder.registry.garbage import Retention, plan_garbage
from builder.registry.model import Repository, parse_repository
from builder.registry.pulling import pull
from builder.registry.shipment import collect
from builder.registry.transfer import plan_push, push
from builder.usecase.registry_gc import check_moved, delete_garbage, parse_digests, read_contents
from tests.support.registries import Fault, SmallRegistry, always
from tests.support.registry_images import Memory, client, close_clients, noise
from tests.support.tools import registry as docker_registry

RETENTION = Retention(today=dt.date(2026, 11, 24), days=30, last=0)


@pytest.fixture(params=["small", "small-without-referrers", pytest.param("docker-registry", marks=pytest.mark.tools)])
def repository(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Repository]:
    with contextlib.ExitStack() as stack:
        if request.param == "docker-registry":
            host = stack.enter_context(docker_registry(tmp_path)).host
        else:
            host = stack.enter_context(SmallRegistry(referrers=request.param == "small")).host
        yield parse_repository(f"{host}/team/airflow")
        close_clients()


def put(memory: Memory, repository: Repository, root: Descriptor, *tags: str) -> Digest:
    push(client(), plan_push(client(), repository, collect(root, memory), tags), memory)
    return root.digest


def test_what_is_kept_stays_whole_and_the_rest_goes(repository: Repository) -> None:
    memory = Memory()
    shared = memory.add_image(noise(500, 9))
    old = memory.add_index(memory.add_image(noise(100, 1)), shared)
    kept = memory.add_index(memory.add_image(noise(100, 2)), shared)
    put(memory, repository, old, "core-20260101.01")
    put(memory, repository, kept, "core-20260102.01", "prod")
    for image, seed in ((old, 3), (kept, 4)):
        artifact = memory.add_image(noise(50, seed), subject=image, artifact_type="application/vnd.example.archive")
        push(client(), plan_push(client(), repository, collect(artifact, memory)), memory)

    contents = read_contents(client(), repository)
    plan = plan_garbage(contents, RETENTION)
    assert [tag for tag in plan.dropped if not tag.startswith("sha256-")] == ["core-20260101.01"]
    assert set(plan.kept) == {"core-20260102.01", "prod"}
    assert {shared.digest, kept.digest}.isdisjoint(plan.garbage)
    check_moved(client(), repository, contents, plan)
    assert delete_garbage(client(), repository, plan.garbage) == len(plan.garbage)

    assert client().manifest(repository.at(old.digest)) is None
    sink = Memory()
    pull(client(), repository.at("prod"), sink, with_referrers=True)
    assert noise(50, 4) in sink.held.values()
    assert noise(500, 9) in sink.held.values()
    again = plan_garbage(read_contents(client(), repository), RETENTION)
    assert (again.garbage, set(again.kept)) == ((), {"core-20260102.01", "prod"})


def test_a_tag_that_moves_to_garbage_meanwhile_stops_it() -> None:
    with SmallRegistry() as small:
        repository = parse_repository(f"{small.host}/team/airflow")
        memory = Memory()
        old, new = memory.add_image(noise(10, 1)), memory.add_image(noise(10, 2))
        put(memory, repository, old, "core-20260101.01")
        put(memory, repository, new, "prod")
        contents = read_contents(client(), repository)
        plan = plan_garbage(contents, RETENTION)
        assert plan.garbage == (old.digest,)
        put(memory, repository, old, "prod")
        with pytest.raises(RegistryError, match="prod: was moved to an image that is about to go"):
            check_moved(client(), repository, contents, plan)
        close_clients()


def test_a_registry_that_does_not_delete_is_told_with_the_way_out() -> None:
    with SmallRegistry() as small:
        repository = parse_repository(f"{small.host}/team/airflow")
        memory = Memory()
        old = put(memory, repository, memory.add_image(noise(10, 1)), "core-20260101.01")
        small.fault = always(Fault(status=405), method="DELETE", part="/manifests/")
        with pytest.raises(RegistryError, match="deleting is refused") as raised:
            delete_garbage(client(), repository, [old])
        assert "storage.delete.enabled" in raised.value.hint
        close_clients()


def test_digests_are_found_in_whatever_names_them() -> None:
    digest = Digest.of(b"x")
    text = f'{{"imageID": "docker-pullable://registry.example.org/team/airflow@{digest}"}}\n{Digest.of(b"y")}\nsha256:short'
    assert parse_digests(text, context="pods") == {digest, Digest.of(b"y")}
