"""What a paragraph of a Packages file may say."""

from __future__ import annotations

import pytest

from builder.debian.packages import Relation, Universe, index_packages, parse_candidate
from builder.errors import MirrorError
from tests.support.packages import paragraphs


def test_a_paragraph_is_read_whole() -> None:
    text = paragraphs("a 1:2.0-1 | Source: src (2.0) | Pre-Depends: b | Depends: c:any (>= 1) | d, e")
    candidate = parse_candidate(text, suite="trixie")
    assert (candidate.package, candidate.version, candidate.source) == ("a", "1:2.0-1", "src")
    assert [" | ".join(map(str, clause)) for clause in candidate.depends] == ["b", "c:any (>= 1) | d", "e"]


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("a 1 | Filename: ../../x.deb", "Filename '../../x.deb'"),
        ("a 1 | Filename: pool/../../x.deb", "unsound field: Filename"),
        ("a 1 | Filename: /etc/x.deb", "unsound field: Filename"),
        ("a 1 | Filename: http://other/x.deb", "unsound field: Filename"),
        ("a 1 | Filename: pool/x.deb?y=.deb", "unsound field: Filename"),
        ("a 1 | Filename: pool/.x/x.deb", "unsound field: Filename"),
        ("a 1 | Filename: pool/x.tar", "unsound field: Filename"),
        ("a 1 | Size: -1", "unsound field: Size"),
        ("a 1 | Size: 99999999999", "unsound field: Size"),
        ("a 1 | SHA256: 00", "unsound field: not a sha256"),
        ("a 1_2 | Filename: pool/a.deb", "unsound field: Version"),
        ("a 1 | Depends: b (>> )", "unsound field: relation"),
        ("a 1 | Depends: b [amd64]", "unsound field: relation"),
        ("../a 1", "unsound field: "),
    ],
)
def test_an_unsound_field_is_refused(line: str, reason: str) -> None:
    with pytest.raises(MirrorError) as refused:
        parse_candidate(paragraphs(line), suite="trixie")
    assert reason in str(refused.value)


def test_a_missing_field_is_named() -> None:
    with pytest.raises(MirrorError) as refused:
        parse_candidate("Package: a\nVersion: 1\nFilename: pool/a.deb\nSize: 1\nArchitecture: all\n", suite="trixie")
    assert str(refused.value) == "trixie: a: field SHA256 is missing"


def test_an_unsound_paragraph_that_nobody_asks_for_harms_nobody() -> None:
    index = index_packages(paragraphs("a 1\nb 1 | Filename: ../../x.deb").encode(), suite="trixie")
    universe = Universe([index], architecture="amd64")
    assert universe.candidate("a") is not None
    with pytest.raises(MirrorError):
        universe.candidate("b")


def test_text_that_is_no_packages_file_is_refused() -> None:
    with pytest.raises(MirrorError, match="does not begin with Package"):
        index_packages(b"<html>\n", suite="trixie")


def test_a_text_without_packages_is_an_empty_index() -> None:
    assert not index_packages(b"\n", suite="trixie").paragraphs


@pytest.mark.parametrize(
    ("operator", "version", "admitted"),
    [
        ("<<", "2", True),
        ("<=", "2", True),
        ("=", "1.0", False),
        (">=", "1.0", True),
        (">>", "1.0", True),
        ("", "", True),
    ],
)
def test_relations_compare_versions_as_debian_does(operator: str, version: str, admitted: bool) -> None:  # noqa: FBT001
    assert Relation(package="a", operator=operator, version=version).admits("1.0-1") is admitted
