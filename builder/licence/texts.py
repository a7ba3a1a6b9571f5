"""Licence texts that are known word for word.

A text is taken for a licence only where, line breaks, case, marks of lists, quotes and copyright lines aside, it is that licence
and nothing besides: the guidelines of SPDX, of which the strict ones are kept. Who holds the rights may differ where the licence
leaves room for it. A text that adds a sentence is another licence.

Source: SPDX licence list matching guidelines; texts of the SPDX licence list.
"""

from __future__ import annotations

import re
from functools import cache
from importlib.resources import files
from typing import Final

_LONGEST: Final = 1 << 20
_COPYRIGHT: Final = re.compile(
    r"^\W{0,8}(?:portions )?(?:copyright\b(?! (?:notice|holder|owner|law))|\(c\)|©|all rights reserved).{0,160}$",
    re.IGNORECASE | re.MULTILINE,
)
"""A line that says who holds the rights; one that a sentence runs on in is none."""
_BULLET: Final = re.compile(r"^\s*(?:[-*•+]|\(?(?:[0-9]{1,2}|[a-z]|[ivx]{1,4})[.)])\s+", re.IGNORECASE | re.MULTILINE)
_DECORATION: Final = re.compile(r"^[\s=*#~_-]+$|^\s*(?:#|//|\*)(?=\s|$)", re.MULTILINE)
_MARKS: Final = str.maketrans(
    {
        **dict.fromkeys('"`\u00b4\u2018\u2019\u201c\u201d', "'"),
        **dict.fromkeys("\u2010\u2011\u2013\u2014", "-"),
        "{": "[",
        "}": "]",
    }
)
"""Quotes, dashes and braces in one form."""
_APACHE_END: Final = "end of terms and conditions"
_HOLE: Final = "<any>"
_ANY: Final = r"(?:[^.:;]|\b(?:inc|ltd|llc|co|corp|[a-z])\.){1,200}?"
"""A name of who holds the rights, not a sentence."""

TEMPLATES: Final = ("0BSD", "BSD-2-Clause", "BSD-3-Clause", "ISC", "MIT", "Zlib")
"""Each a file of texts/: `<any>` where the licence leaves room for a name, `<and/or>` where it is written in two ways."""
_TITLES: Final = re.compile(
    r"(?:the )?(?:mit|isc|zlib|bsd|(?:new|modified|revised|simplified) bsd|bsd [23]-clause|[23]-clause bsd|bsd zero clause|"
    r"zlib/libpng|psf|python software foundation)"
    r"(?: (?:'new' or 'revised'|'simplified'))? license(?: \((?:mit|isc|bsd|iscl|bsd-[23]-clause|expat)\))?(?: version 2)?:? "
)


def match_text(text: str) -> str:
    """Find the licence that a text is; empty where it is none that is known word for word."""
    if len(text) > _LONGEST:
        return ""
    plain = normalise(text)
    if _is_apache(plain):
        return "Apache-2.0"
    plain = _TITLES.sub("", plain, count=1) if _TITLES.match(plain) else plain
    return next((name for name in TEMPLATES if _pattern(name).fullmatch(plain)), "")


def normalise(text: str) -> str:
    """Take out of a text what makes no other licence of it."""
    plain = text.replace("\r\n", "\n").translate(_MARKS)
    for noise in (_COPYRIGHT, _DECORATION, _BULLET):
        plain = noise.sub("", plain)
    plain = plain.lower().replace("licence", "license").replace("''", "'").replace("http://", "https://")
    return " ".join(plain.split())


def _is_apache(plain: str) -> bool:
    """Compare with the terms of Apache-2.0; what follows them tells how to apply it, and need not be there."""
    ours = _text("Apache-2.0")
    terms = ours[: ours.index(_APACHE_END)].strip()
    appendix = ours[ours.index(_APACHE_END) :]
    rest = plain.removeprefix(terms).strip()
    return plain.startswith(terms) and (not rest or rest == _APACHE_END or bool(_like(appendix).fullmatch(rest)))


@cache
def _text(name: str) -> str:
    return normalise(files("builder.licence").joinpath("texts", f"{name}.txt").read_text("utf-8"))


@cache
def _pattern(name: str) -> re.Pattern[str]:
    return _like(_text(name))


@cache
def _like(text: str) -> re.Pattern[str]:
    return re.compile(re.escape(text).replace(re.escape(_HOLE), _ANY).replace(re.escape("<and/or>"), "and(?:/or)?"))
