"""What a registry asks for with a 401: the WWW-Authenticate header, read strictly. Pure.

Source: RFC 9110, 11.6.1; the bearer challenge of registries: distribution, "Token Authentication Specification".
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

_WORD: Final = r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+"
_PARAMETER: Final = re.compile(rf'({_WORD})[ \t]*=[ \t]*(?:"((?:[^"\\]|\\.)*)"|({_WORD}))', re.DOTALL)
_SCHEME: Final = re.compile(rf"({_WORD})(?:[ \t]+|(?=[ \t]*(?:,|\Z)))")
_TOKEN68: Final = re.compile(r"[A-Za-z0-9\-._~+/]+=*(?=[ \t]*(?:,|\Z))")
_SEPARATOR: Final = re.compile(r"[ \t]*(?:,[ \t]*)*")
_LONGEST: Final = 16384


@dataclass(frozen=True, slots=True, kw_only=True)
class Challenge:
    """One way in that a server offers."""

    scheme: str
    """In lower case: `bearer`, `basic`."""
    parameters: Mapping[str, str] = field(default_factory=dict)
    """Names in lower case; of a name that stands twice the first."""


def parse_challenges(header: str) -> tuple[Challenge, ...]:
    """Read a WWW-Authenticate header, or several joined by commas; what cannot be read ends it.

    >>> parse_challenges('Bearer realm="https://a/token",service=s')[0].parameters["realm"]
    'https://a/token'
    """
    text = header[:_LONGEST]
    found: list[Challenge] = []
    place = _skip(text, 0)
    while place < len(text) and (scheme := _SCHEME.match(text, place)):
        parameters, place = _parameters(text, scheme.end())
        found.append(Challenge(scheme=scheme[1].lower(), parameters=parameters))
    return tuple(found)


def _parameters(text: str, place: int) -> tuple[dict[str, str], int]:
    parameters: dict[str, str] = {}
    while match := _PARAMETER.match(text, place):
        quoted, bare = match[2], match[3]
        parameters.setdefault(
            match[1].lower(), re.sub(r"\\(.)", r"\1", quoted, flags=re.DOTALL) if bare is None else bare
        )
        place = _skip(text, match.end())
    if not parameters and (token68 := _TOKEN68.match(text, place)):
        place = token68.end()
    return parameters, _skip(text, place)


def _skip(text: str, place: int) -> int:
    match = _SEPARATOR.match(text, place)
    return match.end() if match else place
