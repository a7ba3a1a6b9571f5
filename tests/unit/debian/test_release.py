"""Reading Release files."""

from __future__ import annotations

import pytest

from builder.debian.release import check_release, parse_release
from builder.errors import MirrorError

SHA = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
TEXT = f"""\
Origin: Debian
Suite: stable-security
Codename: trixie-security
Date: Sat, 21 Nov 2026 00:53:03 UTC
Valid-Until: Sat, 28 Nov 2026 00:53:03 UTC
Acquire-By-Hash: yes
Components: updates/main updates/contrib
MD5Sum:
 d41d8cd98f00b204e9800998ecf8427e        0 main/binary-amd64/Packages
SHA256:
 {SHA}        0 main/binary-amd64/Packages
 {SHA}       20 main/binary-amd64/Packages.xz
"""
DATE = 1795222383


def test_a_release_is_read() -> None:
    release = parse_release(TEXT, where="x")
    assert (release.date, release.valid_until, release.by_hash) == (DATE, DATE + 7 * 86400, True)
    assert {path: file.size for path, file in release.indexes.items()} == {
        "main/binary-amd64/Packages": 0,
        "main/binary-amd64/Packages.xz": 20,
    }


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ("Date: Sat", "Datum: Sat", "has no field date"),
        ("SHA256:", "SHA512:", "has no field sha256"),
        ("Sat, 21 Nov 2026 00:53:03 UTC", "yesterday", "cannot be read"),
        (f" {SHA}        0 main/binary", f" {SHA}        0 ../binary", "cannot be read: index line"),
        (f" {SHA}        0", " 00        0", "cannot be read: index line"),
    ],
)
def test_a_release_that_cannot_be_read_is_refused(old: str, new: str, reason: str) -> None:
    with pytest.raises(MirrorError, match=reason):
        parse_release(TEXT.replace(old, new, 1), where="x")


@pytest.mark.parametrize("suite", ["trixie-security", "stable-security"])
def test_a_release_is_of_its_suite_and_of_its_codename(suite: str) -> None:
    check_release(parse_release(TEXT, where="x"), suite=suite, now=DATE + 10, where="x")


@pytest.mark.parametrize(
    ("suite", "now", "reason"),
    [
        ("trixie", DATE, "not 'trixie'"),
        ("trixie-security", DATE + 8 * 86400, "its Valid-Until passed 24 hours ago"),
        ("trixie-security", DATE - 3601, "its Date lies in the future"),
    ],
)
def test_a_release_of_another_suite_or_time_is_refused(suite: str, now: int, reason: str) -> None:
    with pytest.raises(MirrorError, match=reason):
        check_release(parse_release(TEXT, where="x"), suite=suite, now=now, where="x")
