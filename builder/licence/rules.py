"""What stacks/licences.toml says: which licences images may hold, what people concluded from texts, and what is excepted."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum, StrEnum
from typing import Any, Final

from builder.canonical import dump_json
from builder.digest import Digest
from builder.licence.expression import weigh

FORMAT: Final = 1
_WITH: Final = " WITH "


class Verdict(IntEnum):
    """What is said of a licence. Of OR the least counts, of AND the greatest."""

    ALLOWED = 0
    REVIEW = 1
    """Allowed once somebody has looked at the project and put an exception on record."""
    UNLISTED = 2
    """In none of the lists."""
    UNKNOWN = 3
    """The package does not say beyond doubt which it has."""
    DENIED = 4

    @property
    def word(self) -> str:
        """As people read it."""
        return self.name.lower()


class Sort(StrEnum):
    """A sort of packages: each may have lists of its own."""

    DEB = "deb"
    DISTRIBUTION = "distribution"


TABLES: Final[Mapping[str, Sort]] = {"debs": Sort.DEB, "distributions": Sort.DISTRIBUTION}
"""Names of the tables that hold for one sort."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Lists:
    """Licences by what is said of them: identifiers, with an exception where it is meant with it, or beginnings as `BSD-*`."""

    verdicts: Mapping[str, Verdict] = field(default_factory=dict)

    def find(self, licence: str) -> Verdict | None:
        """Find what is said of a licence by name, else by the longest beginning; None where nothing is."""
        if licence in self.verdicts:
            return self.verdicts[licence]
        fitting = [key for key in self.verdicts if key.endswith("*") and licence.startswith(key[:-1])]
        return self.verdicts[max(fitting, key=len)] if fitting else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """What an entry speaks of: one distribution, one Debian package, or all packages of a Debian source."""

    key: str
    """`project`, `deb` or `source`."""
    name: str
    """Of an entry, it may end in `*`: then of all whose names begin so."""

    def covers(self, other: Subject) -> bool:
        """Tell whether an entry of this subject speaks of another, which is a package's."""
        if self.name.endswith("*"):
            return self.key == other.key and other.name.startswith(self.name[:-1])
        return self == other

    def __str__(self) -> str:
        return f"{self.key} {self.name}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Conclusion:
    """What a person read: holds for as long as the package says the same, byte for byte."""

    subject: Subject
    statements: Digest
    licence: str
    reason: str
    owner: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Exemption:
    """A package that may have a licence all the same: holds for this very expression, up to a day."""

    subject: Subject
    licence: str
    """Expression; NOASSERTION where it may stay unknown."""
    reason: str
    owner: str
    expires: dt.date
    """Its last day."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LicenceRules:
    """The whole file."""

    common: Lists
    by_sort: Mapping[Sort, Lists]
    """What goes before the common lists, for one sort."""
    conclusions: tuple[Conclusion, ...] = ()
    exemptions: tuple[Exemption, ...] = ()

    @property
    def digest(self) -> Digest:
        """Name the rules: what was judged by others must be judged again."""
        return Digest.of(dump_rules(self))

    def judge(self, expression: str, sort: Sort) -> Verdict:
        """Judge a canonical expression.

        A licence with an exception is what the lists say of both together, else of the licence: an exception only adds to
        what one may do.
        """

        def of_licence(licence: str) -> Verdict:
            for lists in (self.by_sort.get(sort, Lists()), self.common):
                for text in dict.fromkeys((licence, licence.partition(_WITH)[0])):
                    verdict = lists.find(text)
                    if verdict is not None:
                        return verdict
            return Verdict.UNLISTED

        return weigh(expression, of_licence)


def rules_to_dict(rules: LicenceRules) -> dict[str, Any]:
    """Write rules as JSON values."""
    return {
        "format": FORMAT,
        "lists": _lists_to_dict(rules.common),
        "by_sort": {str(sort): _lists_to_dict(lists) for sort, lists in rules.by_sort.items()},
        "conclusions": [
            [str(one.subject), one.statements.hex, one.licence, one.reason, one.owner] for one in rules.conclusions
        ],
        "exceptions": [
            [str(one.subject), one.licence, one.reason, one.owner, one.expires.isoformat()] for one in rules.exemptions
        ],
    }


def dump_rules(rules: LicenceRules) -> bytes:
    """Write rules as the document that a ledger keeps of them: bytes are stable."""
    return dump_json(rules_to_dict(rules))


def _lists_to_dict(lists: Lists) -> dict[str, str]:
    return {licence: verdict.word for licence, verdict in lists.verdicts.items()}
