"""The shipped bases against the real mirrors that this machine is set up with."""

from __future__ import annotations

import posixpath
from collections.abc import Iterable
from pathlib import Path

import pytest

from builder.debian.deb import Deb, check_deb, read_deb
from builder.debian.rootfs import base_file_entries, deb_entries, python_debs
from builder.entry import Entry, EntryKind
from builder.errors import MirrorError
from builder.lock.base import check_base_lock, dump_base_lock, parse_base_lock
from builder.lock.model import BaseLock, LockedDeb
from builder.platform import Platform
from builder.project import Project
from builder.resolve.user_settings import load_index_settings
from builder.store.transport import Transport
from builder.usecase.lock_base import lock_base
from builder.wiring.fetching import make_debian_client, make_mirrors
from builder.wiring.stores import make_file_store, make_transport

pytestmark = [pytest.mark.network, pytest.mark.slow]

PROJECT = Project(root=Path(__file__).parents[2])
FILES = make_file_store()


@pytest.fixture(scope="module", params=["trixie", "bookworm"])
def fresh(request: pytest.FixtureRequest) -> BaseLock:
    try:
        with make_debian_client() as client:
            return lock_base(PROJECT.load_base(request.param), client, None)
    except MirrorError as error:
        if "no Debian mirror is configured" in error.message:
            pytest.skip(error.message)
        raise


def shipped(name: str) -> BaseLock:
    path = PROJECT.base_lock_path(name)
    return parse_base_lock(path.read_bytes(), file=path.name)


def read(lock: BaseLock, platform: Platform) -> list[Deb]:
    mirrors, debs = make_mirrors(), []
    with make_transport(load_index_settings()) as transport:
        for locked in lock.debs:
            if platform in locked.platforms:
                if not FILES.holds(locked.file):
                    FILES.add(download(transport, mirrors.mirror_urls(locked.suite), locked))
                deb = read_deb(FILES.read(locked.file), file_name=locked.file.name)
                check_deb(deb, locked)
                debs.append(deb)
    return debs


def download(transport: Transport, urls: Iterable[str], locked: LockedDeb) -> bytes:
    for url in urls:
        with transport.open(f"{url}/{locked.pool_path}", {}) as response:
            if response.status == 200:
                return b"".join(response.chunks())
    raise AssertionError(f"no mirror has {locked.pool_path}")


def test_locking_again_gives_the_packages_that_are_shipped_and_the_same_bytes_twice(fresh: BaseLock) -> None:
    with make_debian_client() as client:
        again = lock_base(fresh.base, client, None)
    if again.releases == fresh.releases:
        assert dump_base_lock(again) == dump_base_lock(fresh)
    assert check_base_lock(PROJECT.load_base(fresh.name), fresh)
    old = {(deb.package, platform) for deb in shipped(fresh.name).debs for platform in deb.platforms}
    assert {(deb.package, platform) for deb in fresh.debs for platform in deb.platforms} == old


def test_every_deb_of_a_base_can_be_read_and_they_make_one_sound_tree(fresh: BaseLock) -> None:
    for platform in fresh.base.platforms:
        debs = read(fresh, platform)
        tree: dict[str, Entry] = {}
        for deb in debs:
            add(tree, deb_entries(deb, fresh.base), deb.package)
        certificates = next(deb for deb in debs if deb.package == "ca-certificates")
        declared = base_file_entries(fresh.base, ca_certificates=certificates)
        add(tree, declared, "declared files")
        assert dangling(tree) == []
        assert {entry.mode & 0o6000 for entry in tree.values()} == {0}
        assert not [path for path, entry in tree.items() if entry.kind is EntryKind.FILE and entry.mode & 0o002]
        assert tree["tmp"].mode == tree["var/tmp"].mode == 0o1777
        assert tree["etc/debian_version"].data.startswith({"trixie": b"13.", "bookworm": b"12."}[fresh.name])
        assert tree["etc/ssl/certs/ca-certificates.crt"].data.count(b"BEGIN CERTIFICATE") > 100
        assert tree[f"usr/bin/python{fresh.base.python}"].mode == 0o755
        for deb in debs:
            assert tree[f"var/lib/dpkg/status.d/{deb.package}"].data


def test_python_is_split_from_the_rest(fresh: BaseLock) -> None:
    minor = fresh.base.python
    assert python_debs(fresh) == {f"python{minor}-minimal", f"libpython{minor}-minimal", f"libpython{minor}-stdlib"}


def add(tree: dict[str, Entry], entries: Iterable[Entry], owner: str) -> None:
    """Lay entries into a tree, as layers do; only folders may stand in several debs, and alike."""
    for entry in entries:
        earlier = tree.setdefault(entry.path, entry)
        if earlier is not entry:
            assert earlier.kind is entry.kind is EntryKind.DIRECTORY, (owner, entry.path)
            assert (earlier.mode, earlier.uid, earlier.gid) == (entry.mode, entry.uid, entry.gid), (owner, entry.path)


def dangling(tree: dict[str, Entry]) -> list[str]:
    """List links that lead nowhere, but for what only a running container has."""
    folders = {posixpath.dirname(path) for path in tree}
    found = []
    for path, entry in tree.items():
        if entry.kind is EntryKind.SYMLINK:
            target = posixpath.normpath(posixpath.join("/", posixpath.dirname(path), entry.target)).lstrip("/")
            first = target.partition("/")[0]
            merged = f"usr/{target}" if first in {"bin", "sbin", "lib", "lib64"} and "/" in target else target
            if merged not in tree and merged not in folders:
                found.append(f"{path} -> {entry.target}")
    return found
