"""The client against real registries, with skopeo as the other client: the digest is the same everywhere."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from builder.digest import Digest
from builder.oci import media
from builder.registry.folder import FolderBlobs
from builder.registry.manifests import fallback_tag
from builder.registry.model import Outcome, parse_reference, parse_repository
from builder.registry.pulling import pull
from builder.registry.shipment import collect
from builder.registry.transfer import plan_push, push
from tests.support.registries import KINDS, any_registry, skopeo
from tests.support.registry_images import Memory, client, close_clients, noise

pytestmark = pytest.mark.tools


@pytest.fixture(params=KINDS)
def host(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    with any_registry(request.param, tmp_path) as served:
        yield served
        close_clients()


def test_what_is_pushed_is_pulled_the_same_and_not_sent_again(host: str) -> None:
    memory = Memory()
    index = memory.add_index(
        memory.add_image(noise(9 << 20), noise(100, 1)), memory.add_image(noise(50, 2), noise(100, 1))
    )
    repository = parse_repository(f"{host}/team/airflow")
    shipment = collect(index, memory)
    plan = plan_push(client(), repository, shipment, ("v1",))
    assert plan.bytes_to_send == sum(map(len, memory.held.values()))
    report = push(client(), plan, memory)
    assert report.sent_bytes == sum(blob.size for blob in shipment.blobs)

    again = plan_push(client(), repository, shipment, ("v1", "v2"))
    assert (again.blobs, again.manifests, again.stale_tags) == ((), (), ("v2",))
    assert push(client(), again, memory).sent_bytes == 0
    assert client().tags(repository) == ("v1", "v2")

    sink = Memory()
    assert pull(client(), parse_reference(f"{host}/team/airflow:v2"), sink).shipment.root.digest == index.digest
    assert sink.held == memory.held


def test_blobs_are_lent_by_other_repositories_or_sent(host: str) -> None:
    memory = Memory()
    image = memory.add_image(noise(1000))
    first, second = parse_repository(f"{host}/first"), parse_repository(f"{host}/second")
    shipment = collect(image, memory)
    push(client(), plan_push(client(), first, shipment), memory)
    report = push(client(), plan_push(client(), second, shipment), memory, mount_from=(first,))
    assert report.sent_bytes == 0
    assert report.count(Outcome.SENT) == 0
    assert pull(client(), second.at(image.digest), Memory()).shipment.root.digest == image.digest


def test_referrers_are_found_by_api_or_fallback_tag(host: str) -> None:
    memory = Memory()
    image = memory.add_image(noise(10))
    repository = parse_repository(f"{host}/signed")
    push(client(), plan_push(client(), repository, collect(image, memory)), memory)
    kinds = ("application/vnd.example.sbom", "application/vnd.example.signature")
    added = {}
    for number, kind in enumerate(kinds):
        added[kind] = memory.add_image(noise(5, number), subject=image, artifact_type=kind)
        for _ in range(2):
            push(client(), plan_push(client(), repository, collect(added[kind], memory)), memory)
    found = client().referrers(repository, image.digest)
    assert {entry.artifact_type: entry.descriptor.digest for entry in found} == {k: d.digest for k, d in added.items()}
    assert [entry.artifact_type for entry in client().referrers(repository, image.digest, kinds[1])] == [kinds[1]]
    sink = Memory()
    pull(client(), repository.at(image.digest), sink, with_referrers=True)
    assert sink.held == memory.held


def test_what_is_not_there_is_none(host: str) -> None:
    repository = parse_repository(f"{host}/nothing")
    nobody = Digest.of(b"nobody")
    assert client().manifest(repository.at("t")) is None
    assert client().tags(repository) == ()
    assert client().referrers(repository, nobody) == ()
    assert not client().has_blob(repository, nobody)
    assert client().manifest(repository.at(fallback_tag(nobody))) is None


def write_layout(folder: Path) -> str:
    """Write a layout of an image that skopeo takes: its layers are tars with the diff_ids of its config."""
    memory = Memory()
    layer = bytes(10240)
    config = memory.add(
        media.CONFIG,
        json.dumps(
            {
                "architecture": "amd64",
                "os": "linux",
                "config": {},
                "rootfs": {"type": "layers", "diff_ids": ["sha256:" + hashlib.sha256(layer).hexdigest()]},
            }
        ).encode(),
    )
    image = memory.add_image(layer)
    manifest = json.loads(memory.held.pop(str(image.digest)))
    manifest["config"] = {"mediaType": media.CONFIG, "digest": str(config.digest), "size": config.size}
    image = memory.add(media.MANIFEST, json.dumps(manifest).encode())
    blobs = FolderBlobs(folder)
    for descriptor in (image, config, memory.add(media.LAYER_TAR, layer)):
        blobs.write(descriptor, memory.open_at(descriptor, 0))
    blobs.write_index([(image, "img")])
    return str(image.digest)


def test_skopeo_pulls_what_we_push_and_we_pull_what_skopeo_pushes(host: str, tmp_path: Path) -> None:
    digest = Digest.parse(write_layout(tmp_path / "layout"))
    source = FolderBlobs(tmp_path / "layout")
    repository = parse_repository(f"{host}/ours")
    root = next(tmp_path.glob(f"layout/blobs/sha256/{digest.hex}")).read_bytes()
    shipment = collect(Memory().add(media.MANIFEST, root), source)
    push(client(), plan_push(client(), repository, shipment, ("t",)), source)
    skopeo(
        "copy", "--preserve-digests", "--src-tls-verify=false", f"docker://{host}/ours:t", f"oci:{tmp_path}/theirs:img"
    )
    assert json.loads((tmp_path / "theirs/index.json").read_bytes())["manifests"][0]["digest"] == str(digest)

    skopeo(
        "copy",
        "--preserve-digests",
        "--dest-tls-verify=false",
        f"oci:{tmp_path}/layout:img",
        f"docker://{host}/theirs:t",
    )
    sink = FolderBlobs(tmp_path / "pulled")
    assert pull(client(), parse_reference(f"{host}/theirs:t"), sink).shipment.root.digest == digest
    assert {p.name for p in (tmp_path / "pulled/blobs/sha256").iterdir()} == {
        p.name for p in (tmp_path / "layout/blobs/sha256").iterdir()
    }
