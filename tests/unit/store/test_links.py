from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

import pytest

from builder.digest import Digest
from builder.errors import LockInvalidError
from builder.lock.model import LockedFile
from builder.store.files import DirectoryFileStore
from builder.store.links import link_file

DATA = b"wheel"
FILE = LockedFile(name="a-1-py3-none-any.whl", size=5, sha256=Digest.of(DATA))


@pytest.fixture
def store(tmp_path: Path) -> DirectoryFileStore:
    store = DirectoryFileStore(tmp_path / "cache")
    store.add(DATA)
    return store


def test_wheel_gets_its_name_below_its_hash(store: DirectoryFileStore, tmp_path: Path) -> None:
    path = link_file(store, FILE, tmp_path / "files")
    assert path == tmp_path / "files" / FILE.sha256.hex / FILE.name
    assert path.samefile(store.path(FILE.sha256))
    assert link_file(store, FILE, tmp_path / "files") == path
    assert [child.name for child in path.parent.iterdir()] == [FILE.name]


def test_something_else_in_its_place_is_replaced(store: DirectoryFileStore, tmp_path: Path) -> None:
    path = link_file(store, FILE, tmp_path / "files")
    path.unlink()
    path.symlink_to("/etc/passwd")
    link_file(store, FILE, tmp_path / "files")
    assert path.read_bytes() == DATA
    assert not path.is_symlink()


@pytest.mark.parametrize("name", ["../up", "a/b", "", ".", ".."])
def test_name_that_leads_elsewhere_is_refused(store: DirectoryFileStore, tmp_path: Path, name: str) -> None:
    with pytest.raises(LockInvalidError, match="not a file name"):
        link_file(store, LockedFile(name=name, size=5, sha256=FILE.sha256), tmp_path)


def test_other_file_system_gets_a_checked_copy(store: DirectoryFileStore, tmp_path: Path) -> None:
    shared = Path("/dev/shm")  # noqa: S108  another file system, where there is one
    if not shared.is_dir() or shared.stat().st_dev == tmp_path.stat().st_dev:
        pytest.skip("no other file system")
    folder = Path(tempfile.mkdtemp(dir=shared))
    try:
        path = link_file(store, FILE, folder)
        before = path.stat().st_ino
        assert path.read_bytes() == DATA
        assert link_file(store, FILE, folder).stat().st_ino == before
        path.chmod(0o644)
        path.write_bytes(b"whEEl")
        assert link_file(store, FILE, folder).read_bytes() == DATA
    finally:
        shutil.rmtree(folder)
