"""Closures over hand-written Packages files."""

from __future__ import annotations

import pytest

from builder.debian.closure import Closure, make_closure
from builder.debian.packages import Universe, index_packages
from builder.errors import ResolutionError
from tests.support.packages import paragraphs


def close(text: str, *roots: str, cuts: tuple[str, ...] = (), updates: str = "") -> Closure:
    indexes = [
        index_packages(paragraphs(text).encode(), suite="trixie"),
        index_packages(paragraphs(updates).encode(), suite="trixie-updates"),
    ]
    return make_closure(Universe(indexes, architecture="amd64"), roots=roots, cuts=cuts)


def names(closure: Closure) -> str:
    return " ".join(candidate.package for candidate in closure.candidates)


def test_pre_depends_and_depends_are_followed_and_recommends_are_not() -> None:
    text = "a 1 | Pre-Depends: b | Depends: c (>= 2) | Recommends: d\nb 1\nc 2 | Depends: a\nd 1"
    assert names(close(text, "a")) == "a b c"


def test_the_first_satisfiable_alternative_is_taken() -> None:
    assert names(close("a 1 | Depends: gone | b (>= 2) | c | d\nb 1\nc 1\nd 1", "a")) == "a c"


def test_an_alternative_that_is_already_selected_is_preferred() -> None:
    assert names(close("a 1 | Depends: b | c\nb 1\nc 1", "a", "c")) == "a c"


def test_a_provider_satisfies_a_name_that_no_package_has() -> None:
    assert names(close("a 1 | Depends: mail\nz 1 | Provides: mail\ny 1 | Provides: mail", "a")) == "a y"


def test_a_selected_provider_is_preferred_to_a_package_of_the_name() -> None:
    assert names(close("a 1 | Depends: mail\nz 1 | Provides: mail\nmail 1", "a", "z")) == "a z"


@pytest.mark.parametrize(
    ("provides", "fits"), [("mail", False), ("mail (= 1)", False), ("mail (= 2)", True), ("mail (= 2.1)", True)]
)
def test_a_versioned_need_is_met_by_a_versioned_provides_only(provides: str, fits: bool) -> None:  # noqa: FBT001
    text = f"a 1 | Depends: mail (>= 2)\nz 1 | Provides: {provides}"
    if fits:
        assert names(close(text, "a")) == "a z"
    else:
        with pytest.raises(ResolutionError, match=r"nothing satisfies mail \(>= 2\)"):
            close(text, "a")


@pytest.mark.parametrize(
    ("multi_arch", "qualifier", "fits"),
    [
        ("allowed", "any", True),
        ("foreign", "any", False),
        ("foreign", "native", True),
        ("same", "amd64", True),
        ("same", "arm64", False),
    ],
)
def test_architecture_qualifiers_follow_the_multiarch_rules(
    multi_arch: str,
    qualifier: str,
    fits: bool,  # noqa: FBT001
) -> None:
    text = f"a 1 | Depends: b:{qualifier}\nb 1 | Multi-Arch: {multi_arch}"
    if fits:
        assert names(close(text, "a")) == "a b"
    else:
        with pytest.raises(ResolutionError, match=f"nothing satisfies b:{qualifier}"):
            close(text, "a")


def test_the_newest_version_of_all_suites_wins() -> None:
    closure = close("a 1.10-1", "a", updates="a 1.9-1\na 1.10-1+deb13u1")
    assert [(one.version, one.suite) for one in closure.candidates] == [("1.10-1+deb13u1", "trixie-updates")]


def test_of_equal_versions_the_suite_that_stands_first_wins() -> None:
    assert close("a 1", "a", updates="a 1").candidates[0].suite == "trixie"


def test_a_tilde_sorts_before_nothing() -> None:
    assert close("a 1.0~rc1", "a", updates="a 1.0").candidates[0].version == "1.0"


def test_packages_of_other_architectures_are_not_seen() -> None:
    with pytest.raises(ResolutionError, match="no suite has the root a"):
        close("a 1 | Architecture: arm64", "a")


def test_a_cut_settles_a_need_and_is_noted() -> None:
    closure = close(
        "a 1 | Depends: debconf (>= 0.5) | debconf-2.0\ndebconf 1\ncdebconf 1 | Provides: debconf-2.0",
        "a",
        cuts=("debconf",),
    )
    assert names(closure) == "a"
    assert closure.used_cuts == {"debconf"}


def test_a_provider_that_is_cut_settles_what_it_provides() -> None:
    closure = close("a 1 | Depends: awk\nmawk 1 | Provides: awk\ngawk 1 | Provides: awk", "a", cuts=("mawk",))
    assert names(closure) == "a"
    assert closure.used_cuts == {"mawk"}


def test_a_cut_that_nothing_wants_is_not_noted_as_used() -> None:
    assert close("a 1 | Depends: b\nb 1\nc 1", "a", cuts=("c",)).used_cuts == frozenset()


def test_what_cannot_be_satisfied_is_explained_with_who_wants_it_all_at_once() -> None:
    text = "a 1 | Depends: b\nb 1 | Depends: c (>= 2) | gone\nc 1\nd 1 | Pre-Depends: missing"
    with pytest.raises(ResolutionError) as refused:
        close(text, "a", "d", "nowhere")
    assert refused.value.message.splitlines() == [
        "no suite has the root nowhere",
        "nothing satisfies missing: d is a root, which wants it",
        "nothing satisfies c (>= 2) | gone: b is wanted by a, a root, which wants it",
    ]


@pytest.mark.parametrize("field", ["Conflicts", "Breaks"])
def test_packages_that_exclude_each_other_are_refused(field: str) -> None:
    with pytest.raises(ResolutionError, match=r"a excludes c \(<< 2\), but c is wanted by b, a root"):
        close(f"a 1 | {field}: c (<< 2)\nb 1 | Depends: c\nc 1", "a", "b")
    assert names(close(f"a 1 | {field}: c (<< 2)\nb 1 | Depends: c\nc 2", "a", "b")) == "a b c"


def test_a_package_may_conflict_with_what_it_provides_itself() -> None:
    assert names(close("a 1 | Provides: mail | Conflicts: mail", "a")) == "a"
