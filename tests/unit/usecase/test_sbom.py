"""Bills: of a stack by its lock, of builds by the ledger, written, and put beside the image."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from builder.digest import Digest
from builder.errors import BuildError, InvalidInputError, LedgerError, RegistryError, StackError
from builder.oci.layout import blob_path
from builder.platform import AMD64, ARM64
from builder.project import open_project
from builder.registry.model import parse_reference, parse_repository
from builder.sbom.make import MEDIA_TYPES, Form
from builder.usecase.locked_image import LockedImageOf, open_locked
from builder.usecase.sbom import attach_bills, make_bill, save_bills
from builder.wiring.ledgers import open_ledger
from tests.support.bill_project import BillProject, make_bill_project
from tests.support.bills import iter_components, properties_of
from tests.support.made_up import bump
from tests.support.registries import SmallRegistry
from tests.support.registry_images import client, close_clients


@pytest.fixture
def project(tmp_path: Path) -> BillProject:
    return make_bill_project(tmp_path)


@pytest.fixture
def served() -> Iterator[str]:
    """A registry; gives the repository."""
    with SmallRegistry() as registry:
        yield f"{registry.host}/team/airflow"
        close_clients()


def opened(project: BillProject, name: str) -> LockedImageOf:
    return open_locked(name, open_project(project.folder), lambda: open_ledger(project.history.path))


def test_a_stack_is_its_lock_and_a_digest_is_a_build_on_record(project: BillProject) -> None:
    stack, image = opened(project, "core"), opened(project, project.recorded.digest[:23])
    assert stack.locks.stack_digest == image.locks.stack_digest == Digest.of(project.recorded.lock)
    assert (stack.digest, stack.images) == ("", {})
    assert image.digest == project.recorded.digest
    built = {one.platform: one for one in project.recorded.image.platforms}
    assert {platform: one.manifest for platform, one in image.images.items()} == {
        platform: one.descriptor.digest for platform, one in built.items()
    }
    assert image.images[AMD64].layers == tuple(
        (layer.layer.digest, layer.layer.diff_id) for layer in built[AMD64].layers
    )


def test_a_misspelt_stack_is_told_with_the_nearest(project: BillProject) -> None:
    with pytest.raises(StackError, match="no stack 'cor', and no image in the ledger\n  did you mean 'core'"):
        opened(project, "cor")
    with pytest.raises(
        StackError, match="no stack 'cor', and no ledger to look for an image in\n  did you mean 'core'"
    ):
        open_locked("cor", open_project(project.folder), None)
    with pytest.raises(LedgerError, match="the ledger knows no such digest"):
        opened(project, "dead")


def test_layers_by_another_builder_are_not_named(project: BillProject) -> None:
    other = project.history.build(bump(project.world), engine="buildkit")
    image = opened(project, other.digest)
    assert image.images[AMD64].layers == ()
    bill = json.loads(make_bill(image, AMD64, Form.CYCLONEDX, project.tools()))
    assert bill["metadata"]["component"]["version"] == str(image.images[AMD64].manifest)


def test_the_bill_of_a_build_names_image_and_layers_and_that_of_a_plan_does_not(project: BillProject) -> None:
    tools = project.tools()
    plan = json.loads(make_bill(opened(project, "core"), AMD64, Form.CYCLONEDX, tools))
    built = json.loads(make_bill(opened(project, project.recorded.digest), AMD64, Form.CYCLONEDX, tools))
    image = project.recorded.image.platforms[0]
    assert built["metadata"]["component"]["version"] == str(image.descriptor.digest)
    digests = {
        properties_of(one).get("airflow-kubler:layer-digest")
        for one in iter_components(built)
        if "airflow-kubler:layer" in properties_of(one)
    }
    assert digests == {str(layer.layer.digest) for layer in image.layers}
    purls = [sorted(one.get("purl", "") for one in iter_components(bill)) for bill in (plan, built)]
    assert purls[0] == purls[1]
    assert "purl" not in plan["metadata"]["component"]


def test_platforms_are_those_wanted_else_this_machines_else_the_first(project: BillProject) -> None:
    image = opened(project, "core")
    assert image.platforms((), ARM64) == (ARM64,)
    assert image.platforms((), None) == (AMD64,)
    assert image.platforms((AMD64, ARM64), ARM64) == (AMD64, ARM64)
    only = replace(image, locks=replace(image.locks, stack=replace(image.locks.stack, platforms=(AMD64,))))
    assert only.platforms((), ARM64) == (AMD64,)
    with pytest.raises(InvalidInputError, match="core: is not for linux/arm64\n  it is for linux/amd64"):
        only.platforms((ARM64,), None)


def test_bills_are_written_to_a_file_or_a_folder(project: BillProject, tmp_path: Path) -> None:
    image, tools = opened(project, "core"), project.tools()
    both = image.all_platforms()
    assert save_bills(image, (AMD64,), Form.SPDX, tmp_path / "new/x.json", tools) == (tmp_path / "new/x.json",)
    paths = save_bills(image, both, Form.CYCLONEDX, tmp_path / "bills", tools)
    assert [path.name for path in paths] == ["core-amd64.cdx.json", "core-arm64.cdx.json"]
    assert paths[0].read_bytes() == make_bill(image, AMD64, Form.CYCLONEDX, tools)
    assert save_bills(image, (AMD64,), Form.SPDX, tmp_path / "bills", tools)[0].name == "core-amd64.spdx.json"
    with pytest.raises(InvalidInputError, match="2 bills cannot be one file"):
        save_bills(image, both, Form.CYCLONEDX, tmp_path / "x.json", tools)
    assert not (tmp_path / "x.json").exists()


@pytest.mark.parametrize("form", list(Form))
def test_a_bill_beside_its_image_is_found_by_the_images_digest(project: BillProject, served: str, form: Form) -> None:
    pushed = project.push(served)
    image, reference = opened(project, "core"), parse_reference(f"{served}:dev")
    attached = list(attach_bills(client(), reference, image, (), form, project.tools()))
    assert [bill.platform for bill in attached] == [AMD64, ARM64]
    repository = parse_repository(served)
    for bill, built in zip(attached, sorted(pushed.platforms, key=lambda one: one.platform), strict=True):
        assert bill.subject == built.descriptor.digest
        (referrer,) = client().referrers(repository, built.descriptor.digest)
        assert (referrer.artifact_type, referrer.descriptor.digest) == (MEDIA_TYPES[form], bill.manifest.digest)
        manifest = client().manifest(repository.at(bill.manifest.digest))
        assert manifest is not None
        value = json.loads(manifest.data)
        (layer,) = value["layers"]
        (descriptor,) = (one for one in [layer] if one["mediaType"] == MEDIA_TYPES[form])
        assert descriptor["size"] == bill.size
        # The image that it names is the one that it stands beside.
        identity = opened(project, project.recorded.digest)
        expected = make_bill(identity, bill.platform, form, project.tools())
        assert descriptor["digest"] == str(Digest.of(expected))
    # Once more gives the same, and adds nothing.
    again = list(attach_bills(client(), reference, image, (), form, project.tools()))
    assert again == attached
    assert len(client().referrers(repository, attached[0].subject)) == 1


def test_a_bill_is_not_put_beside_an_image_of_another_lock(project: BillProject, served: str) -> None:
    project.push(served)
    other = opened(project, project.history.build(bump(project.world)).digest)
    with pytest.raises(BuildError, match="was built from the lock sha256:"):
        list(attach_bills(client(), parse_reference(f"{served}:dev"), other, (), Form.SPDX, project.tools()))


def test_what_is_not_there_or_not_for_a_platform_is_told(project: BillProject, served: str) -> None:
    image, tools = opened(project, "core"), project.tools()
    with pytest.raises(RegistryError, match="there is no such image"):
        list(attach_bills(client(), parse_reference(f"{served}:dev"), image, (), Form.SPDX, tools))
    only = project.history.build(project.world, platforms=(AMD64,), layout=project.folder / "only")
    assert only.digest != project.recorded.digest
    replace(project, layout=project.folder / "only").push(served)
    with pytest.raises(InvalidInputError, match="is not for linux/arm64\n  it is for linux/amd64"):
        list(attach_bills(client(), parse_reference(f"{served}:dev"), image, (ARM64,), Form.SPDX, tools))


def test_layouts_hold_what_the_ledger_says(project: BillProject) -> None:
    image = opened(project, project.recorded.digest)
    assert (project.layout / blob_path(image.images[ARM64].config)).is_file()
