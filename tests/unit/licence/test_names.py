"""What people write where a licence is asked for."""

import pytest
from packaging.licenses import canonicalize_license_expression

from builder.licence.names import _SPELLINGS, CLASSIFIERS, family_of, parse_names, says_nothing


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("MIT", "MIT"),
        ("MIT License", "MIT"),
        ("The MIT License (MIT)", "MIT"),
        ("Apache License, Version 2.0", "Apache-2.0"),
        ("Apache 2.0", "Apache-2.0"),
        ("Apache Software License 2.0", "Apache-2.0"),
        ("3-Clause BSD License", "BSD-3-Clause"),
        ("BSD 3-Clause OR Apache-2.0", "Apache-2.0 OR BSD-3-Clause"),
        ("MIT -or- Apache License 2.0", "Apache-2.0 OR MIT"),
        ("MIT License and ISC License", "ISC AND MIT"),
        ("MPL-2.0 AND MIT", "MPL-2.0 AND MIT"),
        ("New BSD", "BSD-3-Clause"),
        ("ISC Licence", "ISC"),
    ],
)
def test_what_leaves_no_doubt_is_read(text: str, expected: str) -> None:
    assert parse_names(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "", "BSD", "Apache", "Apache Software License", "GPL", "LGPLv3", "LGPL with exceptions", "Python", "Dual License", "MIT or BSD",
        "public domain, Python, 2-Clause BSD, GPL 3 (see COPYING.txt)", "MIT License\n\nCopyright (c) 2020 X", "MIT " * 100, "Artistic License",
    ],
)  # fmt: skip
def test_what_leaves_a_doubt_is_not(text: str) -> None:
    assert parse_names(text) == ""


def test_every_spelling_and_classifier_stands_for_an_identifier_of_the_list() -> None:
    for identifier in {*_SPELLINGS, *CLASSIFIERS.values()}:
        assert canonicalize_license_expression(identifier) == identifier
    spelled = [name for names in _SPELLINGS.values() for name in names]
    assert len(spelled) == len(set(spelled))
    for identifier, names in _SPELLINGS.items():
        assert {parse_names(name) for name in names} == {identifier}


def test_families_are_of_what_is_in_doubt() -> None:
    assert family_of("BSD License") == ("BSD-", "0BSD")
    assert family_of("Apache Software License") == ("Apache-",)
    assert family_of("something") == ()


def test_a_field_may_say_nothing() -> None:
    assert all(says_nothing(text) for text in ("", "UNKNOWN", " unknown ", "License"))
    assert not says_nothing("Dual License")
