"""Rules applied: lists by expression, conclusions by what was said, exceptions up to a day."""

import datetime as dt
from typing import Any

import pytest

from builder.digest import Digest
from builder.licence.judge import Judgement, Outcome, Package, judge_packages
from builder.licence.model import Licence
from builder.licence.reader import parse_licence_rules
from builder.licence.rules import Sort, Verdict

TODAY = dt.date(2026, 11, 30)
SAID = Digest.of(b"what it says")
LISTS = """
allow = ["MIT", "BSD-*", "Apache-2.0", "GPL-2.0-only WITH Linux-syscall-note", "BSD-4-Clause-UC"]
review = ["LGPL-*"]
deny = ["GPL-*", "AGPL-*", "BSD-4-Clause*"]
[debs]
allow = ["GPL-*"]
"""


def distribution(expression: str = "MIT", *, name: str = "alpha", said: bool = False, **more: Any) -> Package:
    licence = Licence(expression=expression, said="BSD" if said else "", said_digest=SAID if said else None)
    made = {"sort": Sort.DISTRIBUTION, "name": name, "version": "1.0", "licence": licence, **more}
    return Package(**made)


def deb(expression: str = "MIT", *, name: str = "libalpha", source: str = "alpha", said: bool = False) -> Package:
    return distribution(expression, name=name, said=said, sort=Sort.DEB, source=source)


def judge(*packages: Package, more: str = "", today: dt.date = TODAY) -> Judgement:
    return judge_packages(packages, parse_licence_rules(f"{LISTS}{more}".encode()), today=today)


def conclusion(subject: str, licence: str, said: Digest = SAID) -> str:
    return (
        f'[[concluded]]\n{subject}\nstatements = "{said}"\nlicence = "{licence}"\nreason = "read"\nowner = "team:x"\n'
    )


def exception(subject: str, licence: str, expires: str = "2026-11-30") -> str:
    return (
        f'[[exceptions]]\n{subject}\nlicence = "{licence}"\nreason = "needed"\nowner = "team:x"\nexpires = {expires}\n'
    )


@pytest.mark.parametrize(
    ("expression", "verdict"),
    [
        ("MIT", Verdict.ALLOWED),
        ("BSD-3-Clause", Verdict.ALLOWED),
        ("LGPL-3.0-only", Verdict.REVIEW),
        ("Zlib", Verdict.UNLISTED),
        ("LicenseRef-x", Verdict.UNLISTED),
        ("GPL-3.0-only", Verdict.DENIED),
        ("MIT OR GPL-3.0-only", Verdict.ALLOWED),
        ("MIT AND GPL-3.0-only", Verdict.DENIED),
        ("LGPL-3.0-only OR GPL-3.0-only", Verdict.REVIEW),
        ("(MIT OR GPL-3.0-only) AND Zlib", Verdict.UNLISTED),
        # With an exception: what the lists say of both, else of the licence.
        ("GPL-2.0-only WITH Linux-syscall-note", Verdict.ALLOWED),
        ("GPL-2.0-only WITH Classpath-exception-2.0", Verdict.DENIED),
        ("Apache-2.0 WITH LLVM-exception", Verdict.ALLOWED),
        # A name goes before a beginning, a longer beginning before a shorter one.
        ("BSD-4-Clause", Verdict.DENIED),
        ("BSD-4-Clause-UC", Verdict.ALLOWED),
    ],
)
def test_expressions_are_judged_by_their_meaning(expression: str, verdict: Verdict) -> None:
    (row,) = judge(distribution(expression)).rows
    assert row.verdict is verdict
    assert row.is_good is (verdict is Verdict.ALLOWED)


def test_debian_packages_have_lists_of_their_own_before_the_common_ones() -> None:
    found = judge(deb("GPL-2.0-or-later AND MIT"), deb("AGPL-3.0-only", name="libbeta"))
    assert [row.verdict for row in found.rows] == [Verdict.ALLOWED, Verdict.DENIED]
    assert found.is_good is False


def test_what_is_unknown_is_refused_until_somebody_concludes() -> None:
    unknown = distribution("", said=True)
    (row,) = judge(unknown).rows
    assert (row.expression, row.verdict, row.outcome) == ("NOASSERTION", Verdict.UNKNOWN, Outcome.REFUSED)
    (row,) = judge(unknown, more=conclusion('project = "alpha"', "MIT")).rows
    assert (row.expression, row.verdict, row.outcome) == ("MIT", Verdict.ALLOWED, Outcome.ALLOWED)
    (row,) = judge(unknown, more=conclusion('project = "alpha"', "GPL-3.0-only")).rows
    assert (row.verdict, row.outcome) == (Verdict.DENIED, Outcome.REFUSED)


def test_a_conclusion_holds_only_for_the_very_same_statements_and_is_told_where_it_no_longer_fits() -> None:
    found = judge(distribution("", said=True), more=conclusion('project = "alpha"', "MIT", Digest.of(b"before")))
    assert found.rows[0].outcome is Outcome.REFUSED
    assert [str(entry.subject) for entry in found.unused] == ["project alpha"]
    assert judge(distribution("MIT"), more=conclusion('project = "alpha"', "ISC")).unused == ()


def test_a_conclusion_does_not_overrule_what_is_known() -> None:
    (row,) = judge(distribution("GPL-3.0-only", said=True), more=conclusion('project = "alpha"', "MIT")).rows
    assert (row.expression, row.outcome) == ("GPL-3.0-only", Outcome.REFUSED)


def test_an_exception_holds_to_its_last_day_and_for_its_very_expression() -> None:
    rule = exception('project = "alpha"', "LGPL-3.0-only")
    package = distribution("LGPL-3.0-only")
    found = judge(package, more=rule)
    assert (found.rows[0].outcome, found.until, found.is_good) == (Outcome.EXCEPTED, TODAY, True)
    late = judge(package, more=rule, today=TODAY + dt.timedelta(days=1))
    assert (late.rows[0].outcome, late.until, late.is_good) == (Outcome.EXPIRED, None, False)
    other = judge(distribution("LGPL-2.1-only"), more=rule)
    assert (other.rows[0].outcome, [str(entry.subject) for entry in other.unused]) == (
        Outcome.REFUSED,
        ["project alpha"],
    )


def test_of_several_exceptions_one_that_still_holds_counts() -> None:
    rules = exception('deb = "libalpha"', "LGPL-3.0-only", "2026-01-01") + exception(
        'source = "alpha"', "LGPL-3.0-only", "2027-01-01"
    )
    found = judge_packages(
        [deb("LGPL-3.0-only")], parse_licence_rules(f'review = ["LGPL-*"]\n{rules}'.encode()), today=TODAY
    )
    assert (found.rows[0].outcome, found.until) == (Outcome.EXCEPTED, dt.date(2027, 1, 1))


@pytest.mark.parametrize(
    ("subject", "covered"),
    [
        ('deb = "libalpha"', True),
        ('source = "alpha"', True),
        ('source = "alp*"', True),
        ('deb = "libbeta"', False),
        ('source = "libalpha"', False),
        ('project = "libalpha"', False),
    ],
)
def test_an_entry_speaks_of_a_deb_by_its_name_or_its_source(subject: str, *, covered: bool) -> None:
    assert judge(deb("", said=True), more=exception(subject, "NOASSERTION")).is_good is covered


def test_what_stands_inside_a_distribution_counts_only_where_it_is_denied() -> None:
    found = judge(
        distribution(name="setuptools"),
        distribution("Zlib", name="crate", inside="setuptools"),
        distribution("LGPL-3.0-only", name="autocommand", inside="setuptools"),
        distribution("AGPL-3.0-only", name="hidden", inside="setuptools"),
    )
    assert [(row.package.name, row.outcome) for row in found.rows] == [("hidden", "refused"), ("setuptools", "allowed")]
    excepted = judge(
        distribution("AGPL-3.0-only", name="hidden", inside="setuptools"),
        more=exception('project = "setuptools"', "AGPL-3.0-only"),
    )
    assert excepted.is_good


def test_rows_are_in_order_and_counted() -> None:
    found = judge(deb(), distribution("MIT", name="b"), distribution("GPL-3.0-only", name="a"))
    assert [row.package.name for row in found.rows] == ["libalpha", "a", "b"]
    assert found.counts == {"allowed": 2, "refused": 1}
