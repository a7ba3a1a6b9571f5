"""Databases: metadata, age, artifacts of registries, and what is refused of them."""

from __future__ import annotations

import gzip
import io
import json
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from builder.digest import Digest
from builder.errors import BuilderError, IntegrityError, RegistryError, ScanError
from builder.registry.model import Registry, parse_reference, parse_repository
from builder.scan.database import check_age, parse_metadata, unpack_artifact
from builder.scan.database_store import DatabaseStore, open_folder
from builder.store.artefacts import DirectoryArtefactStore
from builder.usecase.scan_database import pull_database, push_database, read_artifact
from tests.support.advisories import CANARY, NOTHING, UPDATED, write_database
from tests.support.registries import SmallRegistry
from tests.support.registry_images import client, close_clients

DAY = 86_400


@pytest.fixture
def store(tmp_path: Path) -> DatabaseStore:
    return DatabaseStore(DirectoryArtefactStore(tmp_path / "store", durable=False))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_database(tmp_path / "db", CANARY)


@pytest.fixture
def served() -> Iterator[tuple[Registry, str]]:
    """A registry, and its host."""
    with SmallRegistry() as registry:
        yield client(), registry.host
        close_clients()


def test_a_folder_is_kept_with_the_artifact_that_it_would_be(
    store: DatabaseStore, folder: Path, tmp_path: Path
) -> None:
    kept = store.add_folder(folder)
    assert kept.sha256 == Digest.of((folder / "trivy.db").read_bytes())
    assert (kept.updated, kept.size) == (UPDATED, (folder / "trivy.db").stat().st_size)
    again = DatabaseStore(DirectoryArtefactStore(tmp_path / "other", durable=False)).add_folder(folder)
    assert again.artifact == kept.artifact
    assert open_folder(folder).sha256 == kept.sha256


def test_the_newest_is_taken_and_any_is_found_by_its_beginning(store: DatabaseStore, tmp_path: Path) -> None:
    with pytest.raises(ScanError, match="there is no database"):
        store.find("")
    old = store.add_folder(write_database(tmp_path / "old", CANARY, updated=UPDATED - DAY))
    new = store.add_folder(write_database(tmp_path / "new", NOTHING))
    assert store.all() == (new, old)
    assert store.find("") == new
    assert store.find(old.sha256.hex[:12]) == old
    assert old.artifact is not None
    assert store.find(str(old.artifact)) == old
    with pytest.raises(ScanError, match="names no database that is here"):
        store.find("0" * 12)


def test_what_is_pushed_is_what_was_pulled(
    store: DatabaseStore, folder: Path, tmp_path: Path, served: tuple[Registry, str]
) -> None:
    registry, host = served
    kept = store.add_folder(folder)
    pushed = push_database(registry, kept, store, parse_repository(f"{host}/team/trivy-db"), "2")
    assert pushed.reference.digest == kept.artifact
    other = DatabaseStore(DirectoryArtefactStore(tmp_path / "other", durable=False))
    pulled = pull_database(registry, parse_reference(f"{host}/team/trivy-db:2"), other)
    assert (pulled.sha256, pulled.artifact, pulled.updated) == (kept.sha256, kept.artifact, kept.updated)
    mirrored = push_database(registry, pulled, other, parse_repository(f"{host}/mirror/trivy-db"), None)
    assert mirrored.reference.digest == kept.artifact
    with pytest.raises(RegistryError, match="there is no such artifact"):
        pull_database(registry, parse_reference(f"{host}/team/trivy-db:3"), other)


@pytest.mark.parametrize(
    "manifest",
    [
        {"schemaVersion": 2, "manifests": []},
        {"schemaVersion": 2, "config": {}, "layers": [{"mediaType": "application/vnd.oci.image.layer.v1.tar+gzip"}]},
        {"schemaVersion": 2, "config": {}, "layers": []},
    ],
)
def test_what_is_no_artifact_of_a_database_is_refused(manifest: dict[str, object]) -> None:
    with pytest.raises(IntegrityError, match="is no database of Trivy's"):
        read_artifact(json.dumps(manifest).encode(), context="x")


def packed(*members: tuple[str, bytes] | tarfile.TarInfo) -> bytes:
    """Write an artifact's layer."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for member in members:
            if isinstance(member, tarfile.TarInfo):
                archive.addfile(member)
                continue
            info = tarfile.TarInfo(member[0])
            info.size = len(member[1])
            archive.addfile(info, io.BytesIO(member[1]))
    return gzip.compress(buffer.getvalue())


def link() -> tarfile.TarInfo:
    info = tarfile.TarInfo("trivy.db")
    info.type, info.linkname = tarfile.SYMTYPE, "/etc/passwd"
    return info


def endless() -> bytes:
    """A header that claims a name of a gigabyte."""
    info = tarfile.TarInfo("x")
    info.type, info.size = tarfile.XHDTYPE, 1 << 30
    return gzip.compress(info.tobuf(tarfile.USTAR_FORMAT) + bytes(8 << 20))


FILES = (("metadata.json", b"{}"), ("trivy.db", b"db"))


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (packed(*FILES, ("../evil", b"")), "holds '../evil'"),
        (packed(*FILES, ("trivy.db", b"twice")), "holds 'trivy.db'"),
        (packed(FILES[0], link()), "holds 'trivy.db'"),
        (packed(FILES[0]), "holds no trivy.db"),
        (packed(("metadata.json", bytes(2 << 20)), FILES[1]), "metadata.json has 2.1 MB"),
        (endless(), "holds more than its files"),
        (gzip.compress(b"no tar at all" * 100, mtime=0), "is no tar"),
        (packed(*FILES)[:-20], ""),
        (b"no gzip", ""),
    ],
)
def test_an_artifact_holds_two_files_and_nothing_else(data: bytes, told: str, tmp_path: Path) -> None:
    with pytest.raises(BuilderError) as caught:
        unpack_artifact((data,), tmp_path, context="layer")
    assert told in str(caught.value)


def test_an_artifact_is_unpacked(tmp_path: Path) -> None:
    unpack_artifact((packed(("./metadata.json", b"{}"), ("./trivy.db", b"db")),), tmp_path, context="layer")
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {"metadata.json": b"{}", "trivy.db": b"db"}


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (b"{}", "cannot be read"),
        (b'{"Version": 2, "UpdatedAt": "soon"}', "cannot be read"),
        (b'{"Version": 3, "UpdatedAt": "2026-11-18T00:00:00Z"}', "is of schema 3, and 2 is known"),
        (b'{"Version": 2, "UpdatedAt": "2026-11-18T00:00:00"}', "in which zone"),
    ],
)
def test_metadata_that_says_too_little_is_not_scanned(data: bytes, told: str) -> None:
    with pytest.raises(ScanError, match=told):
        parse_metadata(data, context="metadata.json")


def test_metadata_of_trivys_own_is_read() -> None:
    data = b'{"Version":2,"NextUpdate":"2026-11-19T06:14:50Z","UpdatedAt":"2026-11-18T06:14:50.123456789Z","DownloadedAt":"0001-01-01T00:00:00Z"}'
    assert parse_metadata(data, context="x") == 1_794_982_490


@pytest.mark.parametrize(
    ("now", "told"),
    [
        (UPDATED, ""),
        (UPDATED + 3 * DAY, ""),
        (UPDATED + 3 * DAY + 1, "older than 3 days"),
        (UPDATED - DAY, ""),
        (UPDATED - DAY - 1, "yet to come"),
    ],
)
def test_a_database_must_be_young(folder: Path, now: int, told: str) -> None:
    def look() -> None:
        check_age(open_folder(folder), 3 * DAY, now)

    _expect(look, told)


def _expect(look: Callable[[], None], told: str) -> None:
    if not told:
        look()
        return
    with pytest.raises(ScanError, match=told):
        look()
