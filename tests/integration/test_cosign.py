"""cosign verifies what we sign, and we verify what it signs; both refuse the same forgeries. On a registry with the
referrers API and on one without."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from builder.attest.bundle import dump_bundle
from builder.attest.dsse import seal
from builder.attest.key_place import open_key
from builder.attest.keys import dump_private_key, parse_public_key
from builder.attest.kinds import PREDICATE_TYPES, predicate_type
from builder.attest.statement import PAYLOAD_TYPE, dump_statement
from builder.attest.trust import TrustedKey
from builder.errors import SignatureError
from builder.usecase.attached import Artifact, attach_bundle, platforms_of
from builder.usecase.sign import seal_and_attach, sign_artifacts
from tests.support.cosign import PASSWORD, Cosign
from tests.support.registries import any_registry
from tests.support.registry_images import close_clients
from tests.support.signed_world import SignedWorld, signatory, trusted
from tests.support.signing import make_bundle, make_key, make_statement

pytestmark = pytest.mark.tools

SIGNATURE = PREDICATE_TYPES["signature"]
COSIGN_NAMES = {"provenance": "slsaprovenance1", "sbom-cyclonedx": "cyclonedx", "sbom-spdx": "spdxjson"}


@pytest.fixture(scope="module", params=["small", "docker-registry"])
def world(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[SignedWorld]:
    folder = tmp_path_factory.mktemp("registry")
    with any_registry(request.param, folder) as host:
        yield SignedWorld(host, folder / "world")
        close_clients()


@pytest.fixture(scope="module")
def cosign(tmp_path_factory: pytest.TempPathFactory) -> Cosign:
    return Cosign(tmp_path_factory.mktemp("cosign"))


@pytest.fixture(scope="module")
def key(cosign: Cosign) -> Path:
    """Our public key, as a file."""
    path = cosign.folder / "ours.pub"
    path.write_bytes(make_key().public.pem())
    return path


@pytest.fixture(scope="module")
def other_key(cosign: Cosign) -> Path:
    path = cosign.folder / "other.pub"
    path.write_bytes(make_key(2).public.pem())
    return path


@pytest.fixture(scope="module")
def signed(world: SignedWorld) -> Artifact:
    """An image for two platforms that we have signed, with provenance and bills of materials."""
    image = world.push()
    sign_artifacts(world.registry, image, signatory(make_key()), recursive=True)
    for kind in COSIGN_NAMES:
        for made in world.made(image, kind):
            seal_and_attach(world.registry, image, made, signatory(make_key()))
    return image


def test_cosign_verifies_our_signature(signed: Artifact, cosign: Cosign, key: Path, other_key: Path) -> None:
    done = cosign.verify(key, str(signed.reference))
    assert done.returncode == 0, done.stderr
    kinds = {one["critical"]["type"] for one in json.loads(done.stdout)}
    assert SIGNATURE in kinds
    assert cosign.verify(other_key, str(signed.reference)).returncode != 0


def test_cosign_verifies_the_signature_of_each_platform(
    world: SignedWorld, signed: Artifact, cosign: Cosign, key: Path
) -> None:
    for platform in platforms_of(world.registry, signed):
        done = cosign.verify(key, str(platform.reference))
        assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("kind", COSIGN_NAMES)
def test_cosign_verifies_our_attestations(
    world: SignedWorld, signed: Artifact, cosign: Cosign, key: Path, other_key: Path, kind: str
) -> None:
    done = cosign.verify_attestation(key, COSIGN_NAMES[kind], str(signed.reference))
    assert done.returncode == 0, done.stderr
    payloads = [base64.b64decode(json.loads(line)["payload"]) for line in done.stdout.splitlines()]
    made = [dump_statement(one) for one in world.made(signed, kind)]
    assert len(made) == (1 if kind == "provenance" else 2)
    assert sorted(payloads) == sorted(made)
    assert cosign.verify_attestation(other_key, COSIGN_NAMES[kind], str(signed.reference)).returncode != 0
    assert cosign.verify_attestation(key, "vuln", str(signed.reference)).returncode != 0


def test_we_verify_what_cosign_signs_and_attests_beside_our_own(
    world: SignedWorld, signed: Artifact, cosign: Cosign, key: Path
) -> None:
    private = cosign.make_key("theirs")
    reference = str(signed.reference)
    cosign.sign(private, reference)
    (made,) = world.made(signed, "provenance")
    predicate = cosign.folder / "provenance.json"
    predicate.write_text(json.dumps(made.predicate))
    cosign.attest(private, "slsaprovenance1", predicate, reference)
    cosign.attest(
        private, "https://example.org/review/v1", _write(cosign.folder / "review.json", {"ok": True}), reference
    )

    theirs = TrustedKey(
        name="theirs", key=parse_public_key(private.with_suffix(".pub").read_bytes(), file="theirs.pub")
    )
    found = world.verify(signed, theirs)
    kinds = [SIGNATURE, predicate_type("provenance"), "https://example.org/review/v1"]
    found.check(kinds)
    assert [one.name for uri in kinds for one in found.held(uri)] == ["theirs"] * 3
    # Ours are still there, on the registry whose list of referrers cosign has written anew too.
    world.verify(signed).check([SIGNATURE, predicate_type("provenance"), predicate_type("sbom-cyclonedx")])
    assert cosign.verify(key, reference).returncode == 0


def _write(path: Path, value: object) -> Path:
    path.write_text(json.dumps(value))
    return path


def test_a_key_of_cosign_signs_here_and_cosign_takes_a_key_of_ours(
    world: SignedWorld, signed: Artifact, cosign: Cosign
) -> None:
    private = cosign.make_key("shared")
    signer = open_key(str(private), {"COSIGN_PASSWORD": PASSWORD})
    sign_artifacts(world.registry, signed, signatory(signer), recursive=False)  # type: ignore[arg-type]
    done = cosign.verify(private.with_suffix(".pub"), str(signed.reference))
    assert done.returncode == 0, done.stderr

    plain = cosign.folder / "plain.pem"
    plain.write_bytes(dump_private_key(make_key(7), None))
    cosign.must("import-key-pair", "--key", plain, "--output-key-prefix", f"imported-{cosign.keys}")
    cosign.sign(cosign.folder / f"imported-{cosign.keys}.key", str(signed.reference))
    world.verify(signed, trusted(7)).check([SIGNATURE])


Forge = Callable[[SignedWorld, Artifact], None]


def _nothing(world: SignedWorld, image: Artifact) -> None:
    del world, image


def _by_another(world: SignedWorld, image: Artifact) -> None:
    world.say(image, key=make_key(2))


def _transplanted(world: SignedWorld, image: Artifact) -> None:
    other = make_bundle(world.world.stack.base_lock)
    attach_bundle(world.registry, image, other.data, SIGNATURE, "")


def _tampered(world: SignedWorld, image: Artifact) -> None:
    envelope = seal(make_statement(world.world.stack.base_lock), PAYLOAD_TYPE, make_key())
    forged = dump_bundle(replace(envelope, payload=make_statement(image.digest)), make_key().public)
    attach_bundle(world.registry, image, forged, SIGNATURE, "")


def _of_another_type(world: SignedWorld, image: Artifact) -> None:
    envelope = seal(make_statement(image.digest), "application/json", make_key())
    attach_bundle(world.registry, image, dump_bundle(envelope, make_key().public), SIGNATURE, "")


@pytest.mark.parametrize(
    ("forge", "says"),
    [
        (_nothing, "nothing is attached"),
        (_by_another, "none of the keys"),
        (_transplanted, "was moved here"),
        (_tampered, "none of the keys"),
        (_of_another_type, "is no statement"),
    ],
    ids=["unsigned", "wrong key", "transplanted", "tampered", "of another payload type"],
)
def test_both_refuse_forgeries(world: SignedWorld, cosign: Cosign, key: Path, forge: Forge, says: str) -> None:
    image = world.push_another()
    forge(world, image)
    with pytest.raises(SignatureError, match=says):
        world.verify(image).check([SIGNATURE])
    assert cosign.verify(key, str(image.reference)).returncode != 0
    world.say(image)
    world.verify(image).check([SIGNATURE])
    assert cosign.verify(key, str(image.reference)).returncode == 0
