from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from builder.cli.root import root
from builder.store.files import DirectoryFileStore


@pytest.fixture
def cache(tmp_path: Path) -> DirectoryFileStore:
    return DirectoryFileStore(tmp_path / "cache")


def run(cache: DirectoryFileStore, *arguments: str) -> Result:
    (cache.root.parent / "stacks").mkdir(exist_ok=True)
    line = ["--project", str(cache.root.parent), "store", *arguments]
    return CliRunner().invoke(root, line, env={"AIRFLOW_KUBLER_CACHE": str(cache.root)})


def test_path_is_printed(cache: DirectoryFileStore) -> None:
    assert run(cache, "path").stdout == f"{cache.root}\n"


def test_content_is_counted_by_kind(cache: DirectoryFileStore) -> None:
    cache.add(b"x" * 1500)
    assert run(cache, "ls").stdout.splitlines() == ["kind  count    size", "file      1  1.5 kB"]
    assert json.loads(run(cache, "ls", "--json").stdout) == [{"kind": "file", "count": 1, "size_bytes": 1500}]


def test_bad_file_makes_verify_answer_no(cache: DirectoryFileStore) -> None:
    digest = cache.add(b"good")
    assert run(cache, "verify").exit_code == 0
    cache.path(digest).chmod(0o644)
    cache.path(digest).write_bytes(b"evil")
    result = run(cache, "verify", "--json")
    assert result.exit_code == 1
    assert json.loads(result.stdout)["bad"][0]["name"] == digest.hex
    assert not cache.has(digest)


def test_gc_removes_only_when_told_to(cache: DirectoryFileStore) -> None:
    (cache.root / "tmp").mkdir(parents=True)
    digest = cache.add(b"just now")
    result = run(cache, "gc", "--unnamed")
    assert result.stdout == "0 of 1 items, 0 B, would be removed; add --yes to remove them\n"
    result = run(cache, "gc", "--yes", "--json")
    assert json.loads(result.stdout) == {"removed": True, "count": 0, "size_bytes": 0, "names": []}
    assert cache.has(digest)
