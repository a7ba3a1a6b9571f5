"""Locking a base against a made-up client; signatures and hashes are in tests/integration/test_fake_mirror.py."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import pytest

from builder.debian.client import Suite
from builder.digest import Digest
from builder.errors import StackError
from builder.lock.model import BaseLock, ReleaseRecord
from builder.platform import AMD64, ARM64
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
