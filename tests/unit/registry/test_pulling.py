"""Pulling with referrers: one that is gone, damaged or a lie is left out and told, and takes nothing else with it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from builder.cli.root import root
from builder.digest import Digest
from builder.oci import media
from builder.oci.descriptor import Descriptor, describe, descriptor_to_json
from builder.registry.answers import RegistryTroubleError
from builder.registry.folder import FolderBlobs
from builder.registry.manifests import fallback_tag
from builder.registry.model import Repository, parse_repository
from builder.registry.pulling import Pulled, pull
from builder.registry.shipment import collect
from builder.registry.transfer import plan_push, push
from tests.support.registries import Asked, Fault, SmallRegistry, always
from tests.support.registry_images import Memory, client, close_clients, noise

KIND = "application/vnd.example.sbom"


class Setting:
    """An image with two good referrers, and whatever a test adds."""

    def __init__(self, small: SmallRegistry) -> None:
        self.small = small
        self.repository = parse_repository(f"{small.host}/a")
        self.memory = Memory()
        self.layer = noise(2000, 1)
        self.image = self.memory.add_image(self.layer)
        self.put(self.image, "t")
        self.good = [self.attach(noise(100, 2)), self.attach(noise(100, 3))]

    def put(self, descriptor: Descriptor, *tags: str) -> None:
        push(client(), plan_push(client(), self.repository, collect(descriptor, self.memory), tags), self.memory)

    def attach(self, data: bytes, subject: Descriptor | None = None) -> Descriptor:
        made = self.memory.add_image(data, subject=subject or self.image, artifact_type=KIND)
        self.put(made)
        return made

    def list_also(self, *entries: dict[str, Any]) -> None:
        """Write entries into the fallback list, as anybody may."""
        key = ("a", fallback_tag(self.image.digest))
        value = json.loads(self.small.state.manifests["a", self.small.state.tags[key]][0])
        data = json.dumps({**value, "manifests": [*entries, *value["manifests"]]}).encode()
        self.small.state.tags[key] = str(Digest.of(data))
        self.small.state.manifests["a", str(Digest.of(data))] = (data, media.INDEX)

    def pull(self, sink: Memory | FolderBlobs | None = None) -> Pulled:
        return pull(client(), self.repository.at("t"), sink or Memory(), with_referrers=True)

    def check_the_rest_is_there(self, pulled: Pulled) -> None:
        found = {manifest.digest for manifest in pulled.shipment.manifests}
        assert {self.image.digest, *(one.digest for one in self.good)} <= found
        assert not found & {one.digest for one in pulled.skipped}


@pytest.fixture(params=[True, False], ids=["api", "fallback"])
def setting(request: pytest.FixtureRequest) -> Iterator[Setting]:
    with SmallRegistry(referrers=request.param) as small:
        yield Setting(small)
        close_clients()


@pytest.fixture
def by_fallback() -> Iterator[Setting]:
    with SmallRegistry(referrers=False) as small:
        yield Setting(small)
        close_clients()


GONE = Fault(status=404)
BLOCKED = Fault(status=412, body=b'{"errors":[{"code":"PROJECTPOLICYVIOLATION","message":"it is vulnerable"}]}')
TOO_LONG = Fault(status=200, body=b" " * (5 << 20))


@pytest.mark.parametrize(
    ("fault", "why"),
    [
        (GONE, "is not there"),
        (BLOCKED, "HTTP 412 (PROJECTPOLICYVIOLATION: it is vulnerable)"),
        (TOO_LONG, "longer than"),
        (Fault(flip=True), "hashes to"),
    ],
    ids=["gone", "blocked", "too-long", "damaged"],
)
def test_referrer_whose_manifest_cannot_be_had_is_left_out_and_told(setting: Setting, fault: Fault, why: str) -> None:
    bad = setting.attach(noise(100, 4))
    setting.small.fault = always(fault, method="GET", part=f"/manifests/{bad.digest}")
    pulled = setting.pull()
    setting.check_the_rest_is_there(pulled)
    assert [(one.digest, one.subject) for one in pulled.skipped] == [(bad.digest, setting.image.digest)]
    assert why in pulled.skipped[0].why
    assert str(setting.image.digest) in str(pulled.skipped[0])


def test_referrer_whose_blob_is_gone_is_left_out_with_what_refers_to_it(setting: Setting) -> None:
    bad = setting.attach(noise(100, 4))
    signature = setting.attach(noise(100, 5), bad)
    del setting.small.state.blobs["a", str(Digest.of(noise(100, 4)))]
    sink = Memory()
    pulled = setting.pull(sink)
    setting.check_the_rest_is_there(pulled)
    assert {one.digest: one.why.partition(": ")[0] for one in pulled.skipped} == {
        bad.digest: f"blob {Digest.of(noise(100, 4))}",
        signature.digest: "what it refers to was left out",
    }
    assert str(bad.digest) not in sink.held


def test_what_refers_to_something_else_is_not_taken(by_fallback: Setting) -> None:
    setting = by_fallback
    other = setting.memory.add_image(noise(100, 6))
    theirs = setting.attach(noise(100, 7), other)
    plain = setting.memory.add_image(noise(100, 8))
    setting.put(plain)
    setting.list_also(descriptor_to_json(theirs), descriptor_to_json(plain))
    pulled = setting.pull()
    setting.check_the_rest_is_there(pulled)
    assert {one.digest: one.why for one in pulled.skipped} == {
        theirs.digest: f"refers to {other.digest}",
        plain.digest: "refers to nothing",
    }


def test_size_that_is_listed_of_a_referrer_is_not_believed(by_fallback: Setting) -> None:
    setting = by_fallback
    setting.list_also(descriptor_to_json(setting.good[0]) | {"size": 1})
    pulled = setting.pull()
    setting.check_the_rest_is_there(pulled)
    assert pulled.skipped == ()


def test_referrer_that_lies_about_a_layer_of_the_image_does_not_keep_the_image_back(
    setting: Setting, tmp_path: Path
) -> None:
    layer = Descriptor(media_type=media.LAYER_TAR, digest=Digest.of(setting.layer), size=len(setting.layer) + 1)
    value = {
        "schemaVersion": 2,
        "mediaType": media.MANIFEST,
        "artifactType": KIND,
        "config": descriptor_to_json(describe("application/vnd.oci.empty.v1+json", b"{}")),
        "layers": [descriptor_to_json(layer)],
        "subject": descriptor_to_json(setting.image),
    }
    liar = json.dumps(value).encode()
    client().push_manifest(setting.repository, liar, media.MANIFEST)
    for sink in (Memory(), FolderBlobs(tmp_path)):
        pulled = setting.pull(sink)
        setting.check_the_rest_is_there(pulled)
        assert [one.digest for one in pulled.skipped if "would send" in one.why] == [Digest.of(liar)] * (
            not isinstance(sink, Memory)
        )
        assert sink.has(describe(media.LAYER_TAR, setting.layer))


def test_list_of_referrers_that_is_none_is_told_and_the_image_comes(by_fallback: Setting) -> None:
    setting = by_fallback
    setting.small.state.tags["a", fallback_tag(setting.image.digest)] = str(setting.image.digest)
    pulled = setting.pull()
    assert [manifest.digest for manifest in pulled.shipment.manifests] == [setting.image.digest]
    assert pulled.skipped[0].why.startswith("the list cannot be read")


def test_flood_of_referrers_ends(by_fallback: Setting) -> None:
    setting = by_fallback
    made_up = [describe(media.MANIFEST, b"%d" % number) for number in range(1200)]
    setting.list_also(*map(descriptor_to_json, made_up))
    setting.small.asked.clear()
    pulled = setting.pull()
    assert setting.small.count("GET", "/manifests/sha256:") <= 1001
    assert pulled.skipped[-1].why.startswith("more than 1000 are listed")
    assert pulled.shipment.root.digest == setting.image.digest


@pytest.mark.parametrize("status", [401, 500, 503, 429])
def test_registry_that_fails_amid_referrers_ends_the_pull(setting: Setting, status: int) -> None:
    setting.small.fault = always(Fault(status=status), method="GET", part=f"/manifests/{setting.good[1].digest}")
    with pytest.raises(RegistryTroubleError, match=str(status)):
        setting.pull()


def test_registry_that_fails_amid_blobs_of_referrers_ends_the_pull(setting: Setting) -> None:
    setting.small.fault = always(Fault(status=500), method="GET", part=f"/blobs/{Digest.of(noise(100, 3))}")
    with pytest.raises(RegistryTroubleError, match="500"):
        setting.pull()


def gone(digest: Digest) -> Callable[[Asked], Fault | None]:
    return always(GONE, method="GET", part=f"/manifests/{digest}")


def test_pull_tells_what_it_left_out_on_stderr_and_in_json(setting: Setting, tmp_path: Path) -> None:
    bad = setting.attach(noise(100, 4))
    setting.small.fault = gone(bad.digest)
    words = ["pull", str(setting.repository.at("t")), "--with-referrers", "-o"]
    done = CliRunner().invoke(root, [*words, str(tmp_path / "out"), "--json"])
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout)["skipped"] == [
        {"digest": str(bad.digest), "subject": str(setting.image.digest), "why": "is not there"}
    ]
    assert f"left out: {bad.digest}" in done.stderr
    setting.small.fault = lambda _: None
    done = CliRunner().invoke(root, [*words, str(tmp_path / "again"), "--json"])
    assert (json.loads(done.stdout)["skipped"], done.stderr) == ([], "")


def test_image_alone_asks_for_no_referrers(setting: Setting) -> None:
    setting.small.asked.clear()
    repository: Repository = setting.repository
    assert pull(client(), repository.at("t"), Memory()).skipped == ()
    assert setting.small.count("GET", "referrers") == 0
