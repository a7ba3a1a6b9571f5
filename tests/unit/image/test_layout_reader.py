"""Reading a layout of somebody else's: nothing in it makes us wait or read without end."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from builder.errors import IntegrityError, MissingBlobError
from builder.image.layout_reader import FolderLayout


def test_what_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(MissingBlobError, match=r"index\.json: the layout does not hold it"):
        FolderLayout(tmp_path).read("index.json")


def test_a_fifo_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "index.json")
    with pytest.raises(IntegrityError, match="is no plain file"):
        FolderLayout(tmp_path).read("index.json")


@pytest.mark.parametrize("target", ["/dev/zero", "/dev"])
def test_a_link_to_what_is_no_file_is_refused(tmp_path: Path, target: str) -> None:
    (tmp_path / "index.json").symlink_to(target)
    with pytest.raises(IntegrityError, match="is no plain file"):
        FolderLayout(tmp_path).read("index.json")


def test_a_document_without_end_is_not_read(tmp_path: Path) -> None:
    with (tmp_path / "index.json").open("wb") as stream:
        stream.truncate(1 << 40)
    with pytest.raises(IntegrityError, match="is longer than"):
        FolderLayout(tmp_path).read("index.json")
