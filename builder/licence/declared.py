"""What the statements of a wheel come to.

In this order, and only where nothing contradicts: `License-Expression`; `License`, where it leaves no doubt; a classifier that
leaves none; licence files, where all that are there are one and the same licence word for word. What is in doubt, as `BSD`, is
settled by such files or not at all.

Source: core metadata specification; PEP 639.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from builder.canonical import dump_json
from builder.digest import Digest
from builder.licence.expression import canonical_expression, licences_of
from builder.licence.model import Licence, shorten
from builder.licence.names import CLASSIFIERS, FAMILIES, family_of, parse_names, says_nothing
from builder.licence.texts import match_text

_CLASSIFIER: Final = "License :: "
_SILENT: Final = frozenset({"OSI Approved", "DFSG approved"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Statements:
    """What a wheel says of its licence."""

    expression: str = ""
    """`License-Expression`."""
    field: str = ""
    """`License`: a name, a text, or anything."""
    classifiers: tuple[str, ...] = ()
    """All of them."""
    texts: tuple[tuple[str, str], ...] = ()
    """Path and content of each licence file of the wheel itself, by path."""


def conclude(statements: Statements) -> Licence:
    """Find the licence that the statements leave no doubt of."""
    if statements.expression:
        found, source = canonical_expression(statements.expression), "License-Expression"
    else:
        found, source = _from_older(statements)
    if found:
        return Licence(expression=found, source=source)
    said = _said(statements)
    return Licence(said=shorten(said), said_digest=_digest(statements) if said else None)


def licence_classifiers(statements: Statements) -> tuple[str, ...]:
    """List what classifiers say of the licence, without what stands before it.

    >>> licence_classifiers(Statements(classifiers=("License :: OSI Approved :: MIT License",)))
    ('MIT License',)
    """
    tails = (text.rpartition(" :: ")[2] for text in statements.classifiers if text.startswith(_CLASSIFIER))
    return tuple(tail for tail in tails if tail not in _SILENT)


def _from_older(statements: Statements) -> tuple[str, str]:
    """Read the statements that came before License-Expression; what is said, and where."""
    field = statements.field
    text, path = _one_text(statements)
    if found := parse_names(field) or match_text(field):
        agreed = text == found or all(_may_mean(tail, found) for tail in licence_classifiers(statements))
        return (found, "License") if agreed else ("", "")
    if not says_nothing(field):
        families = family_of(field)
        settled = bool(text) and text.startswith(families) if families else False
        return (text, path) if settled else ("", "")
    tails = licence_classifiers(statements)
    if not tails:
        return text, path
    if text:
        return (text, path) if all(_may_mean(tail, text) for tail in tails) else ("", "")
    if len(tails) == 1 and tails[0] in CLASSIFIERS:
        return CLASSIFIERS[tails[0]], "classifier"
    return "", ""


def _one_text(statements: Statements) -> tuple[str, str]:
    """Find the one licence that all licence files are, word for word, and the first of them."""
    found = {match_text(text) for _, text in statements.texts}
    return (found.pop(), statements.texts[0][0]) if len(found) == 1 and "" not in found else ("", "")


def _may_mean(tail: str, expression: str) -> bool:
    """Tell whether a classifier fits an expression: one of its licences is what the classifier stands for."""
    wanted = FAMILIES.get(tail) or ((CLASSIFIERS[tail],) if tail in CLASSIFIERS else ())
    return bool(wanted) and any(licence.startswith(wanted) for licence in licences_of(expression))


def _said(statements: Statements) -> str:
    return "; ".join(dict.fromkeys(_iter_said(statements)))


def _iter_said(statements: Statements) -> Iterator[str]:
    if statements.expression:
        yield statements.expression
    if not says_nothing(statements.field):
        yield statements.field
    yield from licence_classifiers(statements)
    yield from (path.rpartition("/")[2] for path, _ in statements.texts)


def _digest(statements: Statements) -> Digest:
    texts = [[path, Digest.of(text.encode()).hex] for path, text in statements.texts]
    tails = list(licence_classifiers(statements))
    return Digest.of(dump_json([statements.expression, statements.field, tails, texts]))
