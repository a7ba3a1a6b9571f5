"""Old images out of a real registry: what is kept can be pulled whole afterwards, with what refers to it."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner

from builder.cli.root import root
from builder.digest import Digest
from builder.errors import RegistryError
from builder.oci import media
from builder.oci.descriptor import Descriptor, descriptor_to_json
from builder.registry.garbage import Contents, GarbagePlan, Retention, plan_garbage
from builder.registry.model import Repository, parse_repository
from builder.registry.pulling import pull
from builder.registry.shipment import collect
from builder.registry.transfer import plan_push, push
from builder.usecase.registry_gc import check_moved, delete_garbage, parse_digests, read_contents
from tests.support.registries import KINDS, Asked, Fault, SmallRegistry, always, any_registry
from tests.support.registry_images import Memory, client, close_clients, noise

SIGNATURE = "application/vnd.example.signature"
RETENTION = Retention(today=dt.date(2026, 11, 24), days=30, last=0)


REAL = ("docker-registry", "crane")


@pytest.fixture(params=[pytest.param(kind, marks=[pytest.mark.tools] * (kind in REAL)) for kind in KINDS])
def repository(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Repository]:
    with any_registry(request.param, tmp_path) as host:
        yield parse_repository(f"{host}/team/airflow")
        close_clients()


@pytest.fixture
def by_fallback() -> Iterator[SmallRegistry]:
    with SmallRegistry(referrers=False) as small:
        yield small
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
    assert delete_garbage(client(), repository, contents, plan) == len(plan.garbage)

    assert client().manifest(repository.at(old.digest)) is None
    # Some registries keep a tag that outlives its manifest.
    assert client().manifest(repository.at("core-20260101.01")) is None
    sink = Memory()
    pull(client(), repository.at("prod"), sink, with_referrers=True)
    assert noise(50, 4) in sink.held.values()
    assert noise(500, 9) in sink.held.values()
    again = plan_garbage(read_contents(client(), repository), RETENTION)
    assert (again.garbage, set(again.kept)) == ((), {"core-20260102.01", "prod"})


def sweep(repository: Repository, ran: frozenset[Digest] = frozenset()) -> tuple[Contents, GarbagePlan]:
    """Choose and delete, keeping nothing but channels and what ran."""
    contents = read_contents(client(), repository, ran=ran)
    plan = plan_garbage(contents, replace(RETENTION, ran=ran))
    check_moved(client(), repository, contents, plan)
    delete_garbage(client(), repository, contents, plan)
    check_moved(client(), repository, contents, plan, deleted=True)
    return contents, plan


def test_what_ran_without_a_tag_keeps_the_platform_that_it_shares_with_garbage(repository: Repository) -> None:
    memory = Memory()
    shared = memory.add_image(noise(500, 9))
    old, running = memory.add_index(shared), memory.add_index(shared, memory.add_image(noise(100, 1)))
    put(memory, repository, old, "core-20260101.01")
    put(memory, repository, running)
    _, plan = sweep(repository, frozenset({running.digest, Digest.of(b"of another repository")}))
    assert plan.garbage == (old.digest,)
    assert len(pull(client(), repository.at(running.digest), Memory()).shipment.manifests) == 3


def test_images_of_other_stacks_are_counted_apart_and_all_referrers_of_garbage_go(repository: Repository) -> None:
    memory = Memory()
    core, gcp = memory.add_image(noise(100, 1)), memory.add_image(noise(100, 2))
    put(memory, repository, core, "core-20260101.01")
    put(memory, repository, memory.add_image(noise(100, 3)), "core-20260102.01")
    put(memory, repository, gcp, "gcp-20240101.01")
    signature = memory.add_image(noise(10, 4), subject=core, artifact_type=SIGNATURE)
    on_signature = memory.add_image(noise(10, 5), subject=signature, artifact_type=SIGNATURE)
    by_tag = memory.add_image(noise(10, 6))
    put(memory, repository, signature)
    put(memory, repository, on_signature)
    put(memory, repository, by_tag, f"sha256-{core.digest.hex}.sig")
    contents = read_contents(client(), repository)
    plan = plan_garbage(contents, replace(RETENTION, last=1))
    assert set(plan.kept) == {"core-20260102.01", "gcp-20240101.01"}
    delete_garbage(client(), repository, contents, plan)
    for gone in (core, signature, on_signature, by_tag):
        assert client().manifest(repository.at(gone.digest)) is None
    assert client().manifest(repository.at("gcp-20240101.01")) is not None


def test_a_list_of_referrers_does_not_have_other_images_deleted(by_fallback: SmallRegistry) -> None:
    repository = parse_repository(f"{by_fallback.host}/team/airflow")
    memory = Memory()
    old, deployed = memory.add_image(noise(10, 1)), memory.add_index(memory.add_image(noise(10, 2)))
    put(memory, repository, old, "core-20260101.01")
    put(memory, repository, deployed)
    signature = put(memory, repository, memory.add_image(noise(10, 3), subject=old, artifact_type=SIGNATURE))
    # Somebody lists an image that is deployed by its digest alone as a referrer of the old one.
    key = ("team/airflow", f"sha256-{old.digest.hex}")
    value = json.loads(by_fallback.state.manifests["team/airflow", by_fallback.state.tags[key]][0])
    value["manifests"].append(descriptor_to_json(deployed))
    listing = json.dumps(value).encode()
    client().push_manifest(repository, listing, media.INDEX, key[1])
    _, plan = sweep(repository)
    assert set(plan.garbage) == {old.digest, signature, Digest.of(listing)}
    assert len(pull(client(), repository.at(deployed.digest), Memory()).shipment.manifests) == 2


def test_a_tag_of_a_list_on_an_image_that_is_kept_takes_nothing_from_it(by_fallback: SmallRegistry) -> None:
    repository = parse_repository(f"{by_fallback.host}/team/airflow")
    memory = Memory()
    old, kept = memory.add_image(noise(10, 1)), memory.add_index(memory.add_image(noise(10, 2)))
    put(memory, repository, old, "core-20260101.01")
    put(memory, repository, kept, "prod", f"sha256-{old.digest.hex}")
    _, plan = sweep(repository)
    assert plan.garbage == (old.digest,)
    assert len(pull(client(), repository.at("prod"), Memory()).shipment.manifests) == 2


@pytest.mark.parametrize("kind", ["gone", "too long", "no list"])
def test_a_referrer_that_cannot_be_read_is_left_alone_and_told(by_fallback: SmallRegistry, kind: str) -> None:
    repository = parse_repository(f"{by_fallback.host}/team/airflow")
    memory = Memory()
    old, kept = memory.add_image(noise(10, 1)), memory.add_image(noise(10, 2))
    put(memory, repository, old, "core-20260101.01")
    put(memory, repository, kept, "prod")
    signature = put(memory, repository, memory.add_image(noise(10, 3), subject=kept, artifact_type=SIGNATURE))
    if kind == "no list":
        by_fallback.state.tags["team/airflow", f"sha256-{kept.digest.hex}"] = str(old.digest)
    else:
        bad = Fault(status=404) if kind == "gone" else Fault(status=200, body=b" " * (5 << 20))
        by_fallback.fault = always(bad, method="GET", part=f"/manifests/{signature}")
    contents, plan = sweep(repository)
    # A tag of a list that stands for the old image keeps it: whose it is cannot be told.
    assert plan.garbage == (() if kind == "no list" else (old.digest,))
    told = {"gone": {}, "too long": {str(signature): "longer than"}, "no list": {str(kept.digest): "the list of its"}}
    assert contents.unread.keys() == told[kind].keys()
    assert all(told[kind][what] in why for what, why in contents.unread.items())


def test_what_is_left_alone_is_told_on_stderr_and_in_json(by_fallback: SmallRegistry) -> None:
    repository = parse_repository(f"{by_fallback.host}/team/airflow")
    memory = Memory()
    kept = memory.add_image(noise(10, 1))
    put(memory, repository, kept, "prod")
    signature = put(memory, repository, memory.add_image(noise(10, 2), subject=kept, artifact_type=SIGNATURE))
    by_fallback.fault = always(Fault(status=412), method="GET", part=f"/manifests/{signature}")
    done = CliRunner().invoke(root, ["gc", str(repository), "--json"])
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout)["unread"] == [{"what": str(signature), "why": "HTTP 412"}]
    assert f"left alone: {repository}: {signature}: HTTP 412" in done.stderr


def test_an_image_that_cannot_be_read_stops_it(by_fallback: SmallRegistry) -> None:
    repository = parse_repository(f"{by_fallback.host}/team/airflow")
    memory = Memory()
    child = memory.add_image(noise(10, 1))
    put(memory, repository, memory.add_index(child), "prod")
    for status in (500, 412):
        by_fallback.fault = always(Fault(status=status), method="GET", part=f"/manifests/{child.digest}")
        with pytest.raises(RegistryError, match=str(status)):
            read_contents(client(), repository)
    by_fallback.fault = lambda _: None
    by_fallback.state.manifests["team/airflow", "odd"] = (b'{"schemaVersion": 2, "mediaType": "odd"}', "odd")
    by_fallback.state.tags["team/airflow", "odd"] = "odd"
    with pytest.raises(RegistryError, match="not a manifest that is known here: odd") as raised:
        read_contents(client(), repository)
    assert raised.value.context == f"{repository}:odd"
    assert "nothing is deleted here" in raised.value.hint


def test_a_tag_that_vanishes_while_it_is_read_is_passed_over(by_fallback: SmallRegistry) -> None:
    repository = parse_repository(f"{by_fallback.host}/team/airflow")
    memory = Memory()
    put(memory, repository, memory.add_image(noise(10, 1)), "core-20260101.01")
    old = put(memory, repository, memory.add_image(noise(10, 2)), "core-20260102.01")
    by_fallback.fault = always(Fault(status=404), method="GET", part="/manifests/core-20260101.01")
    _, plan = sweep(repository)
    assert plan.garbage == (old,)


def test_an_image_that_is_pushed_while_its_platform_is_deleted_is_told(by_fallback: SmallRegistry) -> None:
    repository = parse_repository(f"{by_fallback.host}/team/airflow")
    memory = Memory()
    shared = memory.add_image(noise(10, 1))
    put(memory, repository, memory.add_index(shared), "core-20260101.01")
    new = memory.add_index(shared, memory.add_image(noise(10, 2)))
    pushed: list[Asked] = []

    def push_meanwhile(asked: Asked) -> None:
        if asked.method == "DELETE" and not pushed:
            pushed.append(asked)
            put(memory, repository, new, "prod")

    by_fallback.fault = push_meanwhile
    with pytest.raises(RegistryError, match="shares a platform with one") as raised:
        sweep(repository)
    assert raised.value.hint == "push that image again: what it lacks is sent"
    put(memory, repository, new, "prod")
    assert len(pull(client(), repository.at("prod"), Memory()).shipment.manifests) == 3


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
        put(memory, repository, memory.add_image(noise(10, 1)), "core-20260101.01")
        small.fault = always(Fault(status=405), method="DELETE", part="/manifests/")
        contents = read_contents(client(), repository)
        with pytest.raises(RegistryError, match="deleting is refused") as raised:
            delete_garbage(client(), repository, contents, plan_garbage(contents, RETENTION))
        assert "storage.delete.enabled" in raised.value.hint
        close_clients()


def test_digests_are_found_in_whatever_names_them() -> None:
    digest = Digest.of(b"x")
    text = f'{{"imageID": "docker-pullable://registry.example.org/team/airflow@{digest}"}}\n{Digest.of(b"y")}\nsha256:short'
    assert parse_digests(text, context="pods") == {digest, Digest.of(b"y")}
