"""Layers compared: the first difference is named, file and field."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from builder.entry import Entry, file_entry, symlink_entry
from builder.image.compare import compare_layers
from builder.image.tarball import END_OF_ARCHIVE, iter_tar

FILES = (file_entry("a/b", b"one\n"), file_entry("a/c", b"two\n"), symlink_entry("a/d", "b"))


def _tar(files: Sequence[Entry]) -> list[bytes]:
    return [*iter_tar(files), END_OF_ARCHIVE]


@pytest.mark.parametrize(
    ("found", "text"),
    [
        (FILES[:2], "here: a/d: is missing"),
        ((*FILES, file_entry("a/e", b"")), "here: a/e: is not in what the lock gives"),
        ((replace(FILES[0], mode=0o600), *FILES[1:]), "here: a/b: mode is 0600, the lock gives 0644"),
        ((replace(FILES[0], data=b"on\n"), *FILES[1:]), "here: a/b: size is 3, the lock gives 4"),
        ((replace(FILES[0], uid=1), *FILES[1:]), "here: a/b: owner is 1:0, the lock gives 0:0"),
        ((*FILES[:2], symlink_entry("a/d", "c")), "here: a/d: link is c, the lock gives b"),
        ((*FILES[:2], file_entry("a/d", b"")), "here: a/d: kind is file, the lock gives symlink"),
        ((FILES[1], FILES[0], FILES[2]), "here: a/c: stands at another place in the layer"),
        (FILES, "here: holds the same files in other bytes: another compressor or tar writer"),
    ],
    ids=["missing", "extra", "mode", "size", "owner", "link", "kind", "order", "framing"],
)
def test_the_difference_is_named(found: Sequence[Entry], text: str) -> None:
    assert str(compare_layers(_tar(FILES), _tar(found), where="here")) == text


def test_differing_bytes_are_named_by_both_hashes() -> None:
    other = (replace(FILES[0], data=b"One\n"), *FILES[1:])
    text = str(compare_layers(_tar(FILES), _tar(other), where="here"))
    assert text.startswith("here: a/b: bytes differ: sha256 is ")


def test_what_is_no_tar_is_said() -> None:
    text = str(compare_layers(_tar(FILES), [b"x" * 2048], where="here"))
    assert text.startswith("here: cannot be unpacked: ")
