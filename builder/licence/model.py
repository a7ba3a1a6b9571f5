"""What is known of a package's licence, and from what.

An expression stands only where the package itself says so beyond doubt. Else it is empty, with what was said instead: nothing is
guessed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from builder.digest import Digest

NOASSERTION: Final = "NOASSERTION"
"""SPDX's word for what is not known."""
_SHORT: Final = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class LicenceRef:
    """A licence that SPDX's list does not have, as one file names it."""

    id: str
    """As `LicenseRef-bash-permissive`."""
    name: str
    """As the file writes it."""
    text: str
    """Empty where the file gives none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Licence:
    """The licence of a package."""

    expression: str = ""
    """SPDX, canonical; empty where it is not known."""
    source: str = ""
    """Where the expression stands, as `License-Expression`; also `copyright`, where a file for people only was found."""
    said: str = ""
    """What was said in its place, short."""
    said_digest: Digest | None = None
    """Of all that was said, in full: whoever reads it may conclude, and the conclusion holds for as long as it stays."""
    refs: tuple[LicenceRef, ...] = ()
    """Those that the expression names, by id."""

    @property
    def is_known(self) -> bool:
        """Whether there is an expression."""
        return bool(self.expression)


def shorten(text: str) -> str:
    r"""Take the beginning of what was said, on one line.

    >>> shorten("  Dual\n  License ")
    'Dual License'
    """
    words = " ".join(text.split())
    return words if len(words) <= _SHORT else f"{words[: _SHORT - 3]}..."


def licence_to_dict(licence: Licence) -> dict[str, Any]:
    """Write a licence as JSON values."""
    return {
        "expression": licence.expression,
        "source": licence.source,
        "said": licence.said,
        "said_digest": licence.said_digest.hex if licence.said_digest else "",
        "refs": [[ref.id, ref.name, ref.text] for ref in licence.refs],
    }


def licence_from_dict(value: dict[str, Any]) -> Licence:
    """Read it back; for what was written here."""
    return Licence(
        expression=value["expression"],
        source=value["source"],
        said=value["said"],
        said_digest=Digest(value["said_digest"]) if value["said_digest"] else None,
        refs=tuple(LicenceRef(id=one, name=name, text=text) for one, name, text in value["refs"]),
    )
