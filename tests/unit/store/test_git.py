from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from builder.errors import InvalidInputError
from builder.store.git import read_revision


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A project below the top of a working tree, with a file of two commits."""
    project = tmp_path / "deep/project"
    (project / "locks").mkdir(parents=True)
    run = ["git", "-C", str(tmp_path), "-c", "user.name=t", "-c", "user.email=t@example.com"]
    subprocess.run(["git", "init", "-q", str(tmp_path)], check=True)
    for text in ("one\n", "two\n"):
        (project / "locks/a.toml").write_text(text)
        subprocess.run([*run, "add", "-A"], check=True)
        subprocess.run([*run, "commit", "-q", "-m", text], check=True)
    return project


def test_a_file_is_read_as_it_was_committed(folder: Path) -> None:
    assert read_revision(folder, "HEAD", "locks/a.toml") == b"two\n"
    assert read_revision(folder, "HEAD~1", "locks/a.toml") == b"one\n"


def test_a_file_that_a_revision_lacks_is_none(folder: Path) -> None:
    assert read_revision(folder, "HEAD", "locks/b.toml") is None


@pytest.mark.parametrize("revision", ["nope", "--help", "HEAD~9", ""])
def test_what_is_no_revision_is_said(folder: Path, revision: str) -> None:
    with pytest.raises(InvalidInputError, match="is no revision of git here"):
        read_revision(folder, revision, "locks/a.toml")
