"""Images to scan, by reference and by digest, with locks from wherever they lie."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from builder.errors import BuilderError, InvalidInputError, ScanError
from builder.ledger.database import SqliteLedger
from builder.ledger.events import Pushed
from builder.ledger.model import LedgerReader
from builder.project import Project
from builder.registry.model import Registry
from builder.usecase.scan import scan_image
from builder.usecase.scan_target import Places, ScanTarget, find_target
from builder.usecase.shipped import ShippedImage
from tests.support.archives import Setting
from tests.support.fake_scanner import FakeScanner
from tests.support.registries import SmallRegistry
from tests.support.registry_images import client, close_clients
from tests.support.scan_world import PLANTED, ScanProject, make_scan_project, make_scan_world, tools_of


@pytest.fixture
def setting(tmp_path: Path) -> Iterator[Setting]:
    with SmallRegistry() as small:
        yield Setting(small=small, world=make_scan_world(tmp_path / "world"))
        close_clients()


def find(text: str, folder: Path, project: Project | None = None, ledger: LedgerReader | None = None) -> ScanTarget:
    @contextmanager
    def open_registry() -> Iterator[Registry]:
        yield client()

    folder.mkdir()
    built = (lambda stack: project.root / "build" / stack) if project else None
    places = Places(project=project, built=built, ledger=ledger, registry=open_registry, room=folder)
    return find_target(text, places)


def ids(target: ScanTarget) -> set[str]:
    return {one.id for one in scan_image(target, tools_of(FakeScanner(known=PLANTED))).found.findings}


def test_an_image_in_a_registry_is_scanned_by_the_locks_of_its_archive(setting: Setting, tmp_path: Path) -> None:
    image: ShippedImage = setting.push()
    with pytest.raises(ScanError, match=r"its lock .* is not at hand"):
        find(str(image.reference), tmp_path / "one")
    setting.archive(image)
    target = find(str(image.reference), tmp_path / "two")
    assert (target.digest, target.stack, target.lock_digest) == (image.root.digest, "tiny", image.lock)
    assert "CVE-2018-18074" in ids(target)
    assert target.owners == {}


def test_a_tag_is_pulled_as_it_stands(setting: Setting, tmp_path: Path) -> None:
    image = setting.push()
    setting.archive(image)
    tag = f"{image.repository}:tiny-20261124.01"
    assert find(tag, tmp_path / "one").digest == image.root.digest


@pytest.fixture
def project(tmp_path: Path, setting: Setting) -> ScanProject:
    """The same image in a project, on record as pushed."""
    made = make_scan_project(tmp_path, setting.world)
    image = setting.push()
    assert str(image.root.digest) == made.recorded.digest
    made.history.append(Pushed(digest=made.recorded.digest, repository=str(image.repository), stack="tiny"))
    return made


def test_a_digest_on_record_is_taken_from_where_it_was_built_else_pulled(project: ScanProject, tmp_path: Path) -> None:
    with SqliteLedger(project.ledger, lambda: 0, write=False) as ledger:
        near = find(project.recorded.digest[:19], tmp_path / "near", project.project, ledger)
        assert near.layout == project.layout
        shutil.rmtree(project.layout)
        far = find(project.recorded.digest, tmp_path / "far", project.project, ledger)
        assert far.layout == tmp_path / "far/pulled"
        # Without the project's files, and without the archive, the ledger has the locks.
        alone = find(project.recorded.digest, tmp_path / "alone", None, ledger)
    assert near.digest == far.digest == alone.digest
    assert far.owners == {"tiny": ("team:tiny",)}
    assert ids(far) == ids(alone)


def test_a_lock_in_the_project_that_is_another_one_is_not_used(project: ScanProject, tmp_path: Path) -> None:
    path = project.project.root / "locks/pylock.tiny.toml"
    path.write_text(path.read_text().replace("2.19.0", "2.20.0"))
    with SqliteLedger(project.ledger, lambda: 0, write=False) as ledger:
        target = find("tiny", tmp_path / "one", project.project, ledger)
    assert {one.version for one in target.lock.candidates if one.project == "requests"} == {"2.19.0"}
    with pytest.raises(ScanError, match=r"its lock .* is not at hand"):
        find("tiny", tmp_path / "two", project.project)


@pytest.mark.parametrize(
    ("text", "error", "told"),
    [
        ("nothing", InvalidInputError, "there is no such stack"),
        ("registry.example.org/team/airflow", InvalidInputError, "names neither a tag nor a digest"),
    ],
)
def test_what_names_no_image_is_told(text: str, error: type[BuilderError], told: str, tmp_path: Path) -> None:
    with pytest.raises(error, match=told):
        find(text, tmp_path / "room")
