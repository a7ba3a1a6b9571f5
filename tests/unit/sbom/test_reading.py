"""What files tell of themselves: wheels, debs, bases that are images; read once, and kept by their hash."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from builder.digest import Digest
from builder.errors import IntegrityError, MissingBlobError
from builder.image.base_tree import read_contents, read_tree
from builder.licence.model import Licence
from builder.lock.model import LockedDeb, LockedFile, LockedImage
from builder.platform import AMD64, ARM64
from builder.sbom.facts import Facts, SystemFacts
from builder.sbom.gather import gather_facts, total_size
from builder.sbom.kept import KIND
from builder.sbom.read_base import base_facts, read_base
from builder.sbom.read_deb import ReadDeb, control_facts, deb_facts, system_facts
from builder.sbom.read_wheel import read_wheel_facts, wheel_facts
from builder.store.artefacts import DirectoryArtefactStore
from builder.store.files import DirectoryFileStore
from tests.support.base_images import Layers, root, tar_of
from tests.support.debs import Item, folder, make_deb, symlink
from tests.support.made_up import World, make_world
from tests.support.wheels import WheelParts
from tests.unit.licence.test_texts import text_of

COPYRIGHT = b"""Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/

Files: *
Copyright: somebody
License: Expat
"""
CONTROL = """Package: demo
Version: 1:1.0-1+b2
Architecture: amd64
Source: demo-source (1:1.0-1)
Maintainer: Some Body <some@body.invalid>
Depends: libc6 (>= 2.38), debconf (>= 0.5) | debconf-2.0, demo-data:any
Pre-Depends: init
Provides: demo-abi (= 1), demo-api
Description: a demo
 At length.
"""


@pytest.fixture
def stores(tmp_path: Path) -> tuple[DirectoryFileStore, DirectoryArtefactStore]:
    return DirectoryFileStore(tmp_path / "store"), DirectoryArtefactStore(tmp_path / "cache", durable=False)


def keep_wheel(files: DirectoryFileStore, parts: WheelParts) -> LockedFile:
    data = parts.pack()
    return LockedFile(name=parts.file_name, size=len(data), sha256=files.add(data))


def keep_deb(files: DirectoryFileStore, *items: Item, control: str = CONTROL, source: str = "demo-source") -> LockedDeb:
    data = make_deb(items, control=control)
    return LockedDeb(
        package="demo",
        version="1:1.0-1+b2",
        architecture="amd64",
        source=source,
        suite="trixie",
        pool_path="pool/main/d/demo/demo_1.0-1+b2_amd64.deb",
        file=LockedFile(name="demo_1.0-1+b2_amd64.deb", size=len(data), sha256=files.add(data)),
        platforms=(AMD64,),
    )


def docs(*items: Item) -> tuple[Item, ...]:
    return (folder("./usr/"), folder("./usr/share/"), folder("./usr/share/doc/"), *items)


WHEEL = WheelParts(
    metadata=(
        b"Metadata-Version: 2.4\nName: demo\nVersion: 1.0\nSummary:  A  demo\nAuthor-email: Some Body <some@body.invalid>, x@y.invalid\n"
        b"License: BSD\nClassifier: License :: OSI Approved :: BSD License\nLicense-File: LICENSE\n\nbody\n"
    ),
    files={
        "demo/__init__.py": b"",
        "demo/_vendor/inner-2.0.dist-info/METADATA": b"Name: inner\nVersion: 2.0\nLicense: MIT\n",
        "demo-1.0.dist-info/licenses/LICENSE": text_of("BSD-3-Clause").encode(),
        "demo-1.0.dist-info/licenses/NOTICE": b"Notice.",
        "demo-1.0.dist-info/sboms/rust.json": json.dumps(
            {"bomFormat": "CycloneDX", "components": [{"purl": "pkg:cargo/serde@1.0.1"}, {"purl": "pkg:pypi/inner@2.0"}]}
        ).encode(),
    },
)  # fmt: skip


def test_a_wheel_tells_its_licence_maker_and_what_it_carries(
    stores: tuple[DirectoryFileStore, DirectoryArtefactStore],
) -> None:
    found = wheel_facts(keep_wheel(stores[0], WHEEL), *stores)
    assert (found.licence.expression, found.licence.source) == (
        "BSD-3-Clause",
        "demo-1.0.dist-info/licenses/LICENSE",
    )
    assert (found.summary, found.supplier) == ("A demo", "Some Body")
    # What stands there in person says more than what is only named.
    assert [(one.purl, one.path.rpartition("/")[2], one.licence.expression) for one in found.carried] == [
        ("pkg:cargo/serde@1.0.1", "rust.json", ""),
        ("pkg:pypi/inner@2.0", "METADATA", "MIT"),
    ]
    assert [path for path, _ in found.sboms] == ["demo-1.0.dist-info/sboms/rust.json"]


@pytest.mark.parametrize(
    ("headers", "supplier"),
    [
        ("Author: Somebody\nMaintainer: Other\n", "Somebody"),
        ("Maintainer: Other\n", "Other"),
        ("Author: UNKNOWN\nAuthor-email: only@address.invalid\n", ""),
        ("", ""),
    ],
)
def test_addresses_are_left_out(headers: str, supplier: str) -> None:
    metadata = f"Metadata-Version: 2.1\nName: demo\nVersion: 1.0\n{headers}".encode()
    assert read_wheel_facts({"demo-1.0.dist-info/METADATA": metadata}, "demo.whl").supplier == supplier


def test_a_wheel_without_metadata_tells_nothing() -> None:
    with pytest.raises(IntegrityError, match="0 METADATA files, not one"):
        read_wheel_facts({"demo/x.py": b""}, "demo.whl")


def test_what_was_read_is_recalled_without_the_file_and_a_damaged_memory_is_read_again(
    stores: tuple[DirectoryFileStore, DirectoryArtefactStore],
) -> None:
    files, artefacts = stores
    wheel = keep_wheel(files, WHEEL)
    first = wheel_facts(wheel, files, artefacts)
    (memory,) = (path for path in (artefacts.root / "artefacts" / KIND).rglob("*") if path.is_file())
    files.path(wheel.sha256).unlink()
    assert wheel_facts(wheel, files, artefacts) == first
    memory.chmod(0o644)
    memory.write_bytes(memory.read_bytes().replace(b"BSD-3-Clause", b"MIT-3-Clause"))
    with pytest.raises(MissingBlobError):
        wheel_facts(wheel, files, artefacts)
    files.add(WHEEL.pack())
    assert wheel_facts(wheel, files, artefacts) == first


def test_a_deb_tells_its_source_needs_licence_and_system(
    stores: tuple[DirectoryFileStore, DirectoryArtefactStore],
) -> None:
    deb = keep_deb(
        stores[0],
        *docs(folder("./usr/share/doc/demo/"), Item(name="./usr/share/doc/demo/copyright", data=COPYRIGHT)),
        folder("./usr/lib/"),
        Item(name="./usr/lib/os-release", data=b'ID=debian\nVERSION_ID="13"\nNAME="Debian GNU/Linux"\n'),
        folder("./etc/"),
        Item(name="./etc/debian_version", data=b"13.8\n"),
    )
    read = deb_facts(deb, *stores)
    found = read.facts
    assert (found.source, found.source_version) == ("demo-source", "1:1.0-1")
    assert found.depends == (("init",), ("libc6",), ("debconf", "debconf-2.0"), ("demo-data",))
    assert found.provides == ("demo-abi", "demo-api")
    assert (found.maintainer, found.summary) == ("Some Body", "a demo")
    assert found.licence.expression == "MIT"
    assert read.system == SystemFacts(id="debian", version_id="13", version="13.8")
    # Recalled, it is the same.
    stores[0].path(deb.file.sha256).unlink()
    assert deb_facts(deb, *stores) == read


@pytest.mark.parametrize(
    "items",
    [
        docs(symlink("./usr/share/doc/demo", "other")),
        docs(folder("./usr/share/doc/demo/"), symlink("./usr/share/doc/demo/copyright", "../other/copyright")),
        docs(symlink("./usr/share/doc/demo", "/usr/share/doc/other")),
    ],
    ids=["folder", "file", "absolute"],
)
def test_a_link_leads_to_the_package_whose_copyright_file_it_is(
    items: tuple[Item, ...], stores: tuple[DirectoryFileStore, DirectoryArtefactStore]
) -> None:
    found = deb_facts(keep_deb(stores[0], *items), *stores).facts
    assert (found.licence_of, found.licence.is_known) == ("other", False)


def test_a_link_to_elsewhere_leads_to_no_package(stores: tuple[DirectoryFileStore, DirectoryArtefactStore]) -> None:
    found = deb_facts(keep_deb(stores[0], *docs(symlink("./usr/share/doc/demo", "/etc/other"))), *stores).facts
    assert found.licence_of == ""


def test_a_deb_that_is_not_the_locked_one_is_refused(
    stores: tuple[DirectoryFileStore, DirectoryArtefactStore],
) -> None:
    deb = replace(keep_deb(stores[0]), version="2.0")
    with pytest.raises(IntegrityError, match="Version is"):
        deb_facts(deb, *stores)


def test_a_source_is_the_package_itself_where_it_is_not_stated() -> None:
    found = control_facts({"Package": "a", "Version": "1", "Architecture": "all"}, Licence())
    assert (found.source, found.source_version, found.depends) == ("a", "1", ())
    named = control_facts({"Package": "a", "Version": "1", "Architecture": "all", "Source": "b"}, Licence())
    assert (named.source, named.source_version) == ("b", "1")


def test_a_system_that_does_not_say_what_it_is_is_none() -> None:
    assert system_facts(lambda _: "") is None
    texts = {"etc/os-release": "ID=debian\nVERSION_ID=13\n", "etc/debian_version": "trixie/sid\n"}
    assert system_facts(lambda path: texts.get(path, "")) == SystemFacts(id="debian", version_id="13", version="13")


STATUS = """Package: libc6
Status: install ok installed
Version: 2.41-12
Architecture: amd64
Source: glibc
Maintainer: GNU Libc Maintainers <x@y.invalid>
Depends: libgcc-s1

Package: removed
Status: deinstall ok config-files
Version: 1
Architecture: amd64

Package: damaged
Status: install ok installed
"""


def image_of(*extra: dict[str, bytes | str]) -> Layers:
    below: dict[str, Any] = {
        **root(),
        "var/lib/dpkg/status": STATUS.encode(),
        "usr/share/doc/libc6/copyright": COPYRIGHT,
        "usr/share/doc/alias": "libc6",
        "usr/lib/python3/dist-packages/six-1.16.0.dist-info/METADATA": b"Name: six\nVersion: 1.16.0\nLicense: MIT\n",
    }
    del below["var/lib/dpkg/status.d/libc6"]
    return Layers(tar_of(below), *(tar_of(items) for items in extra))


def test_a_base_that_is_an_image_tells_packages_distributions_and_system() -> None:
    layers = image_of({"var/lib/dpkg/status.d/alias": b"Package: alias\nVersion: 3\nArchitecture: all\n"})
    tree = read_tree(layers.locked, layers.open, where="base")
    paths = [path for path, node in tree.nodes.items() if node.kind == "file"]
    contents = dict(read_contents(tree, layers.locked, layers.open, paths, where="base"))
    found, system = read_base(tree, contents)
    assert [(deb.package, deb.version, deb.source, deb.licence.expression) for deb in found.debs] == [
        ("alias", "3", "alias", "MIT"),
        ("libc6", "2.41-12", "glibc", "MIT"),
    ]
    assert [(one.purl, one.licence.expression) for one in found.distributions] == [("pkg:pypi/six@1.16.0", "MIT")]
    assert system == SystemFacts(id="debian", version_id="13", version="13")


def test_a_base_is_read_from_the_store_once(stores: tuple[DirectoryFileStore, DirectoryArtefactStore]) -> None:
    layers, (files, artefacts) = image_of({"opt/x": b""}), stores
    for blob in layers.blobs:
        files.add(blob)
    image = LockedImage(
        platform=AMD64,
        manifest=Digest.of(b"manifest"),
        layers=layers.locked,
        python="/usr/bin/python3.13",
        python_build=Digest.of(b"python"),
        init=(),
        passwd="",
        packages=(),
    )
    base = make_world(files.root / "world").base
    first = base_facts(image, base, files, artefacts)
    assert [deb.package for deb in first[0].debs] == ["libc6"]
    for blob in layers.blobs:
        files.path(Digest.of(blob)).unlink()
    assert base_facts(image, base, files, artefacts) == first


def gather(world: World, jobs: int = 1, told: list[int] | None = None) -> Facts:
    heard = [] if told is None else told
    return gather_facts(
        world.stack, world.base, AMD64, files=world.files, artefacts=world.artefacts, jobs=jobs, progress=heard.append
    )


def test_facts_of_all_files_are_gathered_whatever_the_number_of_workers(tmp_path: Path) -> None:
    world = make_world(tmp_path)
    told: list[int] = []
    found = gather(world, told=told)
    assert sum(told) == total_size(world.stack, world.base, AMD64)
    assert set(found.debs) == {deb.file.sha256 for deb in world.base.debs if AMD64 in deb.platforms}
    assert set(found.wheels) == {one.wheels[AMD64.name].sha256 for one in world.stack.candidates}
    assert found.from_files
    fresh = replace(world, artefacts=DirectoryArtefactStore(tmp_path / "other", durable=False))
    assert gather(fresh, jobs=4) == found


def test_what_the_store_lacks_is_told_with_the_way_out(tmp_path: Path) -> None:
    world = make_world(tmp_path)
    wheel = world.stack.candidates[0].wheels[AMD64.name]
    (deb,) = (deb for deb in world.base.debs if deb.package == "libtiny" and ARM64 not in deb.platforms)
    for digest in (wheel.sha256, deb.file.sha256):
        world.files.path(digest).unlink()
    with pytest.raises(MissingBlobError) as caught:
        gather(world)
    assert str(caught.value) == (
        "the store lacks 2 files: alpha-1.0-py3-none-any.whl, libtiny_1.0-1_amd64.deb\n"
        "  airflow-kubler fetch tiny, then again"
    )


def test_kept_facts_are_told_apart_by_kind(tmp_path: Path) -> None:
    world = make_world(tmp_path)
    gather(world)
    names = {path.name.split("-")[2] for path in (tmp_path / "cache/artefacts" / KIND).rglob("*") if path.is_file()}
    assert names == {"wheel", "deb"}
    assert isinstance(deb_facts(world.base.debs[0], world.files, world.artefacts), ReadDeb)
