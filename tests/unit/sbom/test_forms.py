"""Bills as documents: accepted by validators, saying what the inventory says, with the same bytes whenever they are made."""

from __future__ import annotations

import datetime as dt
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from cyclonedx.model.bom import Bom
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from builder.digest import Digest
from builder.licence.model import Licence
from builder.platform import AMD64, ARM64
from builder.sbom.facts import Carried, Facts
from builder.sbom.make import Form, dump_inventory, make_sbom
from builder.sbom.model import ImageIdentity, Inventory
from builder.sbom.serial import serial_of
from tests.support.bills import (
    LOCK,
    MIT,
    OWN,
    check_cyclonedx,
    check_spdx,
    deb_facts,
    facts_for,
    inventory_of,
    iter_components,
    properties_of,
    wheel_facts,
)
from tests.support.made_up import World, make_world
from tests.support.stack_locks import stack_locks

CARRIED = (
    Carried(purl="pkg:pypi/packaging@26.0", path="alpha/_vendor/packaging-26.0.dist-info/METADATA", licence=MIT),
    Carried(purl="pkg:cargo/serde@1.0.1", path="alpha-1.0.dist-info/sboms/rust.json"),
    Carried(purl="pkg:rpm/centos/krb5-libs@1.15-1.el7", path="alpha-1.0.dist-info/sboms/auditwheel.json"),
)
IMAGE = ImageIdentity(
    manifest=Digest.of(b"manifest"),
    config=Digest.of(b"config"),
    index=Digest.of(b"index"),
    layers=tuple((Digest.of(b"%d" % number), Digest.of(b"tar %d" % number)) for number in range(5)),
)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    made = make_world(tmp_path_factory.mktemp("world"))
    first, *others = made.stack.candidates
    asked = replace(first, dependencies=("beta",), wanted_by=("stack:tiny",))
    return replace(made, stack=replace(made.stack, candidates=(asked, *others)))


@pytest.fixture(scope="module")
def facts(world: World) -> Facts:
    """Licences of each sort: known by name, by expression, own, in doubt, for people only, and not said at all."""
    known = facts_for(world.stack, world.base)
    alpha, beta, gamma = (one.wheels[AMD64.name].sha256 for one in world.stack.candidates)
    doubt = Licence(said="BSD; LICENSE", said_digest=Digest.of(b"said"))
    wheels = {
        alpha: wheel_facts(
            Licence(expression="MIT OR Apache-2.0", source="License"),
            CARRIED,
            sboms=(("alpha-1.0.dist-info/sboms/rust.json", Digest.of(b"sbom")),),
        ),
        beta: wheel_facts(doubt),
        gamma: wheel_facts(Licence()),
    }
    by_package: dict[str, dict[str, Any]] = {
        "libtiny": {
            "version": "1:1.0-1+b2",
            "source": "tiny",
            "source_version": "1:1.0-1",
            "licence": Licence(expression="LicenseRef-demo-own AND MIT", source="copyright", refs=(OWN,)),
        },
        "base-files": {"licence": Licence(source="copyright", said="for people", said_digest=Digest.of(b"people"))},
        "libpython3.13-stdlib": {"depends": (("libtiny",),)},
    }
    debs = {deb.file.sha256: deb_facts(deb.package, **by_package[deb.package]) for deb in world.base.debs}
    return replace(known, wheels=wheels, debs=debs)


@pytest.fixture(scope="module")
def inventory(world: World, facts: Facts) -> Inventory:
    return inventory_of(world, facts, image=IMAGE)


@pytest.fixture(scope="module")
def bill(inventory: Inventory) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(dump_inventory(inventory, Form.CYCLONEDX))
    return found


@pytest.fixture(scope="module")
def spdx(inventory: Inventory) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(dump_inventory(inventory, Form.SPDX))
    return found


def component(bill: dict[str, Any], name: str) -> dict[str, Any]:
    (found,) = (one for one in iter_components(bill) if one["name"] == name)
    return found


def package(spdx: dict[str, Any], name: str) -> dict[str, Any]:
    found: dict[str, Any]
    (found,) = (one for one in spdx["packages"] if one["name"] == name)
    return found


def test_validators_accept_both_forms_of_an_image_and_of_a_plan(
    world: World, facts: Facts, inventory: Inventory, tmp_path: Path
) -> None:
    for found in (inventory, inventory_of(world, facts)):
        data = dump_inventory(found, Form.CYCLONEDX)
        check_cyclonedx(data)
        bom = Bom.from_json(json.loads(data))  # type: ignore[attr-defined]  # put there by the library's decorator
        assert len(bom.components) == len([item for item in found.items if item.name != "krb5-libs"])
        check_spdx(dump_inventory(found, Form.SPDX), tmp_path)


def test_the_root_is_the_image_by_its_manifest(bill: dict[str, Any], spdx: dict[str, Any]) -> None:
    root = bill["metadata"]["component"]
    purl = f"pkg:oci/tiny@sha256%3A{IMAGE.manifest.hex}?arch=amd64"
    assert (root["type"], root["name"], root["version"]) == ("container", "tiny", str(IMAGE.manifest))
    assert root["purl"].replace("@sha256:", "@sha256%3A") == purl
    assert bill["metadata"]["lifecycles"] == [{"phase": "build"}]
    said = properties_of(bill["metadata"])
    assert said["airflow-kubler:lock"] == str(LOCK)
    assert said["airflow-kubler:index"] == str(IMAGE.index)
    assert said["airflow-kubler:platform"] == "linux/amd64"
    assert package(spdx, "tiny")["checksums"] == [{"algorithm": "SHA256", "checksumValue": IMAGE.manifest.hex}]


def test_a_plan_names_no_image(world: World, facts: Facts) -> None:
    found = json.loads(dump_inventory(inventory_of(world, facts), Form.CYCLONEDX))
    assert "purl" not in found["metadata"]["component"]
    assert found["metadata"]["lifecycles"] == [{"phase": "pre-build"}]
    assert "airflow-kubler:layer-digest" not in properties_of(component(found, "alpha"))


def test_a_distribution_says_file_hash_layer_and_supplier(bill: dict[str, Any], world: World) -> None:
    found = component(bill, "alpha")
    wheel = world.stack.candidates[0].wheels[AMD64.name]
    assert (found["type"], found["purl"], found["bom-ref"]) == ("library", "pkg:pypi/alpha@1.0", "pkg:pypi/alpha@1.0")
    assert found["hashes"] == [{"alg": "SHA-256", "content": wheel.sha256.hex}]
    assert found["supplier"] == {"name": "Somebody"}
    references = {one["type"]: one for one in found["externalReferences"]}
    assert references["distribution"]["url"] == f"files/{wheel.sha256.hex}/{wheel.name}"
    assert references["bom"]["url"] == "alpha-1.0.dist-info/sboms/rust.json"
    said = properties_of(found)
    assert (said["airflow-kubler:layer"], said["airflow-kubler:layer-stack"]) == ("tiny-alpha", "tiny")
    assert said["airflow-kubler:layer-digest"] == str(IMAGE.layers[3][0])
    assert said["airflow-kubler:layer-diff-id"] == str(IMAGE.layers[3][1])
    assert said["airflow-kubler:wanted-by"] == "stack:tiny"


def test_a_deb_says_its_source_to_trivy_part_by_part(bill: dict[str, Any], spdx: dict[str, Any]) -> None:
    found = component(bill, "libtiny")
    assert found["purl"] == ("pkg:deb/debian/libtiny@1:1.0-1%2Bb2?arch=amd64&distro=debian-13&upstream=tiny%401:1.0-1")
    said = properties_of(found)
    assert [said[f"aquasecurity:trivy:Src{part}"] for part in ("Name", "Epoch", "Version", "Release")] == [
        "tiny",
        "1",
        "1.0",
        "1",
    ]
    assert package(spdx, "libtiny")["sourceInfo"] == "built package from: tiny 1:1.0-1"
    assert package(spdx, "libtiny")["externalRefs"][0]["referenceLocator"] == found["purl"]


def test_licences_are_identifiers_expressions_or_what_was_said(bill: dict[str, Any], spdx: dict[str, Any]) -> None:
    def licences(name: str) -> Any:
        return component(bill, name).get("licenses")

    assert licences("packaging") == [{"license": {"id": "MIT", "acknowledgement": "declared"}}]
    assert licences("alpha") == [{"expression": "MIT OR Apache-2.0", "acknowledgement": "declared"}]
    assert licences("libtiny") == [{"expression": "LicenseRef-demo-own AND MIT", "acknowledgement": "declared"}]
    assert licences("beta") == [{"license": {"name": "BSD; LICENSE", "acknowledgement": "declared"}}]
    assert licences("gamma") is licences("base-files") is None
    for name, statements in (("beta", b"said"), ("base-files", b"people")):
        said = properties_of(component(bill, name))
        assert said["airflow-kubler:licence"] == "NOASSERTION"
        assert said["airflow-kubler:licence-statements"] == str(Digest.of(statements))
    assert properties_of(component(bill, "gamma"))["airflow-kubler:licence"] == "NOASSERTION"
    declared = {one["name"]: one.get("licenseDeclared", "NOASSERTION") for one in spdx["packages"]}
    assert declared["libtiny"] == "LicenseRef-demo-own AND MIT"
    assert (declared["beta"], declared["gamma"], declared["base-files"]) == ("NOASSERTION",) * 3
    assert package(spdx, "beta")["licenseComments"] == f"Says: BSD; LICENSE (statements {Digest.of(b'said')})"


def test_own_licences_come_with_their_text(spdx: dict[str, Any]) -> None:
    assert spdx["hasExtractedLicensingInfos"] == [
        {"licenseId": "LicenseRef-demo-own", "extractedText": "Do what you like.", "name": "own"}
    ]


def test_the_graph_says_what_needs_and_holds_what(bill: dict[str, Any], spdx: dict[str, Any]) -> None:
    edges = {row["ref"]: set(row.get("dependsOn", ())) for row in bill["dependencies"]}
    alpha = "pkg:pypi/alpha@1.0"
    assert {alpha, "debian-13.8", "pkg:generic/python@3.13.5"} <= edges["stack:tiny"]
    assert edges[alpha] == {"pkg:pypi/beta@2.0", f"{alpha}|pkg:pypi/packaging@26.0", f"{alpha}|pkg:cargo/serde@1.0.1"}
    assert len(edges["debian-13.8"]) == 3
    names = {one["SPDXID"]: one["name"] for one in spdx["packages"]}
    told = {
        (names.get(row["spdxElementId"], "document"), row["relationshipType"], names[row["relatedSpdxElement"]])
        for row in spdx["relationships"]
    }
    assert {
        ("document", "DESCRIBES", "tiny"),
        ("alpha", "DEPENDS_ON", "beta"),
        ("alpha", "CONTAINS", "packaging"),
        ("alpha", "CONTAINS", "krb5-libs"),
        ("debian", "CONTAINS", "libtiny"),
        ("tiny", "CONTAINS", "alpha"),
        ("tiny", "DEPENDS_ON", "alpha"),
        ("libpython3.13-stdlib", "DEPENDS_ON", "libtiny"),
    } <= told


def test_a_library_of_another_system_is_no_package_of_this_one(bill: dict[str, Any], spdx: dict[str, Any]) -> None:
    top = {one["name"] for one in bill["components"]}
    assert "krb5-libs" not in top
    assert {"packaging", "serde"} <= top
    assert [one["name"] for one in component(bill, "alpha")["components"]] == ["krb5-libs"]
    assert "externalRefs" not in package(spdx, "krb5-libs")
    assert "airflow-kubler:purl=pkg:rpm/centos/krb5-libs@1.15-1.el7" in package(spdx, "krb5-libs")["comment"]


@pytest.mark.parametrize("form", list(Form))
def test_the_same_gives_the_same_bytes_and_another_name_is_another_bill(world: World, facts: Facts, form: Form) -> None:
    def make(**changes: Any) -> bytes:
        given = {"lock": LOCK, "platform": AMD64, "facts": facts, "form": form, **changes}
        return make_sbom(world.stack, world.base, **given)

    first = make()
    assert make() == first
    # Whatever order facts were read in.
    turned = replace(
        facts, wheels=dict(sorted(facts.wheels.items(), reverse=True)), debs=dict(sorted(facts.debs.items()))
    )
    assert make(facts=turned) == first
    others = [make(lock=Digest.of(b"other")), make(image=IMAGE), make(image=replace(IMAGE, layers=()))]
    names = {_name(data) for data in (first, *others)}
    assert len(names) == 4


def _name(data: bytes) -> str:
    value = json.loads(data)
    return str(value.get("serialNumber") or value["documentNamespace"])


def test_serials_tell_platforms_forms_and_sources_apart(world: World, facts: Facts) -> None:
    inventory = inventory_of(world, facts)
    found = {
        serial_of(inventory, "cyclonedx"),
        serial_of(inventory, "spdx"),
        serial_of(replace(inventory, platform=ARM64), "cyclonedx"),
        serial_of(replace(inventory, from_files=False), "cyclonedx"),
    }
    assert len(found) == 4


def test_time_is_the_locks(bill: dict[str, Any], spdx: dict[str, Any], world: World) -> None:
    time = dt.datetime.fromtimestamp(world.stack.created, dt.UTC)
    assert dt.datetime.fromisoformat(bill["metadata"]["timestamp"]) == time
    assert dt.datetime.fromisoformat(spdx["creationInfo"]["created"]) == time


_texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(lock=stack_locks(), data=st.data())
def test_whatever_a_lock_and_its_files_say_both_forms_are_written_and_read(
    world: World, lock: Any, data: st.DataObject
) -> None:
    platform = data.draw(st.sampled_from(lock.platforms))
    known = facts_for(lock, world.base, platform)
    wheels = (
        {
            digest: wheel_facts(
                Licence(said=data.draw(_texts), said_digest=LOCK), summary=data.draw(_texts), supplier=data.draw(_texts)
            )
            for digest in known.wheels
        }
        if data.draw(st.booleans())
        else known.wheels
    )
    found = inventory_of(replace(world, stack=lock), replace(known, wheels=wheels), platform=platform)
    for form in Form:
        written = dump_inventory(found, form)
        assert written == dump_inventory(found, form)
        json.loads(written)
