"""What is said of an image by our own makers: from its locks wherever they lie, and from what a ledger has on record."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from google.protobuf.json_format import ParseDict  # type: ignore[import-untyped]
from in_toto_attestation.v1.statement import Statement as InTotoStatement  # type: ignore[import-untyped]
from in_toto_attestation.v1.statement_pb2 import Statement as StatementMessage  # type: ignore[import-untyped]
from sigstore_models.bundle.v1 import Bundle as SigstoreBundle

from builder.archive.attestation import Rebuild
from builder.archive.attestation import dump_statement as dump_rebuild
from builder.attest.kinds import PREDICATE_TYPES
from builder.attest.provenance_check import Claims
from builder.attest.statement import dump_statement
from builder.canonical import dump_json
from builder.digest import Digest
from builder.errors import BuildError, IntegrityError, InvalidInputError, LedgerError, MissingBlobError, SignatureError
from builder.ledger.database import SqliteLedger
from builder.ledger.entry import Actor
from builder.ledger.events import Built, Event, Rebuilt, Scanned
from builder.ledger.model import LedgerReader, NewDocument, NewEntry
from builder.sbom.make import Form
from builder.store.artefacts import DirectoryArtefactStore
from builder.store.files import DirectoryFileStore
from builder.usecase.archive import plan_archive, push_archive
from builder.usecase.attached import Artifact, platforms_of
from builder.usecase.attest import made_statements, statement_of_file, statement_of_predicate
from builder.usecase.predicates import Told
from builder.usecase.record import BuildDone, blob_reader, read_lock_files, record_build
from builder.usecase.sbom import FactTools
from builder.usecase.shipped import read_shipped
from builder.usecase.sign import seal_and_attach
from tests.support.bills import check_cyclonedx, check_spdx, properties_of
from tests.support.ledgers import ALICE, Ticking, make_ledger
from tests.support.registries import SmallRegistry
from tests.support.registry_images import close_clients
from tests.support.signed_world import OWN, SignedWorld, signatory, trusted
from tests.support.signing import make_key

PROVENANCE = PREDICATE_TYPES["provenance"]


@pytest.fixture
def world(tmp_path: Path) -> Iterator[SignedWorld]:
    with SmallRegistry() as small:
        yield SignedWorld(small.host, tmp_path)
        close_clients()


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[SqliteLedger]:
    make_ledger(tmp_path / "ledger.db")
    with SqliteLedger(tmp_path / "ledger.db", Ticking(), write=True) as opened:
        yield opened


def make(
    world: SignedWorld, image: Artifact, kind: str, ledger: LedgerReader | None = None, told: Told = OWN
) -> dict[str, Any]:
    (statement,) = world.made(image, kind, ledger=ledger, told=told)
    value: dict[str, Any] = json.loads(dump_statement(statement))
    return value["predicate"]  # type: ignore[no-any-return]


def record_build_of(world: SignedWorld, ledger: SqliteLedger, image: Artifact, actor: Actor = ALICE) -> None:
    shipped = read_shipped(world.registry, image.reference)
    platforms = {
        str(one.platform): {
            "manifest_digest": str(one.descriptor.digest),
            "config_digest": str(one.manifest.config.digest),
            "layers": [{"size_bytes": layer.size} for layer in one.manifest.layers],
        }
        for one in shipped.platforms
    }
    done = BuildDone(
        locks=read_lock_files(world.root / "locks", "tiny"),
        summary={"stack": "tiny", "index_digest": str(image.digest), "platforms": platforms},
        read=blob_reader(world.root / "out1"),
        engine="airflow-kubler",
        compression="zstd",
        seconds=61.4,
    )
    record_build(ledger, done, actor)


def note(ledger: SqliteLedger, event: Event, document: bytes | None = None) -> None:
    documents = [NewDocument(data=document)] if document is not None else []
    ledger.append([NewEntry(event=event, documents=documents)], ALICE)


def test_provenance_agrees_with_its_image_and_is_the_same_each_time(world: SignedWorld) -> None:
    image = world.push()
    (first,), (second,) = (world.made(image, "provenance") for _ in range(2))
    assert dump_statement(first) == dump_statement(second)
    seal_and_attach(world.registry, image, first, signatory(make_key()))
    found = world.verify(image)
    found.check([PROVENANCE])
    (held,) = found.held(PROVENANCE)
    assert isinstance(held.found, Claims)
    assert held.found.builder == "urn:airflow-kubler:builder:v1:own:local"
    assert held.found.hermetic


def test_provenance_of_another_image_or_builder_does_not_hold(world: SignedWorld) -> None:
    image = world.push()
    (good,) = world.made(image, "provenance")
    value = json.loads(dump_statement(good))["predicate"]
    value["buildDefinition"]["externalParameters"]["lock"] = f"sha256:{'0' * 64}"
    seal_and_attach(world.registry, image, replace(good, predicate=value), signatory(make_key()))
    with pytest.raises(SignatureError, match="says lock"):
        world.verify(image).check([PROVENANCE])
    seal_and_attach(world.registry, image, good, signatory(make_key()))
    world.verify(image).check([PROVENANCE])
    with pytest.raises(SignatureError, match=r"allowed are https://ci\.example\.org"):
        world.verify(image, builders=("https://ci.example.org",)).check([PROVENANCE])
    with pytest.raises(SignatureError, match="which key-1 may not speak for"):
        world.verify(image, trusted(1, builders=("https://ci.example.org",))).check([PROVENANCE])


def test_how_it_was_built_is_not_guessed(world: SignedWorld, ledger: SqliteLedger) -> None:
    image = world.push()
    for reader in (None, ledger):
        with pytest.raises(BuildError, match="it is not known how it was built"):
            make(world, image, "provenance", reader, Told())
    builders = {engine: make(world, image, "provenance", None, Told(engine=engine)) for engine in ("own", "buildkit")}
    assert builders["own"]["runDetails"]["builder"]["id"] == "urn:airflow-kubler:builder:v1:own:local"
    assert builders["buildkit"]["runDetails"]["builder"]["id"] == "urn:airflow-kubler:builder:v1:buildkit:local"
    told = Told(builder="https://ci.example.org/b", invocation="7", started=0, finished=60)
    details = make(world, image, "provenance", None, told)["runDetails"]
    assert details["builder"]["id"] == "https://ci.example.org/b"
    assert details["metadata"] == {
        "invocationId": "7",
        "startedOn": "1970-01-01T00:00:00Z",
        "finishedOn": "1970-01-01T00:01:00Z",
    }


def test_a_ledger_knows_the_run_and_knows_it_for_good(world: SignedWorld, ledger: SqliteLedger) -> None:
    image = world.push()
    robot = Actor(
        name="ci", method="local", run="https://git.example.org/t/a/actions/runs/7", program="airflow-kubler 0.0.9"
    )
    record_build_of(world, ledger, image, robot)
    first = make(world, image, "provenance", ledger, Told())
    # Built again, by somebody else, later: the first entry of this image is what counts.
    record_build_of(world, ledger, image)
    assert make(world, image, "provenance", ledger, Told()) == first
    entry = ledger.find("digest", str(image.digest), kinds=(Built.kind,))[-1]
    details = first["runDetails"]
    assert details["builder"] == {
        "id": "urn:airflow-kubler:builder:v1:own:github-actions",
        "version": {"airflow-kubler": "0.0.9"},
    }
    assert details["metadata"]["invocationId"] == robot.run
    assert details["metadata"]["finishedOn"] == entry.moment
    # Another version's formats are not known to this one.
    assert "formats" not in first["buildDefinition"]["internalParameters"]


def test_a_build_on_nobody_s_platform_is_named_by_its_entry(world: SignedWorld, ledger: SqliteLedger) -> None:
    image = world.push()
    record_build_of(world, ledger, image)
    details = make(world, image, "provenance", ledger, Told())["runDetails"]
    assert details["metadata"]["invocationId"] == "urn:airflow-kubler:ledger:example.org/airflow:1"


def test_locks_are_found_in_the_project_the_ledger_or_the_archive(world: SignedWorld, ledger: SqliteLedger) -> None:
    image = world.push()
    wanted = make(world, image, "provenance")
    shipped = read_shipped(world.registry, image.reference)
    plan = plan_archive(world.registry, shipped, world.root / "locks", world.world.files)
    record_build_of(world, ledger, image)
    shutil.rmtree(world.root / "locks")
    with pytest.raises(BuildError, match="the lock that it was built from is not here"):
        make(world, image, "provenance")
    by_ledger = make(world, image, "provenance", ledger, Told())
    assert by_ledger["buildDefinition"]["resolvedDependencies"] == wanted["buildDefinition"]["resolvedDependencies"]
    push_archive(world.registry, plan, world.world.files)
    assert make(world, image, "provenance") == wanted


@pytest.mark.parametrize(("kind", "form"), [("cyclonedx", Form.CYCLONEDX), ("sbom-spdx", Form.SPDX)])
def test_bills_are_those_of_the_image_s_platforms_and_validators_accept_them(
    world: SignedWorld, tmp_path: Path, kind: str, form: Form
) -> None:
    image = world.push()
    made = world.made(image, kind)
    assert [one.digest for one in made] == [image.digest] * 2
    assert made == world.made(image, kind)
    platforms = sorted(read_shipped(world.registry, image.reference).platforms, key=lambda one: one.platform)
    for statement, platform in zip(made, platforms, strict=True):
        data = dump_json(statement.predicate)
        named = json.loads(data)
        if form is Form.SPDX:
            check_spdx(data, tmp_path)
            root = next(one for one in named["packages"] if one["SPDXID"] == "SPDXRef-ContainerImage")
            assert root["checksums"][0]["checksumValue"] == platform.descriptor.digest.hex
        else:
            check_cyclonedx(data)
            assert named["metadata"]["component"]["version"] == str(platform.descriptor.digest)
            assert properties_of(named["metadata"])["airflow-kubler:index"] == str(image.digest)


def test_a_bill_of_files_that_are_not_here_is_not_made(world: SignedWorld, tmp_path: Path) -> None:
    image = world.push()
    empty = FactTools(files=DirectoryFileStore(tmp_path / "none"), artefacts=DirectoryArtefactStore(tmp_path / "none"))
    with pytest.raises(MissingBlobError, match="the store lacks 6 files: alpha-"):
        made_statements(world.registry, image, "sbom-spdx", locks=(world.locks,), ledger=None, facts=empty, told=Told())


def test_a_rebuild_on_record_can_be_signed(world: SignedWorld, ledger: SqliteLedger) -> None:
    image = world.push()
    with pytest.raises(LedgerError, match="no rebuild of it is on record"):
        make(world, image, "rebuild", ledger)
    rebuild = Rebuild(
        name="x",
        digest=image.digest,
        stack="tiny",
        lock=Digest.of(b"lock"),
        archive=Digest.of(b"archive"),
        rebuilder="alice@a",
        version="0",
        started=0,
        finished=1,
        rebuilt=image.digest,
    )
    data = dump_rebuild(rebuild)
    note(ledger, Rebuilt(digest=str(image.digest), same=True, by="alice@a", statement=str(Digest.of(data))), data)
    predicate = make(world, image, "rebuild", ledger)
    assert predicate == json.loads(data)["predicate"]
    by_file = statement_of_file(image, "rebuild", data, file="rebuild.json")
    assert by_file.predicate == predicate
    with pytest.raises(IntegrityError, match="is of the kind rebuild, not provenance"):
        statement_of_file(image, "provenance", data, file="rebuild.json")
    other = dump_rebuild(replace(rebuild, digest=Digest.of(b"other")))
    with pytest.raises(IntegrityError, match="is about"):
        statement_of_file(image, "", other, file="rebuild.json")


def test_a_scan_on_record_can_be_signed_as_cosign_has_it(world: SignedWorld, ledger: SqliteLedger) -> None:
    image = world.push()
    report = json.dumps({"SchemaVersion": 2}).encode()
    event = Scanned(
        digest=str(image.digest),
        result="clean",
        scanner="trivy 0.59.1",
        database="2026-11-30",
        counts={"low": 3},
        report=str(Digest.of(report)),
    )
    note(ledger, event, report)
    predicate = make(world, image, "scan", ledger)
    assert predicate["scanner"] == {
        "uri": "trivy",
        "version": "0.59.1",
        "db": {"uri": "", "version": "2026-11-30"},
        "result": {"SchemaVersion": 2},
    }
    assert predicate["verdict"]["result"] == "clean"
    with pytest.raises(LedgerError, match="no scan of it is on record"):
        make(world, image, "scan", None)


def test_anything_else_comes_from_a_file(world: SignedWorld) -> None:
    image = world.push()
    with pytest.raises(InvalidInputError, match="nothing here makes statements of the kind"):
        make(world, image, "https://example.org/review/v1")
    statement = statement_of_predicate(image, "https://example.org/review/v1", b'{"ok": true}', file="f")
    assert statement.predicate == {"ok": True}
    with pytest.raises(InvalidInputError, match="says nothing beside the digest"):
        statement_of_predicate(image, "signature", b"{}", file="f")
    with pytest.raises(IntegrityError, match="not a JSON object"):
        statement_of_predicate(image, "provenance", b"[]", file="f")


def test_others_read_every_statement_and_every_bundle(world: SignedWorld, ledger: SqliteLedger) -> None:
    """The in-toto library reads statements, and the models of sigstore bundles: unknown fields are errors in both."""
    image = world.push()
    record_build_of(world, ledger, image)
    note(ledger, Scanned(digest=str(image.digest), result="clean", scanner="trivy 0.59.1"))
    for made in (
        one for kind in ("provenance", "sbom-cyclonedx", "scan") for one in world.made(image, kind, ledger=ledger)
    ):
        sealed = seal_and_attach(world.registry, image, made, signatory(make_key()))
        payload = json.loads(sealed.bundle.envelope.payload)
        InTotoStatement.copy_from_pb(ParseDict(payload, StatementMessage())).validate()
        value = json.loads(sealed.bundle.data)
        # cosign leaves the empty list out, as protobuf's JSON does; these models want it.
        value["verificationMaterial"] |= {"tlogEntries": []}
        bundle = SigstoreBundle.from_dict(value)
        assert bundle.dsse_envelope is not None
        assert bundle.dsse_envelope.payload == sealed.bundle.envelope.payload


def test_one_platform_of_an_image_has_its_own_provenance_and_bill_of_materials(world: SignedWorld) -> None:
    image = world.push()
    platforms = platforms_of(world.registry, image)
    for kind in ("provenance", "sbom-cyclonedx"):
        for one in platforms:
            (made,) = world.made(one, kind)
            seal_and_attach(world.registry, one, made, signatory(make_key()))
            world.verify(one, trusted(1, stacks=("tiny",))).check([PREDICATE_TYPES[kind]])
    only = make(world, platforms[0], "provenance")
    assert only["buildDefinition"]["externalParameters"]["platforms"] == ["linux/amd64"]
    # That of a platform says nothing of the index.
    with pytest.raises(SignatureError, match="nothing is attached"):
        world.verify(image).check([PROVENANCE])
