"""Hold what is in an image against the rules of licences. Pure: the day is given.

- Each Debian package and each distribution must come out allowed, or be excepted; what is unknown or in no list is not.
- What stands inside a distribution is covered by what that says of itself, unless it is denied by name.
- An exception whose last day is over holds no more, and is said.
"""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from builder.digest import Digest
from builder.licence.model import NOASSERTION, Licence
from builder.licence.rules import Conclusion, Exemption, LicenceRules, Sort, Subject, Verdict


class Outcome(StrEnum):
    """What comes of a package."""

    ALLOWED = "allowed"
    EXCEPTED = "excepted"
    EXPIRED = "expired"
    """There is an exception, and its last day is over."""
    REFUSED = "refused"


@dataclass(frozen=True, slots=True, kw_only=True)
class Package:
    """What is judged."""

    sort: Sort
    name: str
    version: str
    licence: Licence
    source: str = ""
    """Of a Debian package: its source's name."""
    inside: str = ""
    """Of what stands inside a distribution: which, as `setuptools`."""

    @property
    def subjects(self) -> tuple[Subject, ...]:
        """List what an entry may call it, the nearest first."""
        if self.inside:
            return (Subject(key="project", name=self.inside),)
        if self.sort is Sort.DEB:
            return (Subject(key="deb", name=self.name), Subject(key="source", name=self.source))
        return (Subject(key="project", name=self.name),)


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """A package, judged."""

    package: Package
    expression: str
    """What was judged: its own, or what was concluded; NOASSERTION where there is neither."""
    verdict: Verdict
    outcome: Outcome
    conclusion: Conclusion | None = None
    exemption: Exemption | None = None

    @property
    def is_good(self) -> bool:
        """Whether nothing speaks against it."""
        return self.outcome in {Outcome.ALLOWED, Outcome.EXCEPTED}


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """All packages of an image, judged."""

    rules: Digest
    rows: tuple[Judged, ...]
    """By sort, name and version."""
    unused: tuple[Conclusion | Exemption, ...]
    """Entries of the file that speak of a package which is refused, yet do not fit it: it says something else by now."""

    @property
    def is_good(self) -> bool:
        """Whether the image may be had."""
        return all(row.is_good for row in self.rows)

    @property
    def until(self) -> dt.date | None:
        """The last day on which it holds; None where no exception is leant on."""
        return min((row.exemption.expires for row in self.rows if row.is_good and row.exemption), default=None)

    @property
    def counts(self) -> Mapping[str, int]:
        """Packages by outcome."""
        return dict(sorted(Counter(str(row.outcome) for row in self.rows).items()))


def judge_packages(packages: Iterable[Package], rules: LicenceRules, *, today: dt.date) -> Judgement:
    """Judge packages."""
    found = [_judge(package, rules, today) for package in packages]
    rows = [row for row in found if not row.package.inside or row.verdict is Verdict.DENIED]
    used = {id(entry) for row in rows for entry in (row.conclusion, row.exemption) if entry is not None}
    failing = {subject for row in rows if not row.is_good for subject in row.package.subjects}
    entries: Sequence[Conclusion | Exemption] = (*rules.conclusions, *rules.exemptions)
    return Judgement(
        rules=rules.digest,
        rows=tuple(sorted(rows, key=lambda row: (row.package.sort, row.package.name, row.package.version))),
        unused=tuple(entry for entry in entries if id(entry) not in used and any(map(entry.subject.covers, failing))),
    )


def _judge(package: Package, rules: LicenceRules, today: dt.date) -> Judged:
    licence = package.licence
    conclusion = None if licence.is_known else _find_conclusion(package, rules)
    expression = licence.expression or (conclusion.licence if conclusion else "")
    verdict = rules.judge(expression, package.sort) if expression else Verdict.UNKNOWN
    shown = expression or NOASSERTION
    exemption = _find_exemption(package, shown, rules, today) if verdict is not Verdict.ALLOWED else None
    if verdict is Verdict.ALLOWED:
        outcome = Outcome.ALLOWED
    elif exemption is None:
        outcome = Outcome.REFUSED
    else:
        outcome = Outcome.EXPIRED if exemption.expires < today else Outcome.EXCEPTED
    return Judged(
        package=package,
        expression=shown,
        verdict=verdict,
        outcome=outcome,
        conclusion=conclusion,
        exemption=exemption,
    )


def _find_conclusion(package: Package, rules: LicenceRules) -> Conclusion | None:
    fitting = (
        one
        for subject in package.subjects
        for one in rules.conclusions
        if one.subject.covers(subject) and one.statements == package.licence.said_digest
    )
    return next(fitting, None)


def _find_exemption(package: Package, expression: str, rules: LicenceRules, today: dt.date) -> Exemption | None:
    """Find an exception for this very expression; one that still holds before one that does not."""
    fitting = [
        one
        for subject in package.subjects
        for one in rules.exemptions
        if one.subject.covers(subject) and one.licence == expression
    ]
    return next((one for one in fitting if one.expires >= today), fitting[0] if fitting else None)
