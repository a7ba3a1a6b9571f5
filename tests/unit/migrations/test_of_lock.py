"""The schemas of a lock's wheels, read from the store."""

from pathlib import Path

import pytest

from builder.errors import DigestMismatchError, MissingBlobError
from builder.lock.model import LockedFile, StackLock
from builder.migrations.of_lock import revisions_of
from builder.platform import AMD64
from builder.store.files import DirectoryFileStore
from tests.support.migrations import core_files, zipped
from tests.support.stack_locks import make_candidate, make_lock

CORE = zipped(core_files("r1", "r2"))
PLAIN = zipped({"plain/__init__.py": ""})


def make_stack(**wheels: LockedFile) -> StackLock:
    return make_lock(
        *(make_candidate(name.replace("_", "-"), wheels={AMD64.name: wheel}) for name, wheel in wheels.items())
    )


def locked(name: str, data: bytes, store: DirectoryFileStore) -> LockedFile:
    return LockedFile(name=f"{name}-1-py3-none-any.whl", size=len(data), sha256=store.add(data))


def test_only_wheels_that_bring_migrations_are_read(tmp_path: Path) -> None:
    store = DirectoryFileStore(tmp_path)
    core, plain = locked("apache_airflow_core", CORE, store), locked("plain", PLAIN, store)
    lock = make_stack(apache_airflow_core=core, plain=plain)
    # What lies there is no wheel any more, but its directory still says that nothing in it matters.
    path = store.path(plain.sha256)
    path.chmod(0o644)
    path.write_bytes(b"x" * 10 + PLAIN[10:])
    ((found, document),) = revisions_of(lock, store, AMD64)
    assert (found.owner, found.heads) == ("apache-airflow-core", ("r2",))
    assert document


def test_a_wheel_that_is_not_the_locked_one_is_refused(tmp_path: Path) -> None:
    store = DirectoryFileStore(tmp_path)
    core = locked("apache_airflow_core", CORE, store)
    path = store.path(core.sha256)
    path.chmod(0o644)
    path.write_bytes(b"x" + CORE[1:])
    with pytest.raises(DigestMismatchError, match="is not the locked file"):
        revisions_of(make_stack(apache_airflow_core=core), store, AMD64)


def test_a_wheel_that_is_not_there_is_told(tmp_path: Path) -> None:
    store = DirectoryFileStore(tmp_path)
    core = locked("apache_airflow_core", CORE, store)
    store.path(core.sha256).unlink()
    with pytest.raises(MissingBlobError, match="airflow-kubler fetch"):
        revisions_of(make_stack(apache_airflow_core=core), store, AMD64)
