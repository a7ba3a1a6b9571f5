"""Licence texts: word for word, and nothing besides."""

from importlib.resources import files

import pytest

from builder.licence.texts import TEMPLATES, match_text

HOLDERS = {"MIT": "", "ISC": "THE AUTHOR", "0BSD": "THE AUTHOR", "Zlib": "the authors"}


def text_of(name: str, holder: str = "THE COPYRIGHT HOLDERS AND CONTRIBUTORS") -> str:
    found = files("builder.licence").joinpath("texts", f"{name}.txt").read_text("utf-8")
    return found.replace("<any>", HOLDERS.get(name, holder)).replace("<and/or>", "and/or")


@pytest.mark.parametrize("name", [*TEMPLATES, "Apache-2.0"])
def test_each_text_is_known_whatever_its_lines_marks_and_holders(name: str) -> None:
    text = text_of(name)
    assert match_text(text) == name
    assert match_text(f"Copyright (c) 2020-2026, Somebody Inc.\nAll rights reserved.\n\n{text}\n") == name
    assert match_text(text.upper()) == name
    assert match_text(text.replace('"', "\u201d").replace("\n", "\r\n")) == name
    assert match_text("\n".join(f"# {line}" for line in text.splitlines())) == name


@pytest.mark.parametrize("title", ["MIT License", "The MIT License (MIT)", "The MIT License", "MIT License:"])
def test_a_title_may_stand_before_it(title: str) -> None:
    assert match_text(f"{title}\n\nCopyright (C) 2012 Somebody\n\n{text_of('MIT')}") == "MIT"


@pytest.mark.parametrize("name", [*TEMPLATES, "Apache-2.0"])
def test_a_sentence_more_or_less_makes_another_licence(name: str) -> None:
    text = text_of(name)
    words = text.split()
    assert match_text(f"{text}\nThe Software shall be used for Good, not Evil.") == ""
    assert match_text(f"You owe us a beer. {text}") == ""
    assert match_text(" ".join(words[: len(words) // 2] + words[len(words) // 2 + 3 :])) == ""


def test_a_sentence_is_no_name_of_a_holder() -> None:
    text = text_of("BSD-3-Clause", "Foo Inc.")
    assert match_text(text) == "BSD-3-Clause"
    assert match_text(text.replace("Foo Inc.", "FOO; commercial use is forbidden: ask", 1)) == ""
    assert match_text(text.replace("Foo Inc.", "x " * 150, 1)) == ""


def test_a_condition_is_no_copyright_line() -> None:
    line = (
        "Copyright notice must be shown on every screen of every product, at all times and in all languages, in a size"
    )
    assert match_text(f"{line}\n{text_of('MIT')}") == ""
    assert match_text(f"Copyright 2020 X. {'You may not sell it. ' * 20}\n{text_of('MIT')}") == ""


def test_apache_may_lack_its_appendix_but_no_term() -> None:
    text = text_of("Apache-2.0")
    terms, end, _ = text.partition("END OF TERMS AND CONDITIONS")
    assert match_text(terms) == match_text(terms + end) == "Apache-2.0"
    assert match_text(terms + end + "\n\nPortions are under the GPL.") == ""
    filled = text.replace("[yyyy] [name of copyright owner]", "2020 Somebody")
    assert match_text(filled) == "Apache-2.0"


def test_what_is_huge_is_not_looked_at() -> None:
    assert match_text("x" * (2 << 20)) == ""
