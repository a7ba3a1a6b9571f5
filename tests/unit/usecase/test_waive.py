"""Waivers as files of a project: written, read, refused."""

from __future__ import annotations

import datetime as dt
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from builder.errors import BuilderError, InvalidInputError, IssuesError, StackError
from builder.finding.model import Belonging, Part
from builder.policy.reader import parse_channels
from builder.project import open_project
from builder.usecase.waive import Wish, write_waiver
from builder.usecase.waivers import days_left, load_given, load_rollback_given, load_stack_waivers, load_waivers
from tests.support.findings import DAY, NOW, TODAY, finding, findings, waiver
from tests.support.scan_world import ScanProject, make_scan_project

WISH = Wish(
    stack="tiny",
    id="CVE-2026-1",
    status="not_affected",
    justification="vulnerable_code_not_in_execute_path",
    statement="",
    reason="we call none of it",
    owner="team:tiny",
    expires=TODAY + 7 * DAY,
)
LAST = findings(finding(), finding(name="urllib3", version="1.24"), finding("GHSA-9", aliases=("CVE-2026-9",)))


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> ScanProject:
    return make_scan_project(tmp_path_factory.mktemp("project"))


@pytest.fixture
def project(made: ScanProject, tmp_path: Path) -> ScanProject:
    """The same, with files of its own."""
    shutil.copytree(made.project.stacks_folder, tmp_path / "stacks")
    child = tmp_path / "stacks/child"
    child.mkdir()
    (child / "stack.toml").write_text('description = "x"\nextends = "tiny"\n')
    return replace(made, project=open_project(tmp_path))


def test_a_waiver_is_written_for_all_that_has_the_finding(project: ScanProject) -> None:
    written = write_waiver(project.project, WISH, LAST, NOW)
    assert written.path == project.project.root / "stacks/tiny/vex/cve-2026-1.openvex.json"
    (read,) = load_waivers(project.project)
    assert read == written.waiver
    assert read.products == ("pkg:pypi/requests@2.19.0", "pkg:pypi/urllib3@1.24")
    assert (read.owner, read.expires, read.issued) == ("team:tiny", WISH.expires, "2026-11-18T12:06:40Z")
    before = written.path.read_bytes()
    with pytest.raises(IssuesError, match="is there already"):
        write_waiver(project.project, WISH, LAST, NOW)
    assert written.path.read_bytes() == before


def test_a_waiver_may_be_asked_for_by_another_name_and_for_named_packages(project: ScanProject) -> None:
    other = write_waiver(project.project, replace(WISH, id="CVE-2026-9"), LAST, NOW)
    assert other.waiver.aliases == ("GHSA-9",)
    named = replace(WISH, id="CVE-2026-8", products=("pkg:pypi/Flask",), for_all=True)
    written = write_waiver(project.project, named, None, NOW)
    assert written.path == project.project.root / "stacks/vex/cve-2026-8.openvex.json"
    assert written.waiver.products == ("pkg:pypi/flask",)


def test_it_is_told_where_a_waiver_would_hold_for_more(project: ScanProject) -> None:
    shared = finding(belongs=Belonging(part=Part.SHARED, layer="core-01", stack="core"))
    assert write_waiver(project.project, WISH, findings(shared), NOW).elsewhere == ("core",)


@pytest.mark.parametrize(
    ("wish", "told"),
    [
        (replace(WISH, stack="other"), "no stack 'other'"),
        (replace(WISH, id="CVE-2026-7"), "the last scan on record has no CVE-2026-7"),
        (replace(WISH, expires=TODAY - DAY), "has passed"),
        (replace(WISH, justification=""), "not_affected needs a justification or an impact_statement"),
        (replace(WISH, status="affected", justification=""), "affected needs an action_statement"),
        (replace(WISH, reason=" "), "gives no reason"),
        (replace(WISH, products=("requests",)), "'requests' is no package URL"),
        (replace(WISH, id="../../x", products=("pkg:pypi/x",)), "'../../x' names no weakness"),
    ],
)
def test_what_says_too_little_is_not_written(project: ScanProject, wish: Wish, told: str) -> None:
    with pytest.raises(BuilderError) as caught:
        write_waiver(project.project, wish, LAST, NOW)
    assert told in str(caught.value)
    assert load_waivers(project.project) == ()


def test_without_a_scan_on_record_packages_have_to_be_named(project: ScanProject) -> None:
    with pytest.raises(InvalidInputError, match="no scan of the stack is on record"):
        write_waiver(project.project, WISH, None, NOW)


def test_a_child_has_its_parents_waivers_and_a_parent_not_its_childs(project: ScanProject) -> None:
    write_waiver(project.project, WISH, LAST, NOW)
    write_waiver(project.project, replace(WISH, stack="child", id="CVE-2026-9"), LAST, NOW)
    write_waiver(project.project, replace(WISH, id="CVE-2026-8", products=("pkg:pypi/x",), for_all=True), None, NOW)
    for stack, names in {"child": {1, 8, 9}, "tiny": {1, 8}}.items():
        assert {one.id for one in load_stack_waivers(project.project, stack)} == {f"CVE-2026-{one}" for one in names}


def test_all_that_is_wrong_in_all_files_is_told(project: ScanProject) -> None:
    folder = project.project.root / "stacks/tiny/vex"
    folder.mkdir()
    (folder / "a.json").write_text("{}")
    (folder / "b.json").write_text("[]")
    (folder / "c.json").symlink_to("/etc/passwd")
    (folder / "notes.txt").write_text("no waiver")
    with pytest.raises(IssuesError) as caught:
        load_waivers(project.project)
    assert [
        f"stacks/tiny/vex/{name}.json" in str(issue) for name, issue in zip("abc", caught.value.issues, strict=True)
    ]


def test_a_broken_file_of_another_stack_and_a_parent_that_is_gone_hold_nobody_up(project: ScanProject) -> None:
    write_waiver(project.project, replace(WISH, stack="child"), LAST, NOW)
    broken = project.project.root / "stacks/other/vex/a.json"
    broken.parent.mkdir(parents=True)
    broken.write_text("{}")
    (broken.parent.parent / "stack.toml").write_text("[")
    shutil.rmtree(project.project.root / "stacks/tiny")
    assert [one.id for one in load_stack_waivers(project.project, "child")] == [WISH.id]


def test_days_are_counted_in_utc() -> None:
    one = waiver(expires=dt.date(2026, 11, 18))
    assert days_left(one, NOW) == 0
    assert days_left(one, NOW + 86_400) == -1


RULES = '[[channels]]\nname = "prod"\nscan = {{ exploited = true }}\nrollback = {rollback}\n'


def test_a_gate_that_speaks_of_a_list_wants_one(project: ScanProject) -> None:
    rules = parse_channels(RULES.format(rollback='"recorded"').encode(), stacks=("tiny",)).rules_for("tiny", "prod")
    with pytest.raises(StackError, match="speaks of what is exploited, and no list is named"):
        load_given(project.project, "tiny", (rules,))
    project.project.scan_path.write_text('[exploited]\nfile = "known.txt"\n')
    with pytest.raises(StackError, match=r"no file stacks/known\.txt"):
        load_given(project.project, "tiny", (rules,))
    (project.project.stacks_folder / "known.txt").write_text("CVE-2026-1\n")
    assert load_given(project.project, "tiny", (rules,)).exploited == frozenset({"CVE-2026-1"})


def test_a_move_back_reads_no_waivers_unless_it_asks_for_a_scan(project: ScanProject) -> None:
    folder = project.project.root / "stacks/tiny/vex"
    folder.mkdir()
    (folder / "a.json").write_text("{}")
    for rollback, refused in (('"recorded"', False), ('["scan"]', True)):
        rules = parse_channels(RULES.format(rollback=rollback).encode(), stacks=("tiny",)).rules_for("tiny", "prod")
        if refused:
            with pytest.raises(BuilderError):
                load_rollback_given(project.project, "tiny", rules)
        else:
            assert load_rollback_given(project.project, "tiny", rules).waivers == ()
