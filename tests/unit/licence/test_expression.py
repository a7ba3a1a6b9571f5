"""Expressions: one spelling, taken apart and weighed."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from builder.licence.expression import all_of, any_of, canonical_expression, is_licence_ref, licences_of, weigh

_ids = st.sampled_from(("MIT", "ISC", "Zlib", "GPL-2.0-only", "LicenseRef-own", "GPL-2.0-only WITH Linux-syscall-note"))
_expressions = st.recursive(
    _ids,
    lambda inner: st.tuples(inner, st.sampled_from(("AND", "OR")), inner).map(lambda found: f"({' '.join(found)})"),
    max_leaves=8,
)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("mit", "MIT"),
        ("apache-2.0 or mit", "Apache-2.0 OR MIT"),
        ("(MIT)", "MIT"),
        ("MIT OR ISC AND Zlib", "MIT OR (ISC AND Zlib)"),
        ("GPL-2.0", "GPL-2.0-only"),
        ("LGPL-3.0+", "LGPL-3.0-or-later"),
        ("gpl-2.0-or-later with classpath-exception-2.0", "GPL-2.0-or-later WITH Classpath-exception-2.0"),
        ("LicenseRef-my-own", "LicenseRef-my-own"),
        ("LicenseRef-AGPL", "LicenseRef-AGPL"),
        ("Apache-2.0+", "Apache-2.0+"),
    ],
)
def test_an_expression_has_one_spelling(text: str, expected: str) -> None:
    assert canonical_expression(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "", "BSD", "gpl", "Apache 2.0", "MIT License", "MIT AND", "MIT MIT", "MIT/ISC", "MIT WITH MIT", "NOASSERTION", "NONE",
        "MIT\u00a0OR ISC", "(" * 60 + "MIT" + ")" * 60, " OR ".join(["MIT"] * 500),
    ],
)  # fmt: skip
def test_what_is_in_doubt_or_endless_is_none(text: str) -> None:
    assert canonical_expression(text) == ""


def test_terms_are_joined_once_each_and_sorted() -> None:
    assert all_of(["MIT", "ISC AND MIT", "Zlib OR ISC"]) == "ISC AND MIT AND (Zlib OR ISC)"
    assert any_of(["MIT", "ISC OR MIT", "Zlib AND ISC"]) == "ISC OR MIT OR (Zlib AND ISC)"
    assert all_of(["MIT"]) == any_of(["MIT"]) == "MIT"


def test_of_or_the_lightest_branch_counts_and_of_and_the_heaviest() -> None:
    weights = {"MIT": 0, "ISC": 1, "Zlib": 2, "GPL-2.0-only WITH Linux-syscall-note": 3}
    assert weigh("MIT OR Zlib", weights.__getitem__) == 0
    assert weigh("MIT AND Zlib", weights.__getitem__) == 2
    assert weigh("Zlib AND (MIT OR ISC)", weights.__getitem__) == 2
    assert weigh("(Zlib AND MIT) OR ISC", weights.__getitem__) == 1
    assert weigh("GPL-2.0-only WITH Linux-syscall-note", weights.__getitem__) == 3


def test_own_names_are_told_from_those_of_the_list() -> None:
    assert is_licence_ref("LicenseRef-bash-permissive")
    assert not is_licence_ref("MIT")
    assert not is_licence_ref("LicenseRef-a b")


@given(_expressions)
def test_the_canonical_form_is_its_own_and_means_the_same(text: str) -> None:
    found = canonical_expression(text)
    assert canonical_expression(found) == found
    assert set(licences_of(found)) <= {"MIT", "ISC", "Zlib", "GPL-2.0-only", "LicenseRef-own",
                                       "GPL-2.0-only WITH Linux-syscall-note"}  # fmt: skip
    for allowed in ({"MIT"}, {"ISC", "Zlib"}, {"LicenseRef-own", "MIT", "GPL-2.0-only WITH Linux-syscall-note"}):
        assert _is_allowed(found, allowed) is _is_allowed_as_python(text, allowed)


def _is_allowed(expression: str, allowed: set[str]) -> bool:
    return weigh(expression, lambda licence: int(licence not in allowed)) == 0


def _is_allowed_as_python(text: str, allowed: set[str]) -> bool:
    """Read the text as Python does, with names that are true where they are allowed."""
    words = text.replace("GPL-2.0-only WITH Linux-syscall-note", "GPLWITH")
    names = {name.replace("GPL-2.0-only WITH Linux-syscall-note", "GPLWITH") for name in allowed}
    for name in ("GPLWITH", "GPL-2.0-only", "LicenseRef-own", "MIT", "ISC", "Zlib"):
        words = words.replace(name, str(name in names))
    return bool(eval(words.replace("AND", "and").replace("OR", "or")))  # noqa: S307  of words made above
