"""Copyright files of Debian: read where machines can read them, and told where they cannot."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from builder.digest import Digest
from builder.licence.debian import PUBLIC_DOMAIN, parse_copyright
from builder.licence.expression import canonical_expression
from builder.licence.model import Licence, shorten
from tests.unit.licence.test_texts import text_of

HEAD = "Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/\n"


def read(*names: str, more: str = "", source: str = "demo") -> Licence:
    files = "".join(
        f"\nFiles: {'*' if not number else f'{number}/*'}\nCopyright: somebody\nLicense: {name}\n"
        for number, name in enumerate(names)
    )
    return parse_copyright(f"{HEAD}{files}{more}".encode(), source=source)


@pytest.mark.parametrize(
    ("name", "expression"),
    [
        ("Expat", "MIT"),
        ("GPL-2+", "GPL-2.0-or-later"),
        ("GPL-3", "GPL-3.0-only"),
        ("GPL-3.0-or-later", "GPL-3.0-or-later"),
        ("LGPL-2.1+", "LGPL-2.1-or-later"),
        ("GFDL-NIV-1.3+", "GFDL-1.3-no-invariants-or-later"),
        ("Apache-2", "Apache-2.0"),
        ("BSD-3-clause", "BSD-3-Clause"),
        ("zlib", "Zlib"),
        ("Perl", "Artistic-1.0-Perl OR GPL-1.0-or-later"),
        ("public-domain", PUBLIC_DOMAIN),
        ("GPL-2 with Linux-syscall-note exception", "GPL-2.0-only WITH Linux-syscall-note"),
        ("GPL-3.0-or-later-WITH-Autoconf-exception-macro", "GPL-3.0-or-later WITH Autoconf-exception-macro"),
        ("GPL-2+ or Expat", "GPL-2.0-or-later OR MIT"),
        ("GPL-2+ and Expat or ISC", "ISC OR (GPL-2.0-or-later AND MIT)"),
        ("GPL-2+ or Expat, and ISC", "ISC AND (GPL-2.0-or-later OR MIT)"),
        ("GPL", "LicenseRef-demo-GPL"),
        ("MIT", "LicenseRef-demo-MIT"),
        ("permissive", "LicenseRef-demo-permissive"),
        ("GPL-3+ with Bison exception", "LicenseRef-demo-GPL-3-or-later-with-Bison-exception"),
        ("BSD-3-clause and/or GPL-3+", "LicenseRef-demo-BSD-3-clause-and-or-GPL-3-or-later"),
    ],
)
def test_names_are_those_of_the_format_or_the_packages_own(name: str, expression: str) -> None:
    assert read(name).expression == expression


def test_all_paragraphs_hold_together() -> None:
    found = read("GPL-2+", "Expat or GPL-2+", "Expat", "ISC")
    assert found.expression == "GPL-2.0-or-later AND ISC AND MIT AND (GPL-2.0-or-later OR MIT)"
    assert found.source == "copyright"


def test_own_licences_come_with_their_text() -> None:
    own = "\nLicense: permissive\n Do what you like.\n .\n But be kind.\n"
    found = read("permissive", more=own, source="db5.3")
    (ref,) = found.refs
    assert (ref.id, ref.name) == ("LicenseRef-db5.3-permissive", "permissive")
    assert ref.text == "Do what you like.\n\nBut be kind."


def test_a_name_of_several_is_settled_by_its_text() -> None:
    body = "".join(f" {line or '.'}\n" for line in text_of("MIT").splitlines())
    assert read("MIT", more=f"\nLicense: MIT\n{body}").expression == "MIT"
    assert read(f"Anything\n{body.rstrip()}").expression == "MIT"


def test_two_names_do_not_become_one() -> None:
    found = read("my own", "my-own")
    assert found.expression == "LicenseRef-demo-my-own AND LicenseRef-demo-my-own-2"
    assert [ref.name for ref in found.refs] == ["my own", "my-own"]


@pytest.mark.parametrize(
    "text",
    [
        "This package was debianized by somebody.\nIt is under the GPL, see /usr/share/common-licenses/GPL-2.\n",
        "",
        HEAD,
        f"{HEAD}\nFiles: *\nCopyright: somebody\n",
        f"{HEAD}\nFiles: *\nLicense:\n",
        f"{HEAD}nonsense\n",
    ],
    ids=["for-people", "empty", "no-files", "no-licence", "empty-licence", "damaged"],
)
def test_what_machines_cannot_read_is_told_and_not_guessed(text: str) -> None:
    found = parse_copyright(text.encode(), source="demo")
    assert (found.expression, found.source, found.refs) == ("", "copyright", ())
    assert found.said_digest == Digest.of(text.encode())
    assert found.said == shorten(text)


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"]), max_size=30), max_size=4), st.text(max_size=200))
def test_whatever_stands_there_an_expression_comes_out_or_none(names: list[str], more: str) -> None:
    found = read(*(" ".join(name.split()) for name in names), more=more)
    assert not found.expression or canonical_expression(found.expression) == found.expression


@given(st.binary(max_size=400))
def test_no_bytes_end_in_an_error(data: bytes) -> None:
    parse_copyright(data, source="demo")
    parse_copyright(HEAD.encode() + data, source="demo")
