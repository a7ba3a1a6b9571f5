"""What a bill lists: everything of the locks once, in its layer, with what it needs."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from builder.digest import Digest
from builder.errors import BuildError, MissingBlobError
from builder.licence.model import Licence
from builder.lock.model import LockedFile, StackLock
from builder.platform import AMD64, ARM64
from builder.sbom.facts import BaseFacts, Carried, Facts
from builder.sbom.lock_facts import facts_of_locks
from builder.sbom.model import ImageIdentity, Inventory, Item, Kind
from tests.support.bills import LOCK, MIT, TRIXIE, deb_facts, facts_for, inventory_of, wheel_facts
from tests.support.made_up import World, make_world
from tests.support.stack_locks import stack_locks


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    return make_world(tmp_path_factory.mktemp("world"))


def named(inventory: Inventory, name: str) -> Item:
    (found,) = (item for item in inventory.items if item.name == name)
    return found


def of_kind(inventory: Inventory, kind: Kind) -> list[str]:
    return [item.name for item in inventory.items if item.kind is kind]


def change_wheel(world: World, project: str, **changes: object) -> Facts:
    """Make facts in which one wheel tells something else."""
    facts = facts_for(world.stack, world.base)
    (candidate,) = (one for one in world.stack.candidates if one.project == project)
    return replace(facts, wheels={**facts.wheels, candidate.wheels[AMD64.name].sha256: wheel_facts(**changes)})  # type: ignore[arg-type]


def test_every_deb_and_distribution_of_the_platform_is_listed_once(world: World) -> None:
    found = inventory_of(world)
    assert of_kind(found, Kind.DEB) == ["base-files", "libpython3.13-stdlib", "libtiny"]
    assert of_kind(found, Kind.DISTRIBUTION) == ["alpha", "beta", "gamma"]
    assert named(found, "alpha").purl == "pkg:pypi/alpha@1.0"
    assert named(found, "libtiny").purl == "pkg:deb/debian/libtiny@1.0-1?arch=amd64&distro=debian-13"
    assert named(inventory_of(world, platform=ARM64), "libtiny").purl.endswith("arch=arm64&distro=debian-13")
    (deb,) = (deb for deb in world.base.debs if deb.package == "libtiny" and AMD64 in deb.platforms)
    assert named(found, "libtiny").sha256 == deb.file.sha256
    assert len({item.ref for item in found.items}) == len(found.items)


def test_system_interpreter_and_files_are_listed(world: World) -> None:
    (file,) = [LockedFile(name="x", size=1, sha256=Digest.of(b"x"))]
    stack = replace(world.stack, files=(("opt/airflow/dags/x.py", file),))
    found = inventory_of(replace(world, stack=stack))
    assert [(item.name, item.version) for item in found.items if item.kind is Kind.SYSTEM] == [("debian", "13.8")]
    assert named(found, "python").purl == "pkg:generic/python@3.13.5"
    assert named(found, "/opt/airflow/dags/x.py").sha256 == file.sha256
    assert named(found, "/etc/hosts").sha256 == Digest.of(b"127.0.0.1 localhost\n")
    assert named(found, "/entrypoint").layer is not None
    assert set(of_kind(found, Kind.FILE)) >= {"/clean-logs", "/entrypoint", "/etc/hosts", "/opt/airflow/dags/x.py"}


def test_items_say_their_layer_and_its_digest_once_the_image_is_known(world: World) -> None:
    found = inventory_of(world)
    layers = {item.name: item.layer.name for item in found.items if item.layer is not None}
    assert (layers["libtiny"], layers["libpython3.13-stdlib"]) == ("base", "python")
    assert (layers["alpha"], layers["gamma"], layers["/entrypoint"]) == ("tiny-alpha", "tiny-rest", "contract")
    made = tuple((Digest.of(b"%d" % number), Digest.of(b"tar %d" % number)) for number in range(5))
    image = ImageIdentity(manifest=LOCK, config=LOCK, layers=made)
    alpha = named(inventory_of(world, image=image), "alpha").layer
    assert alpha is not None
    assert (alpha.stack, alpha.digest, alpha.diff_id) == ("tiny", *made[3])
    unknown = named(inventory_of(world, image=replace(image, layers=())), "alpha").layer
    assert unknown is not None
    assert unknown.digest is None


def test_an_image_with_other_layers_is_not_of_the_lock(world: World) -> None:
    image = ImageIdentity(manifest=LOCK, config=LOCK, layers=((LOCK, LOCK),))
    with pytest.raises(BuildError, match="has 1 layers for linux/amd64, the lock gives 5"):
        inventory_of(world, image=image)


def test_files_that_nothing_is_known_of_are_refused(world: World) -> None:
    facts = facts_for(world.stack, world.base)
    with pytest.raises(MissingBlobError, match=r"nothing is known of alpha-1.0-py3-none-any.whl"):
        inventory_of(world, replace(facts, wheels={}))
    with pytest.raises(MissingBlobError, match=r"nothing is known of base-files_1.0-1_all.deb"):
        inventory_of(world, replace(facts, debs={}))


def test_what_needs_what_is_said(world: World) -> None:
    first, *others = world.stack.candidates
    stack = replace(
        world.stack, candidates=(replace(first, dependencies=("beta", "gone"), wanted_by=("stack:tiny",)), *others)
    )
    found = inventory_of(replace(world, stack=stack))
    assert named(found, "alpha").needs == ("pkg:pypi/beta@2.0",)
    assert "pkg:pypi/alpha@1.0" in found.top
    assert "pkg:pypi/beta@2.0" not in found.top
    assert {item.ref for item in found.items if item.kind in {Kind.SYSTEM, Kind.INTERPRETER, Kind.FILE}} <= set(
        found.top
    )
    assert named(found, "debian").needs == tuple(sorted(item.ref for item in found.items if item.kind is Kind.DEB))
    # Where nobody asks for anything, all distributions are on top.
    assert {"pkg:pypi/alpha@1.0", "pkg:pypi/beta@2.0", "pkg:pypi/gamma@3.0"} <= set(inventory_of(world).top)


def test_debs_need_the_first_alternative_that_is_there_by_name_or_provided(world: World) -> None:
    facts = facts_for(world.stack, world.base)
    told: dict[str, dict[str, Any]] = {
        "base-files": {"depends": (("gone", "libtiny-abi"), ("absent",)), "source": "base", "source_version": "1.0"},
        "libtiny": {"provides": ("libtiny-abi",), "depends": (("libtiny",), ("base-files",))},
        "libpython3.13-stdlib": {},
    }
    debs = {
        deb.file.sha256: deb_facts(deb.package, architecture=deb.architecture, **told[deb.package])
        for deb in world.base.debs
    }
    found = inventory_of(world, replace(facts, debs=debs))
    assert named(found, "base-files").needs == (named(found, "libtiny").ref,)
    assert named(found, "libtiny").needs == (named(found, "base-files").ref,)
    assert named(found, "base-files").purl.endswith("?arch=all&distro=debian-13&upstream=base%401.0")
    assert named(found, "base-files").source == ("base", "1.0")


def test_a_copyright_file_may_be_anothers(world: World) -> None:
    facts = facts_for(world.stack, world.base)
    told: dict[str, dict[str, Any]] = {
        "base-files": {"licence": Licence(), "licence_of": "libtiny"},
        "libtiny": {"licence": Licence(expression="ISC", source="copyright", said_digest=LOCK)},
        "libpython3.13-stdlib": {"licence": Licence(), "licence_of": "not-there"},
    }
    debs = {deb.file.sha256: deb_facts(deb.package, **told[deb.package]) for deb in world.base.debs}
    found = inventory_of(world, replace(facts, debs=debs))
    assert named(found, "base-files").licence.expression == "ISC"
    assert not named(found, "libpython3.13-stdlib").licence.is_known


def test_what_is_inside_a_distribution_stands_beside_it_and_of_another_system_is_told_apart(world: World) -> None:
    carried = (
        Carried(purl="pkg:pypi/packaging@26.0", path="alpha/_vendor/x", licence=MIT),
        Carried(purl="pkg:rpm/centos/krb5-libs@1.15", path="alpha.dist-info/sboms/x"),
    )
    found = inventory_of(world, change_wheel(world, "alpha", carried=carried))
    inside, foreign = named(found, "packaging"), named(found, "krb5-libs")
    assert (inside.kind, inside.inside, inside.found_at) == (Kind.CARRIED, "pkg:pypi/alpha@1.0", "alpha/_vendor/x")
    assert (foreign.kind, foreign.inside) == (Kind.FOREIGN, "pkg:pypi/alpha@1.0")
    assert inside.layer == named(found, "alpha").layer
    assert inside.licence == MIT


def test_what_a_base_that_is_an_image_holds_is_listed_in_its_layers(world: World) -> None:
    below = BaseFacts(
        debs=(deb_facts("libc6", "2.41-12", source="glibc"), deb_facts("libc6", "2.41-12", architecture="i386")),
        distributions=(Carried(purl="pkg:pypi/pip@26.3", path="usr/lib/x"),),
    )
    found = inventory_of(world, replace(facts_for(world.stack, world.base), base=below))
    assert [item.purl for item in found.items if item.name == "libc6"] == [
        "pkg:deb/debian/libc6@2.41-12?arch=amd64&distro=debian-13&upstream=glibc",
        "pkg:deb/debian/libc6@2.41-12?arch=i386&distro=debian-13",
    ]
    pip = named(found, "pip")
    assert pip.layer is not None
    assert (pip.layer.name, pip.inside, pip.found_at) == ("image", "", "usr/lib/x")


def test_locks_alone_give_names_versions_and_sources_and_no_more(world: World) -> None:
    found = inventory_of(world, facts_of_locks(world.stack, world.base, AMD64))
    assert found.from_files is False
    assert of_kind(found, Kind.DEB) == ["base-files", "libpython3.13-stdlib", "libtiny"]
    assert of_kind(found, Kind.DISTRIBUTION) == ["alpha", "beta", "gamma"]
    assert named(found, "libtiny").purl == "pkg:deb/debian/libtiny@1.0-1?arch=amd64"
    assert not any(item.licence.is_known for item in found.items)
    assert of_kind(found, Kind.SYSTEM) == []


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(lock=stack_locks(), data=st.data())
def test_every_lock_has_an_inventory_of_unique_refs_that_lead_somewhere(
    world: World, lock: StackLock, data: st.DataObject
) -> None:
    platform = data.draw(st.sampled_from(lock.platforms))
    facts = replace(facts_for(lock, world.base, platform), system=data.draw(st.sampled_from((None, TRIXIE))))
    found = inventory_of(replace(world, stack=lock), facts, platform=platform)
    refs = [item.ref for item in found.items]
    assert len(set(refs)) == len(refs)
    assert {ref for item in found.items for ref in item.needs} | set(found.top) <= set(refs)
    distributions = [(item.name, item.version) for item in found.items if item.kind is Kind.DISTRIBUTION]
    assert distributions == sorted((one.project, one.version) for one in lock.candidates_for(platform))
    assert Path(found.root).name == f"stack:{lock.stack}"
