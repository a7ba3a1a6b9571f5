"""What a wheel's statements come to: known beyond doubt, or not at all."""

from typing import Any

import pytest

from builder.licence.declared import Statements, conclude
from builder.licence.model import Licence
from tests.unit.licence.test_texts import text_of

MIT, BSD, APACHE = text_of("MIT"), text_of("BSD-3-Clause"), text_of("Apache-2.0")
SAYS_MIT = "License :: OSI Approved :: MIT License"
SAYS_BSD = "License :: OSI Approved :: BSD License"
SAYS_APACHE = "License :: OSI Approved :: Apache Software License"


def say(**said: Any) -> Licence:
    return conclude(Statements(**said))


def texts(**files: str) -> tuple[tuple[str, str], ...]:
    return tuple((f"x.dist-info/{name}", text) for name, text in files.items())


@pytest.mark.parametrize(
    ("said", "expression", "source"),
    [
        ({"expression": "mit or Apache-2.0"}, "MIT OR Apache-2.0", "License-Expression"),
        ({"expression": "MIT", "field": "GPL", "classifiers": (SAYS_BSD,)}, "MIT", "License-Expression"),
        ({"field": "MIT License"}, "MIT", "License"),
        ({"field": "MIT", "classifiers": (SAYS_MIT, "Framework :: X")}, "MIT", "License"),
        ({"field": "BSD-2-Clause", "classifiers": (SAYS_BSD,)}, "BSD-2-Clause", "License"),
        ({"field": MIT}, "MIT", "License"),
        ({"field": "MIT OR Apache-2.0", "classifiers": (SAYS_MIT, SAYS_APACHE)}, "MIT OR Apache-2.0", "License"),
        ({"classifiers": (SAYS_MIT, "License :: OSI Approved")}, "MIT", "classifier"),
        ({"field": "UNKNOWN", "classifiers": (SAYS_MIT,)}, "MIT", "classifier"),
        ({"field": "BSD", "texts": texts(LICENSE=BSD)}, "BSD-3-Clause", "x.dist-info/LICENSE"),
        ({"classifiers": (SAYS_BSD,), "texts": texts(LICENSE=BSD)}, "BSD-3-Clause", "x.dist-info/LICENSE"),
        ({"classifiers": (SAYS_APACHE,), "texts": texts(LICENSE=APACHE)}, "Apache-2.0", "x.dist-info/LICENSE"),
        ({"texts": texts(COPYING=MIT, LICENSE=MIT)}, "MIT", "x.dist-info/COPYING"),
        # An older classifier contradicts, and the text says which of the two it is.
        ({"field": "MIT", "classifiers": (SAYS_BSD,), "texts": texts(LICENSE=MIT)}, "MIT", "License"),
    ],
)
def test_what_is_beyond_doubt_is_known_with_its_source(said: dict[str, Any], expression: str, source: str) -> None:
    found = say(**said)
    assert (found.expression, found.source) == (expression, source)
    assert found.is_known
    assert found.said_digest is None


@pytest.mark.parametrize(
    ("said", "short"),
    [
        ({"expression": "MIT and others"}, "MIT and others"),
        ({"field": "BSD"}, "BSD"),
        ({"field": "BSD", "classifiers": (SAYS_BSD,)}, "BSD; BSD License"),
        ({"classifiers": (SAYS_APACHE,)}, "Apache Software License"),
        ({"classifiers": (SAYS_MIT, SAYS_APACHE)}, "MIT License; Apache Software License"),
        ({"field": "MIT", "classifiers": (SAYS_BSD,)}, "MIT; BSD License"),
        ({"field": "MIT", "classifiers": (SAYS_MIT, SAYS_APACHE)}, "MIT; MIT License; Apache Software License"),
        ({"field": "Dual License", "texts": texts(LICENSE=MIT)}, "Dual License; LICENSE"),
        ({"field": "BSD", "texts": texts(LICENSE=MIT)}, "BSD; LICENSE"),
        ({"classifiers": (SAYS_MIT,), "texts": texts(LICENSE=BSD)}, "MIT License; LICENSE"),
        ({"texts": texts(LICENSE=MIT, COPYING=BSD)}, "LICENSE; COPYING"),
        ({"texts": texts(LICENSE=f"{MIT}\nbut not on Sundays")}, "LICENSE"),
        ({"classifiers": ("License :: Public Domain",)}, "Public Domain"),
    ],
)
def test_what_is_in_doubt_is_not_guessed_but_told(said: dict[str, Any], short: str) -> None:
    found = say(**said)
    assert (found.expression, found.said) == ("", short)
    assert found.said_digest is not None


def test_who_says_nothing_has_no_statements_to_conclude_from() -> None:
    assert say(field="UNKNOWN", classifiers=("Framework :: X",)) == Licence()


def test_a_conclusion_is_bound_to_every_byte_that_was_said() -> None:
    one = say(field="BSD", texts=texts(LICENSE="a"))
    assert one.said_digest == say(field="BSD", texts=texts(LICENSE="a"), classifiers=("Framework :: X",)).said_digest
    for other in (
        say(field="BSD ", texts=texts(LICENSE="a")),
        say(field="BSD", texts=texts(LICENSE="b")),
        say(field="BSD", texts=texts(LICENCE="a")),
        say(field="BSD", texts=texts(LICENSE="a"), classifiers=(SAYS_BSD,)),
    ):
        assert other.said_digest not in {None, one.said_digest}


def test_long_statements_are_cut_where_they_are_shown() -> None:
    found = say(field="word " * 5000)
    assert len(found.said) == 100
    assert found.said.endswith("...")
