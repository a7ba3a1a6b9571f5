"""The verbs of the ledger, as a user meets them."""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from builder.cli.root import root
from builder.ledger.model import NewEntry
from tests.support.ledgers import make_build, make_ledger
from tests.support.tools import ROOT

Ask = Callable[..., Result]


@pytest.fixture
def ask(tmp_path: Path) -> Ask:
    (tmp_path / "stacks").mkdir()

    def run(*argv: str) -> Result:
        return CliRunner().invoke(root, ["--project", str(tmp_path), *argv])

    return run


def test_a_ledger_is_begun_checked_and_its_head_kept(ask: Ask, tmp_path: Path) -> None:
    begun = ask("ledger", "init", "--origin", "example.org/airflow")
    assert (begun.exit_code, begun.stdout) == (0, "")
    assert "keep it out of git" in begun.stderr
    assert ask("ledger", "verify").stdout == "example.org/airflow: 1 entries, whole\n"
    public = ask("ledger", "keygen", "example.org/airflow", str(tmp_path / "key")).stdout.strip()
    assert (tmp_path / "key").stat().st_mode & 0o777 == 0o600
    head = str(tmp_path / "head")
    assert ask("ledger", "head", "--key", str(tmp_path / "key"), "-o", head).exit_code == 0
    plain = ask("ledger", "head").stdout
    assert (tmp_path / "head").read_text().startswith(plain)
    held = ask("ledger", "verify", "--head", head, "--key", public)
    assert held.stdout == f"example.org/airflow: 1 entries, whole, and begins with the 1 of {head}\n"
    (tmp_path / "public").write_text(public)
    assert ask("ledger", "verify", "--head", head, "--key", str(tmp_path / "public")).exit_code == 0
    assert "the signature of the head was not verified" in ask("ledger", "verify", "--head", head).stderr


def test_a_key_is_never_overwritten(ask: Ask, tmp_path: Path) -> None:
    (tmp_path / "key").write_text("mine")
    refused = ask("ledger", "keygen", "name", str(tmp_path / "key"))
    assert (refused.exit_code, (tmp_path / "key").read_text()) == (3, "mine")


def test_the_projects_folder_names_a_ledger_that_nobody_named(ask: Ask, tmp_path: Path) -> None:
    assert ask("ledger", "init").exit_code == 0
    assert json.loads(ask("ledger", "export").stdout)["data"]["origin"] == tmp_path.name


@pytest.mark.parametrize(
    ("argv", "status", "said"),
    [
        (("ledger", "verify"), 4, "there is no ledger\n  begin one with: airflow-kubler ledger init"),
        (("ledger", "head"), 4, "there is no ledger"),
        (("ledger", "verify", "--key", "a+b"), 2, "--key is for --head"),
        (("record", "test", "sha256:0", "--passed"), 4, "there is no ledger"),
        (("record", "test", "cafe"), 2, "Missing option"),
        (("ledger", "init", "--origin", "two words"), 3, "not a name: 'two words'"),
    ],
)
def test_what_cannot_be_done_is_told_with_the_way_out(ask: Ask, argv: tuple[str, ...], status: int, said: str) -> None:
    answer = ask(*argv)
    assert (answer.exit_code, said in answer.stderr) == (status, True), answer.stderr


def test_a_changed_ledger_is_a_negative_answer_that_names_the_entry(ask: Ask, tmp_path: Path) -> None:
    make_ledger(tmp_path / "ledger.db", [NewEntry(event=make_build(name=str(number))) for number in range(3)])
    with sqlite3.connect(tmp_path / "ledger.db") as connection:
        connection.execute("DROP TRIGGER entries_no_update")
        connection.execute("UPDATE entries SET entry = replace(entry, 'trixie', 'sid') WHERE number = 2")
    answer = ask("ledger", "verify")
    assert answer.exit_code == 1
    assert answer.stdout.startswith("entry 2: does not hash to what is written beside it\n")
    told = json.loads(ask("ledger", "verify", "--json").stdout)
    assert (told["whole"], told["first_bad_entry"], told["entries"]) == (False, 2, 4)


def test_a_ledger_that_was_named_and_is_not_there_stops_a_verb_before_its_work(ask: Ask, tmp_path: Path) -> None:
    answer = ask("--ledger", str(tmp_path / "gone.db"), "build", "core")
    assert (answer.exit_code, "there is no ledger" in answer.stderr) == (4, True)


def test_tests_and_scans_of_others_are_recorded_with_their_reports(ask: Ask, tmp_path: Path) -> None:
    make_ledger(tmp_path / "ledger.db", [NewEntry(event=make_build())])
    digest = make_build().digest
    report = tmp_path / "junit.xml"
    report.write_text("<testsuite/>")
    assert (
        ask("record", "test", digest[:20], "--failed", "--summary", "1 failed", "--report", str(report)).exit_code == 0
    )
    scan = ("record", "scan", digest, "--result", "findings", "--count", "high=2", "--scanner", "trivy 0.59.1")
    assert ask(*scan).exit_code == 0
    *_, test, scanned = map(json.loads, ask("ledger", "export", "--from", "2").stdout.splitlines())
    assert test["data"] == {
        "digest": digest,
        "name": "stack",
        "passed": False,
        "stack": "core",
        "report": test["documents"][0]["digest"],
        "summary": "1 failed",
    }
    assert scanned["data"]["counts"] == {"high": 2}
    assert ask("ledger", "verify", "--documents").exit_code == 0
    assert "write it as high=3" in ask(*scan, "--count", "high=many").stderr
    unknown = ask("record", "test", f"sha256:{'0' * 64}", "--passed")
    assert (unknown.exit_code, "no build of it is recorded" in unknown.stderr) == (1, True)


def test_the_chain_is_followed_by_the_lines_of_the_page(ask: Ask, tmp_path: Path) -> None:
    make_ledger(tmp_path / "ledger.db", [NewEntry(event=make_build(name=str(number))) for number in range(5)])
    page = (ROOT / "docs/ledger.md").read_text()
    code = page.partition("```python\n")[2].partition("```")[0]
    exported = ask("ledger", "export").stdout
    lines = exported.splitlines(keepends=True)

    def follow(text: str) -> int:
        (tmp_path / "entries.jsonl").write_text(text)
        return subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, check=False).returncode

    assert follow(exported) == 0
    assert follow("".join(lines[:2] + lines[3:])) == 1
    assert follow(exported.replace('"trixie"', '"sid"', 1)) == 1
