"""Archives: what they hold, what is refused, and images rebuilt from them alone."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path

import pytest
import zstandard

from builder.archive.attestation import Rebuild, dump_statement
from builder.archive.model import ARTIFACT_TYPE, Archive, dump_archive, parse_archive
from builder.digest import Digest
from builder.errors import BuilderError, BuildError, FetchError, IntegrityError, MissingBlobError, RegistryError
from builder.lock.model import LockedFile
from builder.oci import media
from builder.oci.descriptor import describe
from builder.registry.model import Reference, parse_repository
from builder.store.files import DirectoryFileStore
from builder.usecase.archive import fetch_from_archive, plan_archive
from builder.usecase.fetch import FetchScope
from builder.usecase.shipped import ShippedImage, read_shipped
from tests.support.archives import Setting
from tests.support.made_up import bump, make_world, write_locks
from tests.support.registries import Fault, SmallRegistry, always
from tests.support.registry_images import Memory, close_clients


@pytest.fixture
def setting(tmp_path: Path) -> Iterator[Setting]:
    with SmallRegistry() as small:
        yield Setting(small, make_world(tmp_path))
        close_clients()


def test_an_image_is_rebuilt_from_its_archive_alone(setting: Setting) -> None:
    image = setting.push()
    setting.archive(image)
    report = setting.rebuild(image)
    assert report.differences == ()
    assert report.index_digest == image.root.digest
    assert report.inputs == 8


def test_an_archive_holds_each_input_as_it_was_locked(setting: Setting) -> None:
    image = setting.push()
    found = setting.archive(image)
    archive = found.archive
    assert [file.name for file in archive.inputs] == sorted(file.name for file in archive.inputs)
    assert Counter(file.name.partition("/")[0] for file in archive.inputs) == {"debs": 4, "locks": 2, "wheels": 4}
    for file in archive.inputs:
        assert Digest.of(b"".join(found.read(setting.registry, file))) == file.sha256
    assert archive.find(image.lock) is not None
    assert (archive.subject.digest, archive.stack, archive.lock) == (image.root.digest, "tiny", image.lock)


def test_archiving_again_sends_nothing_and_is_the_same_archive(setting: Setting) -> None:
    image = setting.push()
    first = setting.archive(image)
    setting.small.asked.clear()
    assert setting.archive(image) == first
    assert {asked.method for asked in setting.small.asked} <= {"GET", "HEAD"}


def test_stacks_share_their_inputs_in_the_registry(setting: Setting) -> None:
    setting.archive(setting.push())
    moved = bump(setting.world)
    image = setting.push(moved)
    plan = plan_archive(setting.registry, image, setting.world.root / "locks", setting.world.files)
    sent = {file.name for file in plan.archive.inputs if file.sha256 in {blob.digest for blob in plan.transfer.blobs}}
    assert sent == {"wheels/alpha-1.1-py3-none-any.whl", "locks/pylock.tiny.toml"}


def test_only_the_lock_that_the_image_was_built_from_is_archived(setting: Setting) -> None:
    image = setting.push()
    write_locks(bump(setting.world), setting.world.root / "locks")
    with pytest.raises(BuildError, match="built from another lock"):
        setting.archive(image)


def test_what_the_store_lacks_is_named(setting: Setting) -> None:
    image = setting.push()
    wheel = next(iter(setting.world.stack.candidates[0].wheels.values()))
    setting.world.files.path(wheel.sha256).unlink()
    with pytest.raises(MissingBlobError, match=rf"lacks 1 inputs: wheels/{wheel.name}"):
        setting.archive(image)


def test_an_image_without_archive_is_told_with_the_way_out(setting: Setting) -> None:
    image = setting.push()
    with pytest.raises(RegistryError, match="never archived") as raised:
        setting.rebuild(image)
    assert raised.value.hint.endswith(f"archive push {image.reference} tiny")


def test_an_image_that_says_a_lock_but_is_not_built_from_it_differs(setting: Setting) -> None:
    image = setting.push()
    setting.archive(image)
    # Somebody puts another file into a layer, and keeps the label.
    layer = image.platforms[0].manifest.layers[0]
    forged = _with_another_layer(setting, image)
    assert forged.lock == image.lock
    archive = setting.archive(forged)
    assert archive.archive.subject.digest == forged.root.digest
    report = setting.rebuild(forged)
    assert report.index_digest == image.root.digest
    assert str(report.differences[0]).startswith("linux/amd64: layer")
    assert layer.digest != forged.platforms[0].manifest.layers[0].digest


def _with_another_layer(setting: Setting, image: ShippedImage) -> ShippedImage:
    registry, repository = setting.registry, image.repository
    manifest = json.loads(registry.manifest(repository.at(image.platforms[0].descriptor.digest)).data)  # type: ignore[union-attr]
    config = json.loads(b"".join(registry.read_blob(repository, image.platforms[0].manifest.config)))
    data = zstandard.compress(bytes(10240))
    memory = Memory()
    manifest["layers"][0] |= {"digest": str(Digest.of(data)), "size": len(data)}
    config["rootfs"]["diff_ids"][0] = str(Digest.of(bytes(10240)))
    raw = json.dumps(config).encode()
    manifest["config"] |= {"digest": str(Digest.of(raw)), "size": len(raw)}
    for blob in (data, raw):
        descriptor = memory.add(media.CONFIG, blob)
        registry.push_blob(repository, descriptor, lambda offset, blob=blob: iter([blob[offset:]]))  # type: ignore[misc]
    body = json.dumps(manifest).encode()
    registry.push_manifest(repository, body, media.MANIFEST)
    index = json.loads(image.root.data)
    index["manifests"][0] |= {"digest": str(Digest.of(body)), "size": len(body)}
    root = registry.push_manifest(repository, json.dumps(index).encode(), media.INDEX)
    return read_shipped(registry, repository.at(root.digest))


def _forge(setting: Setting, image: ShippedImage, **changes: object) -> None:
    """Put a made-up archive in the place of the true one."""
    found = setting.archive(image)
    setting.forget(found.digest)
    setting.push_manifest(dump_archive(replace(found.archive, **changes)))  # type: ignore[arg-type]


def test_an_archive_that_lacks_an_input_is_refused(setting: Setting) -> None:
    image = setting.push()
    inputs = setting.archive(image).archive.inputs
    _forge(setting, image, inputs=tuple(file for file in inputs if not file.name.startswith("wheels/alpha")))
    with pytest.raises(FetchError, match=r"does not hold 1 locked files: alpha-1\.0"):
        setting.rebuild(image)


HOSTILE = ("the lock alone", "a lie about the size of the lock", "gone", "too long", "blocked")


@pytest.mark.parametrize("kind", HOSTILE)
def test_a_hostile_archive_does_not_hide_the_true_one(setting: Setting, kind: str) -> None:
    image = setting.push()
    true = setting.archive(image)
    lock = [file for file in true.archive.inputs if file.sha256 == image.lock]
    # Made up until one is looked at before the true one.
    for number in range(200):
        inputs = tuple(replace(file, name=f"{file.name}{number}") for file in lock)
        if kind == "a lie about the size of the lock":
            inputs = tuple(replace(file, size=7) for file in inputs)
        data = dump_archive(replace(true.archive, inputs=inputs))
        if Digest.of(data) < true.digest:
            break
    bad = setting.push_manifest(data)
    assert bad < true.digest
    answers = {
        "gone": Fault(status=404),
        "too long": Fault(status=200, body=b" " * (5 << 20)),
        "blocked": Fault(status=412),
    }
    if kind in answers:
        setting.small.fault = always(answers[kind], method="GET", part=f"/manifests/{bad}")
    report = setting.rebuild(image)
    assert (report.differences, report.archive.digest) == ((), true.digest)
    scope = FetchScope(locks=((setting.world.stack, setting.world.base),))
    store = DirectoryFileStore(setting.world.root / "fetched")
    fetched = fetch_from_archive(
        setting.registry,
        image,
        scope,
        store,
        setting.world.root / "linked",
        progress=lambda _: nullcontext(lambda _: None),
    )
    assert fetched.fetched == fetched.files > 0


def test_a_registry_that_fails_amid_archives_ends_the_rebuild(setting: Setting) -> None:
    image = setting.push()
    true = setting.archive(image)
    setting.small.fault = always(Fault(status=500), method="GET", part=f"/manifests/{true.digest}")
    with pytest.raises(RegistryError, match="HTTP 500"):
        setting.rebuild(image)


@pytest.mark.parametrize("kind", ["lock", "subject", "without the lock"])
def test_an_archive_of_something_else_is_not_used(setting: Setting, kind: str) -> None:
    image = setting.push()
    inputs = setting.archive(image).archive.inputs
    changes: dict[str, dict[str, object]] = {
        "lock": {"lock": Digest.of(b"other")},
        "subject": {"subject": replace(image.descriptor, digest=image.platforms[0].descriptor.digest)},
        "without the lock": {"inputs": tuple(file for file in inputs if "pylock" not in file.name)},
    }
    _forge(setting, image, **changes[kind])
    with pytest.raises(BuilderError, match=r"no archive of it can be used|never archived"):
        setting.rebuild(image)


def test_a_damaged_input_is_never_used(setting: Setting) -> None:
    image = setting.push()
    found = setting.archive(image)
    wheel = next(file for file in found.archive.inputs if file.name.startswith("wheels/beta"))
    held = setting.small.state.blobs
    for key in [key for key in held if key[1] == str(wheel.sha256)]:
        held[key] = held[key][:-1] + b"!"
    with pytest.raises(IntegrityError, match=wheel.sha256.hex):
        setting.rebuild(image)


def test_a_foreign_artifact_with_our_type_is_refused(setting: Setting) -> None:
    image = setting.push()
    config = describe("application/vnd.oci.empty.v1+json", b"{}")
    setting.registry.push_blob(image.repository, config, lambda offset: iter([b"{}"[offset:]]))
    value = {
        "schemaVersion": 2,
        "mediaType": media.MANIFEST,
        "artifactType": ARTIFACT_TYPE,
        "config": {"mediaType": config.media_type, "digest": str(config.digest), "size": 2},
        "layers": [],
        "subject": {"mediaType": media.INDEX, "digest": str(image.root.digest), "size": len(image.root.data)},
    }
    setting.push_manifest(json.dumps(value).encode())
    with pytest.raises(IntegrityError, match="no archive of it can be used"):
        setting.rebuild(image)


def test_what_is_no_image_of_ours_is_refused(setting: Setting) -> None:
    memory = Memory()
    image = memory.add_image(b"layer")
    repository = parse_repository(f"{setting.small.host}/foreign")
    for name, data in memory.held.items():
        blob = replace(image, digest=Digest.parse(name), size=len(data))
        setting.registry.push_blob(repository, blob, lambda offset, data=data: iter([data[offset:]]))  # type: ignore[misc]
    setting.registry.push_manifest(repository, memory.held[str(image.digest)], media.MANIFEST, "v1")
    with pytest.raises(IntegrityError, match="is no image index"):
        read_shipped(setting.registry, repository.at("v1"))
    with pytest.raises(RegistryError, match="there is no such image"):
        read_shipped(setting.registry, Reference(repository=repository, tag="v2"))


def test_the_manifest_is_read_and_written_alike() -> None:
    file = LockedFile(name="wheels/a-1-py3-none-any.whl", size=3, sha256=Digest.of(b"abc"))
    subject = describe(media.INDEX, b"{}")
    archive = Archive(subject=subject, stack="tiny", lock=Digest.of(b"lock"), inputs=(file,))
    assert parse_archive(dump_archive(archive), context="x") == archive


def test_too_many_inputs_for_a_manifest_are_told() -> None:
    files = tuple(LockedFile(name=f"wheels/{n}.whl", size=n, sha256=Digest.of(b"%d" % n)) for n in range(20_000))
    archive = Archive(subject=describe(media.INDEX, b"{}"), stack="tiny", lock=Digest.of(b"lock"), inputs=files)
    with pytest.raises(IntegrityError, match="registries take 4 MiB"):
        dump_archive(archive)


def _statement(rebuilder: str, *, rebuilt: bytes = b"image", of: bytes = b"image") -> bytes:
    return dump_statement(
        Rebuild(
            name="registry.example.org/team/airflow",
            digest=Digest.of(of),
            stack="tiny",
            lock=Digest.of(b"lock"),
            archive=Digest.of(b"archive"),
            rebuilder=rebuilder,
            version="1",
            started=0,
            finished=60,
            rebuilt=Digest.of(rebuilt),
            first_difference="" if rebuilt == of else "linux/amd64: layer 3: x: mode is 0644, the lock gives 0755",
        )
    )


def test_a_statement_on_a_rebuild_says_what_came_out() -> None:
    told = json.loads(_statement("eve@e", rebuilt=b"other"))
    assert told["predicate"]["verdict"] == "different"
    assert told["predicate"]["firstDifference"].startswith("linux/amd64: layer 3")
    assert json.loads(_statement("alice@a"))["predicate"]["verdict"] == "same"
