"""Two images compared: by documents alone, and by the files of the layers that differ, wherever these lie."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest

from builder.buildkit.filesystem import Node, flatten
from builder.errors import DigestMismatchError, IntegrityError, LedgerError, MissingBlobError
from builder.history.image import ImageRecord
from builder.image.compress import decompress
from builder.image.layout_reader import FolderLayout
from builder.ledger.database import SqliteLedger
from builder.ledger.events import Pushed
from builder.lock.model import PlannedLayer
from builder.oci.descriptor import Descriptor
from builder.oci.layout import blob_path, parse_layout
from builder.registry.model import parse_repository
from builder.stack.model import BaseFile
from builder.store.artefacts import DirectoryArtefactStore
from builder.usecase.compare import (
    FileChange,
    ImageComparison,
    OpenBlob,
    compare_files,
    compare_images,
    count_bytes,
    open_image,
)
from builder.usecase.ship import ShipRequest, plan_ship, read_image, ship
from builder.wiring.blobs import make_blob_opener
from tests.support.made_up import World, bump, make_world
from tests.support.recorded import History, Recorded, change_base, change_deb, change_stack
from tests.support.registries import SmallRegistry
from tests.support.registry_images import client, close_clients

SITE = "home/airflow/.local/lib/python3.13/site-packages"


@pytest.fixture
def world(tmp_path: Path) -> World:
    return make_world(tmp_path)


@pytest.fixture
def history(tmp_path: Path) -> History:
    return History(tmp_path / "ledger.db")


@pytest.fixture
def images(history: History, world: World, tmp_path: Path) -> tuple[Recorded, Recorded]:
    return history.build(world, layout=tmp_path / "one"), history.build(bump(world), layout=tmp_path / "two")


@pytest.fixture
def ledger(history: History, images: tuple[Recorded, Recorded]) -> Iterator[SqliteLedger]:
    assert images
    with SqliteLedger(history.path, history.clock, write=False) as opened:
        yield opened


def compare(ledger: SqliteLedger, one: str, two: str) -> ImageComparison:
    return compare_images(open_image(ledger, one, None), open_image(ledger, two, None))


def files(found: ImageComparison, open_blob: OpenBlob) -> tuple[FileChange, ...]:
    return compare_files(found, found.platforms[0], open_blob)


def from_layouts(*folders: Path) -> OpenBlob:
    def open_blob(record: ImageRecord, layer: Descriptor) -> Iterator[bytes] | None:
        del record
        for folder in folders:
            if (folder / blob_path(layer.digest)).is_file():
                return FolderLayout(folder).chunks(blob_path(layer.digest))
        return None

    return open_blob


def test_documents_tell_what_moved_and_what_is_pulled(ledger: SqliteLedger, images: tuple[Recorded, Recorded]) -> None:
    found = compare(ledger, images[0].digest, images[1].digest)
    assert found.diff is not None
    assert [(change.project, change.before, change.after) for change in found.diff.candidates] == [
        ("alpha", "1.0", "1.1")
    ]
    amd64 = found.platforms[0]
    assert [layer.name for layer in amd64.pull.layers] == ["tiny-alpha"]
    built = images[1].image.platforms[0]
    assert amd64.document_bytes == len(images[1].image.index) + len(built.manifest) + len(built.config)
    assert count_bytes(found) == sum(
        layer.size for one in found.platforms for pair in one.layers for layer in (pair.before, pair.after) if layer
    )
    assert not found.same
    assert compare(ledger, "tiny", images[1].digest).same


def test_files_of_changed_layers_are_compared_and_no_other_layer_is_read(
    ledger: SqliteLedger, images: tuple[Recorded, Recorded], tmp_path: Path
) -> None:
    found = compare(ledger, images[0].digest, images[1].digest)
    opened: list[str] = []
    lying = from_layouts(tmp_path / "one", tmp_path / "two")

    def open_blob(record: ImageRecord, layer: Descriptor) -> Iterator[bytes] | None:
        opened.append(str(layer.digest))
        return lying(record, layer)

    changes = {change.path: change for change in files(found, open_blob)}
    assert changes[f"{SITE}/alpha/__init__.py"] == FileChange(
        path=f"{SITE}/alpha/__init__.py",
        kind="changed",
        what="size 6 -> 7",
        size_before=6,
        size_after=7,
        layer="tiny-alpha",
    )
    assert changes[f"{SITE}/alpha-1.0.dist-info/METADATA"].kind == "removed"
    assert changes[f"{SITE}/alpha-1.1.dist-info/METADATA"].kind == "added"
    assert {change.kind for change in changes.values()} == {"added", "removed", "changed"}
    # Folders, which other layers may have too, are left out.
    assert f"{SITE}/alpha-1.1.dist-info" not in changes
    (pair,) = found.platforms[0].layers
    assert pair.before is not None
    assert pair.after is not None
    assert opened == [str(pair.before.digest), str(pair.after.digest)]


def test_modes_and_links_and_folders_that_both_have_are_compared(
    history: History, world: World, tmp_path: Path
) -> None:
    first = change_base(
        world,
        files=(
            BaseFile(path="etc/localtime", kind="symlink", target="/usr/share/zoneinfo/UTC"),
            BaseFile(path="etc/hosts", content="1\n"),
            BaseFile(path="srv", kind="directory", mode=0o755),
        ),
    )
    second = change_base(
        world,
        files=(
            BaseFile(path="etc/localtime", kind="symlink", target="/etc/utc"),
            BaseFile(path="etc/hosts", content="1\n", mode=0o600),
            BaseFile(path="srv", kind="directory", mode=0o1777),
        ),
    )
    one, two = history.build(first, layout=tmp_path / "a"), history.build(second, layout=tmp_path / "b")
    with SqliteLedger(history.path, history.clock, write=False) as ledger:
        found = compare(ledger, one.digest, two.digest)
    told = {change.path: change.what for change in files(found, from_layouts(tmp_path / "a", tmp_path / "b"))}
    assert told == {
        "etc/hosts": "mode 0644 -> 0600",
        "etc/localtime": "target /usr/share/zoneinfo/UTC -> /etc/utc",
        "srv": "mode 0755 -> 1777",
    }


CHANGES: dict[str, Callable[[World], World]] = {
    "distribution": bump,
    "deb": lambda world: change_deb(world, "libtiny", "1.0-2"),
    "declared file": lambda world: change_base(world, files=(BaseFile(path="etc/motd", content="x\n"),)),
    "both": lambda world: change_deb(bump(world), "base-files", "2", content=b"y"),
    "regrouped": lambda world: change_stack(
        world, plan=(PlannedLayer(name="tiny-all", stack="tiny", projects=("alpha", "beta", "gamma")),)
    ),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES.keys())
def test_files_are_those_that_whole_images_differ_by(
    change: Callable[[World], World], history: History, world: World, tmp_path: Path
) -> None:
    folders = tmp_path / "a", tmp_path / "b"
    one, two = history.build(world, layout=folders[0]), history.build(change(world), layout=folders[1])
    with SqliteLedger(history.path, history.clock, write=False) as ledger:
        found = compare(ledger, one.digest, two.digest)
    for number, platform in enumerate(found.platforms):
        old, new = (whole(folder, number) for folder in folders)
        expected = {path for path in old.keys() | new.keys() if old.get(path) != new.get(path)}
        folders_of_one = {path for path in expected if "directory" in {kind(old, path), kind(new, path)}}
        told = {one.path for one in compare_files(found, platform, from_layouts(*folders))}
        assert told == expected - folders_of_one


def whole(folder: Path, number: int) -> Mapping[str, Node]:
    """Lay all layers of a platform over one another."""
    reader = FolderLayout(folder)
    image = parse_layout(reader).platforms[number]
    return flatten(decompress("zstd", reader.chunks(blob_path(layer.digest))) for layer in image.manifest.layers)


def kind(nodes: Mapping[str, Node], path: str) -> str:
    return nodes[path].kind if path in nodes else ""


def test_a_layer_that_is_nowhere_and_one_that_is_damaged_are_told(
    ledger: SqliteLedger, images: tuple[Recorded, Recorded], tmp_path: Path
) -> None:
    found = compare(ledger, images[0].digest, images[1].digest)
    with pytest.raises(MissingBlobError, match="is not at hand\n  name a layout that holds it by --layout, or let it"):
        files(found, from_layouts(tmp_path / "two"))
    with pytest.raises(DigestMismatchError, match="what is there hashes to sha256:"):
        files(found, with_another_blob(tmp_path))


def with_another_blob(folder: Path) -> OpenBlob:
    """Give a sound layer in the place of another."""
    lying = from_layouts(folder / "one", folder / "two")

    def open_blob(record: ImageRecord, layer: Descriptor) -> Iterator[bytes] | None:
        del layer
        (image, *_) = record.platforms
        return lying(record, image.manifest.layers[0])

    return open_blob


def test_layouts_that_no_ledger_knows_are_compared_by_what_they_say(
    history: History, images: tuple[Recorded, Recorded], tmp_path: Path
) -> None:
    other = History(tmp_path / "other.db")
    with SqliteLedger(other.path, other.clock, write=False) as empty:
        found = compare(empty, str(tmp_path / "one"), str(tmp_path / "two"))
        with pytest.raises(LedgerError):
            open_image(empty, images[0].digest, None)
    assert found.diff is None
    assert found.moved == (("alpha", "1.0", "1.1"),)
    assert found.before.missing == (f"its lock {found.before.lock_digest[7:19]} is not in the ledger",)
    assert [layer.name for layer in found.platforms[0].pull.layers] == ["tiny-alpha"]
    with SqliteLedger(history.path, history.clock, write=False) as ledger:
        assert compare(ledger, str(tmp_path / "one"), images[1].digest).diff is not None


def test_layers_are_found_in_the_cache_and_in_registries(
    history: History, world: World, images: tuple[Recorded, Recorded], tmp_path: Path
) -> None:
    empty = DirectoryArtefactStore(tmp_path / "nothing")
    registry = client()
    try:
        with SmallRegistry() as small:
            for name in ("one", "two"):
                repository = parse_repository(f"{small.host}/{name}")
                request = ShipRequest(layout=tmp_path / name, repository=repository, day="20261124", tags=("x",))
                ship(registry, request, plan_ship(registry, request, read_image(tmp_path / name)))
            history.append(Pushed(digest=images[0].digest, repository=f"{small.host}/one"))
            with SqliteLedger(history.path, history.clock, write=False) as ledger:
                found = compare(ledger, images[0].digest, images[1].digest)
                by_cache = files(found, make_blob_opener((), ledger, None, artefacts=world.artefacts))
                # The ledger knows the first push; the second image is named by its reference.
                two = open_image(ledger, f"{small.host}/two:x", registry)
                by_name = compare_images(found.before, two)
                pulled = files(by_name, make_blob_opener((), ledger, registry, artefacts=empty))
                with pytest.raises(MissingBlobError):
                    files(found, make_blob_opener((), ledger, None, artefacts=empty))
    finally:
        close_clients()
    assert two.digest == images[1].digest
    assert by_cache == pulled != ()


def test_a_hostile_layer_is_refused(ledger: SqliteLedger, images: tuple[Recorded, Recorded]) -> None:
    found = compare(ledger, images[0].digest, images[1].digest)
    with pytest.raises(IntegrityError):
        files(found, lambda _record, _layer: iter((b"(\xb5/\xfd\x00X\x11\x00\x00ab",)))


def test_debs_are_compared(history: History, world: World) -> None:
    one, two = history.build(world), history.build(change_deb(world, "libtiny", "1.0-2"))
    with SqliteLedger(history.path, history.clock, write=False) as ledger:
        found = compare(ledger, one.digest, two.digest)
    assert found.diff is not None
    assert [(change.package, change.before, change.after) for change in found.diff.debs] == [
        ("libtiny", "1.0-1", "1.0-2")
    ]
