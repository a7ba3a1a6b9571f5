"""Modes of files in images."""

from __future__ import annotations

import pytest

from builder.entry import EntryKind
from builder.image.base_tree import Node
from builder.testing.model import Status
from builder.testing.modes import judge_modes


def node(mode: int, uid: int = 0, gid: int = 0, kind: EntryKind = EntryKind.FILE) -> Node:
    return Node(kind=kind, mode=mode, uid=uid, gid=gid, size=0, target="", layer=0, member="")


FOLDER = EntryKind.DIRECTORY
GOOD = {
    "usr/bin/x": node(0o755),
    "usr/bin/y": node(0o775, gid=7),
    "opt/airflow/logs": node(0o775, 50000, kind=FOLDER),
    "tmp": node(0o1777, kind=FOLDER),
    "etc/passwd": node(0o664),
    "lib": node(0o777, kind=EntryKind.SYMLINK),
}


def test_the_contract_is_no_surprise() -> None:
    case = judge_modes(GOOD, (), 1.5)
    assert (case.status, case.seconds, case.reason) == (Status.PASSED, 1.5, "")


@pytest.mark.parametrize(
    ("path", "found", "told"),
    [
        ("usr/bin/su", node(0o4755), "/usr/bin/su is setuid (mode 4755, owner 0:0)"),
        ("a", node(0o6755, gid=42), "/a is setuid and setgid (mode 6755, owner 0:42)"),
        ("opt/airflow/logs", node(0o2775, 50000, kind=FOLDER), "/opt/airflow/logs is setgid"),
        ("a", node(0o666, 1, 1), "/a is writable for the image's user (mode 0666, owner 1:1)"),
        ("a", node(0o664), "/a is writable"),
        ("a", node(0o444, 50000), "/a is writable"),
        ("a", node(0o777, kind=FOLDER), "/a is writable"),
    ],
)
def test_surprises_are_told_unless_allowed(path: str, found: Node, told: str) -> None:
    case = judge_modes({**GOOD, path: found}, (), 0)
    assert case.status is Status.FAILED
    assert case.reason.startswith(told)
    assert judge_modes({**GOOD, path: found}, (path,), 0).status is Status.PASSED


def test_of_many_surprises_the_first_are_told_and_the_rest_counted() -> None:
    case = judge_modes({f"f{number}": node(0o4755) for number in range(9)}, (), 0)
    assert len(case.reason.splitlines()) == 5
    assert case.reason.endswith("and 5 more")
