"""SPDX licence expressions: written in one way, taken apart, joined.

`packaging` decides what is an expression (PEP 639), `license-expression` what it means.

Source: SPDX 2.3, annex D; PEP 639.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from functools import cache
from typing import Any, Final, Protocol, TypeVar

_LONGEST: Final = 2000
"""Characters. Of a longer one nobody could say what it means."""
_DEEPEST: Final = 40
"""Parentheses within parentheses."""
_TOKEN: Final = re.compile(r"[()]|[^\s()]+")
_GNU: Final = re.compile(r"((?:GPL|LGPL|AGPL|GFDL)-\d\.\d)(\+?)\Z")
"""Identifiers that SPDX gave up: they did not say whether later versions will do."""
_REF: Final = re.compile(r"LicenseRef-[A-Za-z0-9.-]+\Z")


class Ordered(Protocol):
    """What can be compared."""

    def __lt__(self, other: Any, /) -> bool: ...


_V = TypeVar("_V", bound=Ordered)


def canonical_expression(text: str) -> str:
    """Write an expression in its one spelling; empty where it is none.

    >>> canonical_expression("mit or (apache-2.0 and GPL-2.0+)")
    'MIT OR (Apache-2.0 AND GPL-2.0-or-later)'
    """
    from packaging.licenses import InvalidLicenseExpression, canonicalize_license_expression

    if not text or len(text) > _LONGEST or text.count("(") > _DEEPEST or not text.isascii():
        return ""
    try:
        found = canonicalize_license_expression(text)
    except InvalidLicenseExpression:
        return ""
    words = (_without_gnu_ambiguity(word) for word in _TOKEN.findall(found))
    return str(_parse(" ".join(words)))


def is_licence_ref(text: str) -> bool:
    """Tell whether a text is a name of a licence of one's own."""
    return bool(_REF.match(text))


def all_of(expressions: Iterable[str]) -> str:
    """Join expressions by AND: each term once, sorted.

    >>> all_of(["MIT OR ISC", "Zlib", "MIT AND Zlib"])
    'MIT AND Zlib AND (MIT OR ISC)'
    """
    return _join(expressions, "AND")


def any_of(expressions: Iterable[str]) -> str:
    """Join expressions by OR, as `all_of`."""
    return _join(expressions, "OR")


def licences_of(expression: str) -> tuple[str, ...]:
    """List the licences that a canonical expression names, each with its exception, sorted.

    >>> licences_of("GPL-2.0-only WITH Linux-syscall-note OR MIT")
    ('GPL-2.0-only WITH Linux-syscall-note', 'MIT')
    """
    return tuple(sorted(set(_iter_terms(_parse(expression)))))


def weigh(expression: str, weight: Callable[[str], _V]) -> _V:
    """Weigh a canonical expression: of OR the lightest branch counts, since one may choose; of AND the heaviest.

    Args:
        expression: canonical.
        weight: of a licence, with its exception where it has one.
    """

    def visit(node: Any) -> _V:
        licensing = _licensing()
        if isinstance(node, licensing.OR):
            return min(map(visit, node.args))
        if isinstance(node, licensing.AND):
            return max(map(visit, node.args))
        return weight(str(node))

    return visit(_parse(expression))


def _join(expressions: Iterable[str], operator: str) -> str:
    licensing = _licensing()
    kind = getattr(licensing, operator)
    parts: set[str] = set()
    for expression in expressions:
        node = _parse(expression)
        parts.update(map(str, node.args) if isinstance(node, kind) else (str(node),))
    both = len(parts) > 1
    return f" {operator} ".join(
        f"({part})" if both and _is_compound(part) else part for part in sorted(parts, key=_key)
    )


def _key(part: str) -> tuple[bool, str]:
    return _is_compound(part), part


def _is_compound(part: str) -> bool:
    return " AND " in part or " OR " in part


def _iter_terms(node: Any) -> Iterator[str]:
    licensing = _licensing()
    if isinstance(node, licensing.OR | licensing.AND):
        for child in node.args:
            yield from _iter_terms(child)
    else:
        yield str(node)


@cache
def _parse(expression: str) -> Any:
    return parse_canonical(expression)


def parse_canonical(expression: str) -> Any:
    """Take a canonical expression apart, as a value of `license-expression`: for libraries that want one."""
    return _licensing().parse(expression)


@cache
def _licensing() -> Any:
    # Without its table of names: it takes many for what they need not mean, as `gpl`.
    from license_expression import Licensing  # type: ignore[import-untyped]

    return Licensing()


def _without_gnu_ambiguity(word: str) -> str:
    match = _GNU.match(word)
    return f"{match[1]}-{'or-later' if match[2] else 'only'}" if match else word
