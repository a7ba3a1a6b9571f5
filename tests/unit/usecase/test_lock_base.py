"""Locking a base against a made-up client; signatures and hashes are in tests/integration/test_fake_mirror.py."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from builder.debian.client import Suite
from builder.digest import Digest
from builder.errors import StackError
from builder.lock.model import BaseLock, ReleaseRecord
from builder.platform import AMD64, ARM64
from builder.store.artefacts import DirectoryArtefactStore
from builder.usecase.base_notes import BaseNotes
from builder.usecase.lock_base import lock_base
from tests.support.bases import make_base
from tests.support.packages import paragraphs

AMD = "libc6 2.41-12\npython3.13-minimal 3.13.5-2+deb13u5 | Depends: libc6\ntzdata 2026a-1 | Architecture: all\n"
ARM = AMD.replace("libc6 2.41-12", "libc6 2.41-12 | Architecture: arm64").replace("u5 |", "u5 | Architecture: arm64 |")


class FakeClient:
    """A mirror in memory: suite, then architecture, to the lines of its packages."""

    def __init__(self, suites: Mapping[str, Mapping[str, str]]) -> None:
        self._suites = suites

    def fetch_suite(self, suite: str, *, components: Sequence[str], architectures: Sequence[str]) -> Suite:
        assert components == ("main",)
        packages = {name: (paragraphs(self._suites[suite][name]).encode(),) for name in architectures}
        date = 100 + len(suite)
        return Suite(record=ReleaseRecord(suite=suite, date=date, sha256=Digest.of(suite.encode())), packages=packages)


def lock(suites: Mapping[str, Mapping[str, str]], *, cuts: Sequence[str] = ()) -> BaseLock:
    base = make_base(roots=("python3.13-minimal", "tzdata"), suites=tuple(suites), cuts=cuts)
    return lock_base(base, FakeClient(suites), None)


def test_a_deb_for_all_architectures_stands_once_with_its_platforms() -> None:
    made = lock({"trixie": {"amd64": AMD, "arm64": ARM}})
    assert [(deb.package, deb.architecture, deb.platforms) for deb in made.debs] == [
        ("libc6", "amd64", (AMD64,)),
        ("libc6", "arm64", (ARM64,)),
        ("python3.13-minimal", "amd64", (AMD64,)),
        ("python3.13-minimal", "arm64", (ARM64,)),
        ("tzdata", "all", (AMD64, ARM64)),
    ]


def test_versions_of_python_and_libc_and_the_newest_date_are_read_off() -> None:
    empty = {"amd64": "", "arm64": ""}
    made = lock({"trixie": {"amd64": AMD, "arm64": ARM}, "trixie-security": empty})
    assert (made.python_version, made.glibc) == ("3.13.5", "2.41")
    assert made.created == max(record.date for record in made.releases) == 115
    assert [record.suite for record in made.releases] == ["trixie", "trixie-security"]


def test_security_wins_where_it_is_newer() -> None:
    security = {"amd64": "libc6 2.41-12+deb13u1\n", "arm64": "libc6 2.41-12+deb13u1 | Architecture: arm64\n"}
    made = lock({"trixie": {"amd64": AMD, "arm64": ARM}, "trixie-security": security})
    assert {deb.suite for deb in made.debs if deb.package == "libc6"} == {"trixie-security"}


def test_platforms_with_different_pythons_are_refused() -> None:
    with pytest.raises(StackError, match=r"different versions of python3\.13-minimal: 3\.13\.5, 3\.13\.6"):
        lock({"trixie": {"amd64": AMD, "arm64": ARM.replace("3.13.5", "3.13.6")}})


def test_a_base_without_libc_is_refused_with_the_way_out() -> None:
    lines = AMD.replace(" | Depends: libc6", "")
    with pytest.raises(StackError) as refused:
        lock({"trixie": {"amd64": lines, "arm64": ARM}})
    assert str(refused.value) == (
        "stacks/bases/made-up.toml: debian.roots: the closure for linux/amd64 has no libc6\n  add libc6"
    )


def test_a_cut_that_only_one_platform_needs_is_used() -> None:
    arm = ARM.replace("Depends: libc6", "Depends: libc6, dpkg")
    assert lock({"trixie": {"amd64": AMD, "arm64": arm}}, cuts=("dpkg",)).debs


def test_a_mirror_signed_anew_without_a_moved_deb_keeps_the_lock_before() -> None:
    suites = {"trixie": {"amd64": AMD, "arm64": ARM}}
    before = lock(suites)
    older = replace(before, created=1, releases=(replace(before.releases[0], date=1),))
    base = make_base(roots=("python3.13-minimal", "tzdata"), suites=tuple(suites))
    assert lock_base(base, FakeClient(suites), older) is older


def test_a_moved_deb_makes_a_new_lock_with_the_new_date() -> None:
    suites = {"trixie": {"amd64": AMD, "arm64": ARM}}
    before = lock(suites)
    older = replace(before, created=1, debs=before.debs[1:])
    base = make_base(roots=("python3.13-minimal", "tzdata"), suites=tuple(suites))
    assert lock_base(base, FakeClient(suites), older) == before


class NotingClient(FakeClient):
    """A mirror in memory that says the hashes of its indexes, and counts those that are read."""

    def __init__(self, suites: Mapping[str, Mapping[str, str]], *, date: int = 0) -> None:
        super().__init__(suites)
        self.read: list[str] = []
        self._date = date

    def fetch_suite(self, suite: str, *, components: Sequence[str], architectures: Sequence[str]) -> Suite:
        found = super().fetch_suite(suite, components=components, architectures=architectures)
        record = replace(found.record, date=found.record.date + self._date)
        digests = {name: tuple(map(Digest.of, files)) for name, files in found.packages.items()}
        return Suite(record=record, packages=_Counted(found.packages, self.read), digests=digests)


class _Counted(dict[str, tuple[bytes, ...]]):
    def __init__(self, packages: Mapping[str, tuple[bytes, ...]], read: list[str]) -> None:
        super().__init__(packages)
        self._read = read

    def __getitem__(self, architecture: str) -> tuple[bytes, ...]:
        self._read.append(architecture)
        return super().__getitem__(architecture)


def make_notes(folder: Path, program: str = "ours 1") -> BaseNotes:
    return BaseNotes(DirectoryArtefactStore(folder, durable=False), program)


def test_indexes_that_were_read_once_are_not_read_again_and_the_lock_is_the_same(tmp_path: Path) -> None:
    suites = {"trixie": {"amd64": AMD, "arm64": ARM}}
    base = make_base(roots=("python3.13-minimal", "tzdata"), suites=tuple(suites))
    first = NotingClient(suites)
    made = lock_base(base, first, None, make_notes(tmp_path))
    assert sorted(first.read) == ["amd64", "arm64"]
    again = NotingClient(suites, date=50)
    assert lock_base(base, again, made, make_notes(tmp_path)) == made == lock_base(base, NotingClient(suites), None)
    # What mirrors signed since is told, where there is no lock before.
    assert lock_base(base, again, None, make_notes(tmp_path)) == lock_base(base, NotingClient(suites, date=50), None)
    assert not again.read


def test_another_index_program_or_base_and_a_damaged_note_are_read(tmp_path: Path) -> None:
    suites = {"trixie": {"amd64": AMD, "arm64": ARM}}
    base = make_base(roots=("python3.13-minimal", "tzdata"), suites=tuple(suites))
    lock_base(base, NotingClient(suites), None, make_notes(tmp_path))
    moved = NotingClient({"trixie": {"amd64": AMD, "arm64": ARM.replace("2026a-1", "2026b-1")}})
    other, fewer, damaged = NotingClient(suites), NotingClient(suites), NotingClient(suites)
    assert any(deb.version == "2026b-1" for deb in lock_base(base, moved, None, make_notes(tmp_path)).debs)
    lock_base(base, other, None, make_notes(tmp_path, "ours 2"))
    lock_base(replace(base, roots=("python3.13-minimal",)), fewer, None, make_notes(tmp_path))
    for path in (path for path in tmp_path.rglob("*") if path.is_file()):
        path.chmod(0o644)
        path.write_bytes(b"damaged")
    lock_base(base, damaged, None, make_notes(tmp_path))
    assert all(client.read for client in (moved, other, fewer, damaged))
