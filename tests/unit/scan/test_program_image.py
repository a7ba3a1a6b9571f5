"""The scanner's program out of an image."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from builder.errors import IntegrityError, RegistryError
from builder.oci import media
from builder.oci.descriptor import Descriptor, descriptor_to_json
from builder.platform import AMD64, ARM64, Platform
from builder.registry.model import Reference, Registry, parse_repository
from builder.registry.shipment import collect
from builder.registry.transfer import plan_push, push
from builder.usecase.scan_program import extract_program
from tests.support.registries import SmallRegistry
from tests.support.registry_images import CONFIG, Memory, client, close_clients

PATH = "usr/local/bin/trivy"


@pytest.fixture
def served() -> Iterator[tuple[Registry, str]]:
    with SmallRegistry() as registry:
        yield client(), f"{registry.host}/team/trivy"
        close_clients()


def image(memory: Memory, *layers: Descriptor) -> Descriptor:
    value = {
        "schemaVersion": 2,
        "mediaType": media.MANIFEST,
        "config": descriptor_to_json(memory.add(media.CONFIG, CONFIG)),
        "layers": [descriptor_to_json(layer) for layer in layers],
    }
    return memory.add(media.MANIFEST, json.dumps(value).encode())


def shipped(registry: Registry, place: str, memory: Memory, root: Descriptor) -> Reference:
    repository = parse_repository(place)
    push(registry, plan_push(registry, repository, collect(root, memory)), memory)
    return repository.at(root.digest)


@pytest.mark.parametrize(("platform", "content"), [(AMD64, b"new"), (ARM64, b"arm")])
def test_the_uppermost_program_of_the_platform_is_taken(
    served: tuple[Registry, str], tmp_path: Path, platform: Platform, content: bytes
) -> None:
    registry, place = served
    memory = Memory()
    amd = image(memory, memory.add_layer(PATH, b"old"), memory.add_layer(PATH, b"new"), memory.add_layer("etc/x", b""))
    index = memory.add_index(amd, image(memory, memory.add_layer(f"./{PATH}", b"arm")))
    extract_program(registry, shipped(registry, place, memory, index), PATH, platform, tmp_path / "trivy")
    assert (tmp_path / "trivy").read_bytes() == content
    assert (tmp_path / "trivy").stat().st_mode & 0o777 == 0o555


def test_an_image_without_it_is_refused(served: tuple[Registry, str], tmp_path: Path) -> None:
    registry, place = served
    memory = Memory()
    reference = shipped(registry, place, memory, image(memory, memory.add_layer("bin/sh", b"x")))
    with pytest.raises(IntegrityError, match=f"holds no {PATH}"):
        extract_program(registry, reference, PATH, AMD64, tmp_path / "trivy")
    with pytest.raises(RegistryError, match="there is no such image"):
        extract_program(registry, parse_repository(place).at(memory.add("x", b"y").digest), PATH, AMD64, tmp_path / "t")


def test_an_image_for_another_machine_is_refused(served: tuple[Registry, str], tmp_path: Path) -> None:
    registry, place = served
    memory = Memory()
    reference = shipped(registry, place, memory, memory.add_index(image(memory, memory.add_layer(PATH, b"x"))))
    with pytest.raises(IntegrityError, match="is not there for linux/arm64"):
        extract_program(registry, reference, PATH, ARM64, tmp_path / "trivy")
