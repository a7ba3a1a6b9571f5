"""What a push asks before it sends: images that share blobs tell of many in few questions, and are not believed blindly."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from builder.oci.descriptor import Descriptor
from builder.registry.model import Outcome, parse_repository
from builder.registry.shipment import collect
from builder.registry.transfer import TransferReport, plan_push, push
from tests.support.registries import Asked, Fault, SmallRegistry
from tests.support.registry_images import Memory, client, close_clients, noise

LAYERS = [noise(2000, seed) for seed in range(12)]
BLOB_LOST = Fault(
    status=400, body=b'{"errors":[{"code":"MANIFEST_BLOB_UNKNOWN","message":"blob unknown to registry"}]}'
)


@pytest.fixture(autouse=True)
def _clients() -> Iterator[None]:
    yield
    close_clients()


@pytest.fixture
def registry() -> Iterator[SmallRegistry]:
    with SmallRegistry() as small:
        yield small


def images() -> tuple[Memory, Descriptor, Descriptor]:
    """Make an image of twelve layers, and one that differs by the last."""
    memory = Memory()
    return memory, memory.add_image(*LAYERS), memory.add_image(*LAYERS[:-1], noise(2000, 99))


def push_as(registry: SmallRegistry, memory: Memory, image: Descriptor, tag: str, *near: str) -> TransferReport:
    repository = parse_repository(f"{registry.host}/a")
    plan = plan_push(client(), repository, collect(image, memory), (tag,), near=near)
    return push(client(), plan, memory)


def test_blobs_of_a_near_image_are_not_asked_for_one_by_one(registry: SmallRegistry) -> None:
    memory, first, second = images()
    push_as(registry, memory, first, "one")
    before = registry.count("HEAD", "/blobs/")
    report = push_as(registry, memory, second, "two", "one")
    assert registry.count("HEAD", "/blobs/") - before == len(report.pushed)
    assert report.count(Outcome.SENT) <= 2


def test_near_tag_that_is_not_there_says_nothing(registry: SmallRegistry) -> None:
    memory, first, _ = images()
    assert push_as(registry, memory, first, "one", "absent").count(Outcome.SENT) == len(LAYERS) + 1


def test_blob_that_a_registry_has_lost_is_sent_where_it_then_says_so(registry: SmallRegistry) -> None:
    memory, first, second = images()
    push_as(registry, memory, first, "one")
    lost = collect(first, memory).blobs[3]
    repository = parse_repository(f"{registry.host}/a")

    def fault(asked: Asked) -> Fault | None:
        missing = ("a", str(lost.digest)) not in registry.state.blobs
        return BLOB_LOST if missing and asked.method == "PUT" and "/manifests/" in asked.path else None

    registry.fault = fault
    del registry.state.blobs["a", str(lost.digest)]
    report = push_as(registry, memory, second, "two", "one")
    assert lost in [blob for blob, result in report.pushed if result.outcome is Outcome.SENT]
    assert client().manifest(repository.at("two")) is not None
