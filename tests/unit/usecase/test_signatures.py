"""Signing and verifying beside an image: what holds, what is passed over, and what is put on record."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from builder.attest.bundle import BUNDLE, MAX_BUNDLE_BYTES, dump_bundle, dump_bundle_manifest
from builder.attest.dsse import seal
from builder.attest.kinds import PREDICATE_TYPES, predicate_type
from builder.attest.statement import PAYLOAD_TYPE, Statement
from builder.cli.signatures_view import render_attached
from builder.digest import Digest
from builder.errors import RegistryError, SignatureError
from builder.ledger.database import SqliteLedger
from builder.ledger.events import Attested, Rebuilt, Signed
from builder.ledger.queries import event_of
from builder.oci import media
from builder.oci.descriptor import describe
from builder.usecase.attached import MOST_TRIED, Artifact, attach_bundle, find_bundles, platforms_of
from builder.usecase.record_signatures import first_seen, noted_of_sealed, noted_of_verified, record_bundles
from builder.usecase.sign import seal_and_attach, sign_artifacts
from builder.usecase.verify_signatures import disputed_by, is_settled, reproduced_by
from tests.support.ledgers import ALICE, Ticking, make_ledger
from tests.support.made_up import bump
from tests.support.registries import SmallRegistry
from tests.support.registry_images import close_clients
from tests.support.signed_world import NOW, SignedWorld, signatory, trusted
from tests.support.signing import make_bundle, make_key, make_statement

SIGNATURE, REBUILD = PREDICATE_TYPES["signature"], PREDICATE_TYPES["rebuild"]


@pytest.fixture(params=[True, False], ids=["referrers", "fallback tag"])
def small(request: pytest.FixtureRequest) -> Iterator[SmallRegistry]:
    with SmallRegistry(referrers=request.param) as served:
        yield served
        close_clients()


@pytest.fixture
def world(small: SmallRegistry, tmp_path: Path) -> SignedWorld:
    return SignedWorld(small.host, tmp_path)


def test_a_signed_image_verifies_by_its_key_and_no_other(world: SignedWorld) -> None:
    image = world.push()
    world.say(image)
    world.verify(image).check([SIGNATURE])
    with pytest.raises(SignatureError, match="none of the keys given"):
        world.verify(image, trusted(2)).check([SIGNATURE])


def test_an_unsigned_image_does_not_verify(world: SignedWorld) -> None:
    with pytest.raises(SignatureError, match="no signature of it holds: nothing is attached"):
        world.verify(world.push()).check([SIGNATURE])


def test_signing_twice_sends_nothing_and_gives_the_same_bytes(world: SignedWorld, small: SmallRegistry) -> None:
    image = world.push()
    first = sign_artifacts(world.registry, image, signatory(make_key()), recursive=True)
    assert [one.is_new for one in first] == [True, True, True]
    blobs, manifests = dict(small.state.blobs), dict(small.state.manifests)
    again = sign_artifacts(world.registry, image, signatory(make_key()), recursive=True)
    assert [(one.manifest, one.is_new) for one in again] == [(one.manifest, False) for one in first]
    assert (small.state.blobs, small.state.manifests) == (blobs, manifests)


def test_the_same_image_signed_elsewhere_gives_the_same_bundle(world: SignedWorld, tmp_path: Path) -> None:
    first = world.say(world.push(), "provenance", a=1)
    with SmallRegistry() as other:
        there = SignedWorld(other.host, tmp_path / "other")
        image = there.push()
        statement = Statement(
            digest=image.digest,
            name=str(world.repository),
            predicate_type=predicate_type("provenance"),
            predicate={"a": 1},
        )
        again = seal_and_attach(there.registry, image, statement, signatory(make_key()))
    assert (again.bundle.data, again.manifest) == (first.bundle.data, first.manifest)


def test_each_platform_may_be_signed_too(world: SignedWorld) -> None:
    image = world.push()
    sign_artifacts(world.registry, image, signatory(make_key()), recursive=True)
    for one in (image, *platforms_of(world.registry, image)):
        world.verify(one, trusted(1, stacks=("tiny",))).check([SIGNATURE])


def test_what_is_said_to_be_created_is_the_image_s_own_time(world: SignedWorld, small: SmallRegistry) -> None:
    image = world.push()
    sealed = world.say(image)
    manifest = json.loads(small.state.manifests["team/airflow", str(sealed.manifest)][0])
    created = json.loads(image.root.data)["annotations"]["org.opencontainers.image.created"]
    assert manifest["annotations"]["org.opencontainers.image.created"] == created
    platform = platforms_of(world.registry, image)[0]
    alone = world.say(platform)
    manifest = json.loads(small.state.manifests["team/airflow", str(alone.manifest)][0])
    assert manifest["annotations"]["org.opencontainers.image.created"] == created


def _put(world: SignedWorld, image: Artifact, bundle: bytes, claimed: str = SIGNATURE) -> Digest:
    return attach_bundle(world.registry, image, bundle, claimed, "")


def _transplanted(world: SignedWorld, image: Artifact) -> None:
    _put(world, image, make_bundle(Digest.of(b"another image")).data)


def _tampered(world: SignedWorld, image: Artifact) -> None:
    envelope = seal(make_statement(Digest.of(b"another image")), PAYLOAD_TYPE, make_key())
    _put(world, image, dump_bundle(replace(envelope, payload=make_statement(image.digest)), make_key().public))


def _other_kind(world: SignedWorld, image: Artifact) -> None:
    _put(world, image, make_bundle(image.digest, "provenance").data, claimed=SIGNATURE)


def _other_payload(world: SignedWorld, image: Artifact) -> None:
    envelope = seal(make_statement(image.digest), "application/json", make_key())
    _put(world, image, dump_bundle(envelope, make_key().public))


def _two_subjects(world: SignedWorld, image: Artifact) -> None:
    subjects = [{"digest": {"sha256": digest.hex}} for digest in (image.digest, Digest.of(b"evil"))]
    value = json.loads(make_statement(image.digest)) | {"subject": subjects}
    envelope = seal(json.dumps(value).encode(), PAYLOAD_TYPE, make_key())
    _put(world, image, dump_bundle(envelope, make_key().public))


def _no_json(world: SignedWorld, image: Artifact) -> None:
    _put(world, image, b"\xff\xfe")


def _gone(world: SignedWorld, image: Artifact) -> None:
    bundle = make_bundle(image.digest).data
    data = dump_bundle_manifest(image.root.descriptor, bundle, SIGNATURE, "")
    world.registry.push_blob(
        image.repository, describe(media.EMPTY, media.EMPTY_BYTES), lambda _: iter((media.EMPTY_BYTES,))
    )
    world.registry.push_manifest(image.repository, data, media.MANIFEST)


def _giant(world: SignedWorld, image: Artifact) -> None:
    value = json.loads(dump_bundle_manifest(image.root.descriptor, b"{}", SIGNATURE, ""))
    value["layers"][0] |= {"size": MAX_BUNDLE_BYTES + 1}
    world.registry.push_manifest(image.repository, json.dumps(value).encode(), media.MANIFEST)


Hostile = Callable[[SignedWorld, Artifact], None]
HOSTILE: dict[str, tuple[Hostile, str]] = {
    "transplanted": (_transplanted, "was moved here"),
    "tampered": (_tampered, "none of the keys"),
    "of another kind than it claims": (_other_kind, "is of the kind provenance"),
    "of another payload type": (_other_payload, "is no statement but 'application/json'"),
    "about two artifacts": (_two_subjects, "is about 2 artifacts"),
    "not JSON": (_no_json, "not JSON"),
    "whose bundle is gone": (_gone, "blob sha256:.*: HTTP 404"),
    "giant": (_giant, "at most 17825792 are read"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_bundle_does_not_hold_and_takes_no_good_one_with_it(world: SignedWorld, name: str) -> None:
    put, says = HOSTILE[name]
    image = world.push()
    put(world, image)
    with pytest.raises(SignatureError, match=says):
        world.verify(image).check([SIGNATURE])
    world.say(image)
    world.verify(image).check([SIGNATURE])


def test_a_registry_that_fails_is_no_answer(world: SignedWorld, small: SmallRegistry) -> None:
    from tests.support.registries import Fault, always

    image = world.push()
    world.say(image)
    small.fault = always(Fault(status=503), method="GET", part="/blobs/")
    with pytest.raises(RegistryError, match="503"):
        world.verify(image)


def test_a_flood_of_bundles_is_told_and_fails_closed(world: SignedWorld, small: SmallRegistry) -> None:
    image = world.push()
    junk = dump_bundle_manifest(image.root.descriptor, b"{}", SIGNATURE, "")
    value = json.loads(junk)
    entries = []
    for number in range(MOST_TRIED + 5):
        data = json.dumps(value | {"annotations": {"n": str(number)}}).encode()
        digest = str(Digest.of(data))
        small.state.manifests["team/airflow", digest] = (data, media.MANIFEST)
        entries.append({"mediaType": media.MANIFEST, "digest": digest, "size": len(data), "artifactType": BUNDLE})
    index = json.dumps({"schemaVersion": 2, "mediaType": media.INDEX, "manifests": entries}).encode()
    tag = f"sha256-{image.digest.hex}"
    small.state.manifests["team/airflow", str(Digest.of(index))] = (index, media.INDEX)
    small.state.tags["team/airflow", tag] = str(Digest.of(index))
    found, passed = find_bundles(world.registry, image)
    assert (len(found), len(passed)) == (0, MOST_TRIED + 1)
    assert "the others were not looked at" in passed[-1].why


def test_bundles_are_not_kept_in_memory_without_end(world: SignedWorld) -> None:
    image = world.push()
    sizes = [len(world.say(image, "sbom-spdx", number=number).bundle.data) for number in range(4)]
    found, passed = find_bundles(world.registry, image, most_bytes=sum(sizes[:2]))
    assert (len(found), len(passed)) == (2, 2)
    assert "is more than is read of an image" in passed[0].why
    assert len(find_bundles(world.registry, image)[0]) == 4


def test_what_a_bundle_claims_cannot_write_lines_of_its_own(world: SignedWorld) -> None:
    image = world.push()
    lie = "x\nsignature  ci  holds"
    attach_bundle(world.registry, image, make_bundle(image.digest, key=make_key(9)).data, lie, lie)
    (one,) = world.verify(image).judged
    assert (one.predicate_type, one.attached.said.created) == ("", "")
    shown = render_attached(world.verify(image), has_keys=True)
    assert len(shown.splitlines()) == 3


def test_a_statement_about_something_else_is_not_signed(world: SignedWorld) -> None:
    image = world.push()
    other = Statement(digest=Digest.of(b"x"), predicate_type=SIGNATURE, predicate={})
    with pytest.raises(SignatureError, match="the statement is about"):
        seal_and_attach(world.registry, image, other, signatory(make_key()))


def test_keys_hold_in_what_they_may_and_when_a_ledger_has_seen_it(world: SignedWorld, tmp_path: Path) -> None:
    image = world.push()
    sealed = world.say(image)
    revoked = trusted(1, revoked=NOW - 100, reason="stolen")
    with pytest.raises(SignatureError, match=r"was revoked at .* \(stolen\)"):
        world.verify(image, revoked).check([SIGNATURE])
    with pytest.raises(SignatureError, match="may not sign images of tiny"):
        world.verify(image, trusted(1, stacks=("other",))).check([SIGNATURE])
    with pytest.raises(SignatureError, match="may not sign signature"):
        world.verify(image, trusted(1, may=(REBUILD,))).check([SIGNATURE])

    clock = Ticking(NOW - 1000)
    make_ledger(tmp_path / "ledger.db", clock=clock)
    with SqliteLedger(tmp_path / "ledger.db", clock, write=True) as ledger:
        record_bundles(ledger, [noted_of_sealed(sealed)], ALICE)
        world.verify(image, revoked, ledger=ledger).check([SIGNATURE])
        with pytest.raises(SignatureError, match="valid from"):
            world.verify(image, trusted(1, since=NOW), ledger=ledger).check([SIGNATURE])


def test_a_clock_that_was_set_back_does_not_bring_a_signature_before_its_revocation(
    world: SignedWorld, tmp_path: Path
) -> None:
    image = world.push()
    sealed = world.say(image)
    clock = Ticking(NOW)
    make_ledger(tmp_path / "ledger.db", clock=clock)
    early = Ticking(NOW - 5000)
    with SqliteLedger(tmp_path / "ledger.db", early, write=True) as ledger:
        (entry,) = record_bundles(ledger, [noted_of_sealed(sealed)], ALICE)
        assert entry.time < NOW - 100
        seen = first_seen(ledger, image.digest, sealed.bundle.digest)
        assert seen is not None
        assert seen >= NOW
        with pytest.raises(SignatureError, match="was revoked at"):
            world.verify(image, trusted(1, revoked=NOW - 100), ledger=ledger).check([SIGNATURE])


def _rebuild(image: Artifact, *, same: bool = True, who: str = "x") -> dict[str, Any]:
    rebuilt = image.digest.hex if same else Digest.of(b"other").hex
    return {
        "verdict": "same" if same else "different",
        "rebuilt": {"sha256": rebuilt},
        "rebuilder": {"id": who},
        **({} if same else {"firstDifference": "linux/amd64: layer 3"}),
    }


def test_rebuilders_count_by_their_keys_not_by_the_names_they_give_themselves(world: SignedWorld) -> None:
    image = world.push()
    for who in ("alice", "bob", "carol"):
        world.say(image, "rebuild", key=make_key(1), **_rebuild(image, who=who))
    world.say(image, "rebuild", key=make_key(2), **_rebuild(image, who="alice"))
    world.say(image, "rebuild", key=make_key(3), **_rebuild(image, who="mallory"))
    found = world.verify(image, trusted(1), trusted(2))
    assert reproduced_by(found) == ("key-1", "key-2")
    assert is_settled(found, [REBUILD])


def test_a_rebuild_that_differs_settles_nothing(world: SignedWorld) -> None:
    image = world.push()
    world.say(image, "rebuild", key=make_key(1), **_rebuild(image))
    world.say(image, "rebuild", key=make_key(2), **_rebuild(image, same=False))
    found = world.verify(image, trusted(1), trusted(2))
    assert (reproduced_by(found), disputed_by(found)) == (("key-1",), ("key-2",))
    assert not is_settled(found, [REBUILD])
    assert is_settled(found, [SIGNATURE])


def test_a_verdict_that_contradicts_its_digests_does_not_hold(world: SignedWorld) -> None:
    image = world.push()
    world.say(image, "rebuild", **(_rebuild(image, same=False) | {"verdict": "same"}))
    with pytest.raises(SignatureError, match="its verdict is not that of its digests"):
        world.verify(image).check([REBUILD])


def test_what_is_signed_and_verified_is_on_record_once(world: SignedWorld, tmp_path: Path) -> None:
    image = world.push()
    sealed = world.say(image)
    world.say(image, "rebuild", key=make_key(2), **_rebuild(image, who="bob"))
    make_ledger(tmp_path / "ledger.db")
    with SqliteLedger(tmp_path / "ledger.db", Ticking(), write=True) as ledger:
        for _ in range(2):
            record_bundles(ledger, [noted_of_sealed(sealed)], ALICE)
            found = world.verify(image, trusted(1), trusted(2), ledger=ledger)
            record_bundles(ledger, noted_of_verified(found, [SIGNATURE, REBUILD]), ALICE)
        kinds = [entry.kind for entry in ledger.entries(1)]
        assert kinds == ["signature", "attestation", "rebuild"]
        first, second, third = ledger.entries(1)
        signed, attested, rebuilt = event_of(first, Signed), event_of(second, Attested), event_of(third, Rebuilt)
        assert (signed.made, signed.signer) == (True, make_key().public.fingerprint)
        assert (attested.made, attested.name, attested.predicate_type) == (False, "key-2", REBUILD)
        assert (rebuilt.by, rebuilt.key, rebuilt.same) == ("key-2", make_key(2).public.fingerprint, True)
        assert ledger.document(Digest.parse(signed.statement)) == sealed.bundle.envelope.payload


def test_a_bundle_can_be_made_again_from_the_ledger_alone(world: SignedWorld, tmp_path: Path) -> None:
    import base64

    from builder.attest.dsse import Envelope

    image = world.push()
    sealed = world.say(image, "provenance", a=1)
    make_ledger(tmp_path / "ledger.db")
    with SqliteLedger(tmp_path / "ledger.db", Ticking(), write=True) as ledger:
        (entry,) = record_bundles(ledger, [noted_of_sealed(sealed)], ALICE)
        event = event_of(entry, Attested)
        payload = ledger.document(Digest.parse(event.statement))
    assert payload is not None
    envelope = Envelope(payload=payload, payload_type=PAYLOAD_TYPE, signatures=(base64.b64decode(event.signature),))
    assert str(Digest.of(dump_bundle(envelope, make_key().public))) == event.bundle


def test_the_bundle_of_tonight_costs_little_beside_that_of_last_night(world: SignedWorld, tmp_path: Path) -> None:
    first = world.push()
    text = [Digest.of(str(number).encode()).hex for number in range(2000)]
    one = world.say(first, "provenance", text=text)
    second = world.push(bump(world.world))
    two = world.say(second, "provenance", text=[*text, "more"])
    path = tmp_path / "ledger.db"
    make_ledger(path)
    with SqliteLedger(path, Ticking(), write=True) as ledger:
        record_bundles(ledger, [noted_of_sealed(one)], ALICE)
        size = sum(map(len, _rows(path)))
        record_bundles(ledger, [noted_of_sealed(two)], ALICE)
        assert sum(map(len, _rows(path))) - size < 2000


def _rows(path: Path) -> list[bytes]:
    import sqlite3

    with sqlite3.connect(f"file:{path}?mode=ro", uri=True) as connection:
        rows = [row[0] for row in connection.execute("SELECT data FROM documents")]
    connection.close()
    return rows
