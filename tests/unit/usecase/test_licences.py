"""Licences of a stack and of builds, held against the project's rules and put on record."""

from __future__ import annotations

import datetime as dt
import json
from pathlib import Path

import pytest

from builder.digest import Digest
from builder.errors import IssuesError, MissingBlobError, StackError
from builder.ledger.events import LicencesJudged
from builder.ledger.queries import event_of
from builder.licence.judge import Judgement
from builder.platform import AMD64
from builder.project import open_project
from builder.sbom.facts import Carried
from builder.sbom.model import Kind
from builder.usecase.licences import (
    judge_licences,
    judgement_to_dict,
    licences_event,
    load_licence_rules,
    packages_of,
)
from builder.usecase.locked_image import open_locked
from builder.wiring.ledgers import open_ledger
from tests.support.bill_project import BillProject, make_bill_project
from tests.support.bills import MIT, facts_for, inventory_of, wheel_facts

TODAY = dt.date(2026, 11, 30)
RULES = """
allow = ["MIT"]
review = ["LGPL-*"]
[[exceptions]]
source = "lib*"
licence = "NOASSERTION"
reason = "made up"
owner = "team:x"
expires = 2026-12-31
[[exceptions]]
deb = "base-files"
licence = "NOASSERTION"
reason = "made up"
owner = "team:x"
expires = 2027-12-31
"""


def make(folder: Path, licences: dict[str, str] | None = None, rules: str = RULES) -> BillProject:
    project = make_bill_project(folder, licences)
    (folder / "stacks/licences.toml").write_text(rules)
    return project


def judge(project: BillProject, name: str = "core", today: dt.date = TODAY) -> Judgement:
    found = open_project(project.folder)
    image = open_locked(name, found, lambda: open_ledger(project.history.path))
    return judge_licences(image, image.all_platforms(), load_licence_rules(found), project.tools(), today=today)


def test_all_packages_of_all_platforms_are_judged_each_once(tmp_path: Path) -> None:
    found = judge(make(tmp_path))
    assert [(row.package.name, str(row.outcome)) for row in found.rows] == [
        ("base-files", "excepted"),
        ("libpython3.13-stdlib", "excepted"),
        ("libtiny", "excepted"),
        ("alpha", "allowed"),
        ("beta", "allowed"),
        ("gamma", "allowed"),
    ]
    assert (found.is_good, found.until) == (True, dt.date(2026, 12, 31))


def test_a_build_on_record_is_judged_by_its_own_lock(tmp_path: Path) -> None:
    project = make(tmp_path)
    (tmp_path / "locks/pylock.core.toml").unlink()
    assert judge(project, project.recorded.digest).counts == {"allowed": 3, "excepted": 3}


def test_a_licence_that_is_not_allowed_makes_it_bad(tmp_path: Path) -> None:
    found = judge(make(tmp_path, {"beta": "LGPL-3.0-only", "gamma": "=BSD"}))
    assert {row.package.name: row.verdict.word for row in found.rows if not row.is_good} == {
        "beta": "review",
        "gamma": "unknown",
    }
    rows = {row["name"]: row for row in judgement_to_dict(found)["packages"]}
    assert rows["gamma"]["statements"] == str(
        next(row.package.licence.said_digest for row in found.rows if row.package.name == "gamma")
    )
    assert (rows["beta"]["statements"], rows["beta"]["from"], rows["gamma"]["says"]) == (
        None,
        "License-Expression",
        "BSD",
    )


def test_what_goes_on_record_holds_until_the_first_exception_ends(tmp_path: Path) -> None:
    project = make(tmp_path)
    found = judge(project)
    event, report = licences_event(found, project.recorded.digest)
    assert event.until == int(dt.datetime(2027, 1, 1, tzinfo=dt.UTC).timestamp())
    assert (event.allowed, event.counts) == (True, {"allowed": 3, "excepted": 3})
    assert event.rules == str(load_licence_rules(open_project(tmp_path)).digest)
    assert event.report == str(Digest.of(report))
    assert json.loads(report)["until"] == "2026-12-31"
    plain, _ = licences_event(judge(make(tmp_path / "other", rules='allow = ["MIT"]')), project.recorded.digest)
    assert (plain.allowed, plain.until) == (False, 0)
    (entry,) = project.history.append(event, documents=(report,))
    with open_ledger(project.history.path) as ledger:
        (known,) = ledger.find("digest", project.recorded.digest, kinds=(LicencesJudged.kind,))
        assert ledger.document(Digest.parse(event_of(known, LicencesJudged).report)) == report
        # The stack is filled in from the build.
        assert event_of(known, LicencesJudged).stack == "core"
        assert known == entry


def test_packages_inside_are_asked_where_their_licence_is_known(tmp_path: Path) -> None:
    project = make_bill_project(tmp_path)
    facts = facts_for(project.world.stack, project.world.base)
    wheel = project.world.stack.candidates[0].wheels[AMD64.name]
    carried = (
        Carried(purl="pkg:pypi/inner@1", path="x", licence=MIT),
        Carried(purl="pkg:cargo/unknown@1", path="x"),
    )
    facts = type(facts)(
        system=facts.system, wheels={**facts.wheels, wheel.sha256: wheel_facts(carried=carried)}, debs=facts.debs
    )
    inventory = inventory_of(project.world, facts)
    assert [item.name for item in inventory.items if item.kind is Kind.CARRIED] == ["inner", "unknown"]
    assert [(one.name, one.inside) for one in packages_of(inventory) if one.inside] == [("inner", "alpha")]


def test_without_rules_or_with_wrong_ones_the_file_is_named(tmp_path: Path) -> None:
    project = make_bill_project(tmp_path)
    with pytest.raises(StackError, match=r"stacks/licences.toml: is not there"):
        judge(project)
    (tmp_path / "stacks/licences.toml").write_text('allow = ["BSD"]')
    with pytest.raises(IssuesError, match=r"stacks/licences.toml: allow\[0\]: 'BSD' is no licence"):
        judge(project)


def test_files_that_the_store_lacks_are_told(tmp_path: Path) -> None:
    project = make(tmp_path)
    project.world.files.path(project.world.stack.candidates[0].wheels[AMD64.name].sha256).unlink()
    with pytest.raises(MissingBlobError, match=r"alpha-1.0-py3-none-any.whl\n  airflow-kubler fetch core, then again"):
        judge(project)
