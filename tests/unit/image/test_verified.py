"""A file counts as hashed while nothing tells that anybody wrote to it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from builder.digest import Digest
from builder.image.verified import VerifiedFiles

DIGEST = Digest.of(b"layer")
FIELDS = {"mode": 0o100444, "ino": 7, "dev": 1, "nlink": 1, "uid": 0, "gid": 0, "size": 5}


def status(*, mtime: int = 10, ctime: int = 20, **changes: int) -> os.stat_result:
    values = {**FIELDS, **changes}
    times = {"st_mtime_ns": mtime, "st_ctime_ns": ctime, "st_atime_ns": 0}
    return os.stat_result((*(values[name] for name in FIELDS), 0, 0, 0), times)


def test_what_was_hashed_holds_while_it_is_as_it_was() -> None:
    files = VerifiedFiles()
    assert not files.holds(DIGEST, status(), status(ctime=21))
    files.note(DIGEST, status(), status(ctime=21))
    assert files.holds(DIGEST, status(ctime=21), status(ctime=22))
    assert not files.holds(Digest.of(b"another"), status(ctime=21), status(ctime=22))


@pytest.mark.parametrize(
    "changes", [{"ctime": 30}, {"mtime": 11}, {"size": 6}, {"ino": 8}, {"dev": 2}], ids=lambda one: next(iter(one))
)
def test_what_changed_before_it_was_linked_does_not_hold(changes: dict[str, int]) -> None:
    files = VerifiedFiles()
    files.note(DIGEST, status(), status(ctime=21))
    before = status(**{"ctime": 21, **changes})
    assert not files.holds(DIGEST, before, before)


@pytest.mark.parametrize(
    "changes", [{"mtime": 11}, {"size": 6}, {"ino": 8}, {"dev": 2}], ids=lambda one: next(iter(one))
)
def test_what_changes_as_it_is_linked_does_not_hold(changes: dict[str, int]) -> None:
    files = VerifiedFiles()
    files.note(DIGEST, status(), status(ctime=21))
    assert not files.holds(DIGEST, status(ctime=21), status(ctime=22, **changes))


def test_what_is_written_to_while_it_is_hashed_is_not_noted() -> None:
    files = VerifiedFiles()
    files.note(DIGEST, status(), status(mtime=11, ctime=21))
    assert not files.holds(DIGEST, status(mtime=11, ctime=21), status(mtime=11, ctime=22))


def test_a_link_changes_no_more_than_the_status(tmp_path: Path) -> None:
    path = tmp_path / "layer"
    path.write_bytes(b"layer")
    before = path.lstat()
    (tmp_path / "link").hardlink_to(path)
    files = VerifiedFiles()
    files.note(DIGEST, before, (tmp_path / "link").lstat())
    assert files.holds(DIGEST, path.lstat(), path.lstat())
