"""An image on record is read from its documents alone; what is not at hand is said."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from builder.digest import Digest
from builder.errors import IntegrityError
from builder.history.causes import find_causes
from builder.history.contents import debs_of, distributions_of
from builder.history.image import ImageRecord, ReadDocument, read_record, record_of
from builder.history.items import ItemKind, items_of
from builder.history.layers import changed_layers, pull_of
from builder.ledger.database import SqliteLedger
from builder.ledger.events import Built
from builder.ledger.queries import event_of
from builder.lock.diff import diff_locks
from builder.lock.model import LockedImage
from tests.support.made_up import bump, make_world
from tests.support.recorded import History, Recorded


@pytest.fixture
def built(tmp_path: Path) -> tuple[History, Recorded, Recorded]:
    """Two images, the second with another version of alpha."""
    world, history = make_world(tmp_path), History(tmp_path / "ledger.db")
    return history, history.build(world), history.build(bump(world))


def reader(history: History, *, without: tuple[bytes, ...] = ()) -> ReadDocument:
    gone = {Digest.of(data) for data in without}

    def read(digest: Digest) -> bytes | None:
        with SqliteLedger(history.path, history.clock, write=False) as ledger:
            return None if digest in gone else ledger.document(digest)

    return read


def test_an_image_is_known_from_the_ledger_alone(built: tuple[History, Recorded, Recorded]) -> None:
    history, one, _ = built
    record = read_record(event_of(one.entry, Built), one.entry, reader(history))
    assert (record.missing, record.stack, record.digest) == ((), "tiny", one.digest)
    assert [view.platform.name for view in record.views()] == ["linux/amd64", "linux/arm64"]
    assert [(row.name, row.version, row.platforms) for row in distributions_of(record)] == [
        ("alpha", "1.0", ()),
        ("beta", "2.0", ()),
        ("gamma", "3.0", ()),
    ]
    assert [(row.name, row.version) for row in debs_of(record)] == [
        ("base-files", "1.0-1"),
        ("libpython3.13-stdlib", "1.0-1"),
        ("libtiny", "1.0-1"),
    ]


def test_a_node_pulls_what_differs_by_digest(built: tuple[History, Recorded, Recorded]) -> None:
    history, one, two = built
    before, after = (read_record(event_of(done.entry, Built), done.entry, reader(history)) for done in (one, two))
    pull = pull_of(before.views()[0], after.views()[0])
    assert ([layer.name for layer in pull.layers], pull.held, pull.measured) == (["tiny-alpha"], 4, "built")
    assert pull.size == after.views()[0].layers[3].size
    (pair,) = changed_layers(before.views()[0], after.views()[0])
    assert (items_of(pair.before)[ItemKind.DISTRIBUTION, "alpha"].version, pair.name) == ("1.0", "tiny-alpha")


def test_locks_that_are_known_are_not_read_again(built: tuple[History, Recorded, Recorded]) -> None:
    history, one, two = built
    record = read_record(event_of(one.entry, Built), one.entry, reader(history))
    blind = reader(history, without=(one.lock, one.base))
    again = read_record(event_of(one.entry, Built), one.entry, blind, like=record)
    other = read_record(event_of(two.entry, Built), two.entry, blind, like=record)
    assert (again.lock, again.missing) == (record.lock, ())
    assert other.base is record.base
    assert other.lock is not None
    assert other.lock.candidates[0].version == "1.1"


def test_what_is_not_at_hand_is_said_and_the_rest_told(built: tuple[History, Recorded, Recorded]) -> None:
    history, one, _ = built
    without = reader(history, without=(one.lock, one.image.platforms[1].manifest))
    record = read_record(event_of(one.entry, Built), one.entry, without)
    manifest = one.image.platforms[1].descriptor.digest.hex[:12]
    assert record.missing == (
        f"the manifest {manifest} is not in the ledger",
        f"its lock {Digest.of(one.lock).hex[:12]} is not in the ledger",
    )
    assert [image.platform.name for image in record.platforms] == ["linux/amd64"]
    # By the history of its config.
    assert [(row.name, row.version) for row in distributions_of(record)] == [
        ("alpha", "1.0"),
        ("beta", "2.0"),
        ("gamma", "3.0"),
    ]


def test_documents_that_cannot_be_read_are_said(built: tuple[History, Recorded, Recorded]) -> None:
    history, one, _ = built
    event = event_of(one.entry, Built)
    strange = replace_reader(reader(history), {event.digest: b"{}", event.lock: b"format = 99"})
    record = read_record(event, one.entry, strange)
    assert record.platforms == ()
    assert record.missing[0].startswith("its documents cannot be read: index: ")
    assert record.missing[1].startswith("its lock cannot be read by this program: ")


def replace_reader(read: ReadDocument, others: dict[str, bytes]) -> ReadDocument:
    return lambda digest: others[str(digest)] if str(digest) in others else read(digest)


def test_an_image_that_says_nothing_of_its_lock_is_none_of_ours(built: tuple[History, Recorded, Recorded]) -> None:
    history, one, _ = built
    platforms = read_record(event_of(one.entry, Built), one.entry, reader(history)).platforms
    record = record_of(platforms, one.digest, 7, reader(history), name="somewhere")
    assert (record.stack, record.lock_digest, record.entry) == ("tiny", str(Digest.of(one.lock)), None)
    run = replace(platforms[0].config.run, labels=())
    bare = replace(platforms[0], config=replace(platforms[0].config, run=run))
    with pytest.raises(IntegrityError, match="does not say which lock it was built from"):
        record_of((bare,), one.digest, 7, reader(history), name="somewhere")


def of_image(record: ImageRecord, manifest: str, *packages: str) -> ImageRecord:
    """Put an image on a base that is an image, with these Debian packages."""
    assert record.base is not None
    images = tuple(
        LockedImage(
            platform=image.platform,
            manifest=Digest.of(manifest.encode()),
            layers=(),
            python="/usr/bin/python3.13",
            python_build=Digest.of(b"python"),
            init=(),
            passwd="",
            packages=packages,
        )
        for image in record.platforms
    )
    return replace(record, base=replace(record.base, debs=(), images=images))


def test_packages_of_a_base_that_is_an_image_are_known_and_moved_by_it(
    built: tuple[History, Recorded, Recorded],
) -> None:
    history, one, _ = built
    record = read_record(event_of(one.entry, Built), one.entry, reader(history))
    before = of_image(record, "one", "bash=5", "libc6=2.41-12")
    after = of_image(record, "two", "bash=5", "libc6=2.41-13", "zlib1g=1")
    assert [(row.name, row.version, row.platforms) for row in debs_of(after)] == [
        ("bash", "5", ()),
        ("libc6", "2.41-13", ()),
        ("zlib1g", "1", ()),
    ]
    assert before.lock is not None
    diff = diff_locks(before.lock, before.lock, bases=(before.base, after.base))
    assert [(cause.what, cause.brought) for cause in find_causes(before, after, diff)] == [
        ("libc6 2.41-12 -> 2.41-13", "of the base's image"),
        ("zlib1g 1 is new", "of the base's image"),
        ("the image that the base is", ""),
    ]
