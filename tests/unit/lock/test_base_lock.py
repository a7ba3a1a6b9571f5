"""Reading base locks strictly."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from builder.errors import IssuesError, LockInvalidError
from builder.lock.base import check_base_lock, dump_base_lock, parse_base_lock
from builder.stack.base import parse_base
from tests.support.bases import made_lock

ROOT = Path(__file__).parents[3]
FILE = "locks/base.made-up.toml"


GOOD = dump_base_lock(made_lock())


def test_a_lock_reads_as_it_was_written() -> None:
    assert parse_base_lock(GOOD, file=FILE) == made_lock()


@pytest.mark.parametrize(
    ("old", "new", "context", "reason"),
    [
        ("size = 7", "size = -7", "debs[0].size", "must be from 0"),
        ("size = 7\n", "", "debs[0].size", "must be there"),
        ("pool/main/bash/", "../main/bash/", "debs[0].path", "cannot be '../main"),
        ("pool/main/bash/", "/pool/main/bash/", "debs[0].path", "cannot be"),
        ('architecture = "amd64"', 'architecture = "arm64"', "debs[0].platforms", "do not go with"),
        ('"linux/amd64"', '"linux/riscv64"', "debs[0].platforms", "unknown platform 'linux/riscv64'"),
        ('package = "bash"', 'package = "zsh"', "debs", "are not in their order"),
        ('package = "bash"', 'package = "Ba sh"', "debs[0].package", "cannot be 'Ba sh'"),
        ('glibc = "2.41"', 'glibc = "new"', "glibc", "cannot be 'new'"),
        ('glibc = "2.41"', 'glibc = "2.41"\nhost = "x"', "host", "unknown key"),
        ('inputs = "sha256:', 'inputs = "md5:', "inputs", "not a sha256 digest"),
    ],
)
def test_what_was_changed_by_hand_is_refused_by_key(old: str, new: str, context: str, reason: str) -> None:
    data = GOOD.decode().replace(old, new, 1).encode()
    assert data != GOOD
    with pytest.raises(IssuesError) as refused:
        parse_base_lock(data, file=FILE)
    assert refused.value.issues[0].context == f"{FILE}: {context}"
    assert reason in refused.value.issues[0].message


def test_every_issue_is_told_at_once() -> None:
    data = GOOD.decode().replace("size = 7", "size = 0.5").replace('glibc = "2.41"', "glibc = 2").encode()
    with pytest.raises(IssuesError) as refused:
        parse_base_lock(data, file=FILE)
    contexts = {issue.context for issue in refused.value.issues}
    assert contexts == {f"{FILE}: glibc", f"{FILE}: debs[0].size", f"{FILE}: debs[1].size"}


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"\xff", "not a TOML file"),
        (b"a = ", "not a TOML file"),
        (b"a = " + b"9" * 6000, "not a TOML file"),
        (b"", "format None is not 1"),
        (GOOD.replace(b"format = 1", b"format = 2"), "format 2 is not 1"),
        (GOOD.replace(b'reason = "because"', b'reason = "other"'), "is not the digest of the embedded base"),
        (GOOD.replace(b'components = [\n    "main",\n]', b'components = ["main"]'), "was changed by hand"),
        (GOOD + b"# a comment\n", "was changed by hand"),
    ],
)
def test_what_is_no_lock_of_ours_is_refused(data: bytes, reason: str) -> None:
    with pytest.raises(LockInvalidError, match=reason):
        parse_base_lock(data, file=FILE)


@pytest.mark.parametrize("name", ["trixie", "bookworm"])
def test_the_shipped_base_locks_are_fresh_quick_to_read_and_complete(name: str) -> None:
    data = (ROOT / f"locks/base.{name}.toml").read_bytes()
    started = time.perf_counter()
    lock = parse_base_lock(data, file=name)
    assert time.perf_counter() - started < 0.5
    base = parse_base((ROOT / f"stacks/bases/{name}.toml").read_bytes(), name=name, file=name)
    assert check_base_lock(base, lock)
    assert dump_base_lock(lock) == data
    for platform in base.platforms:
        packages = {deb.package for deb in lock.debs if platform in deb.platforms}
        assert packages.issuperset(base.roots)
        assert packages.isdisjoint(cut.package for cut in base.cuts)


def test_a_base_lock_names_no_host() -> None:
    for path in sorted((ROOT / "locks").glob("base.*.toml")):
        assert b"://" not in path.read_bytes()
