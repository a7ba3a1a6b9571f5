"""What must hold of the whole tree."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from builder.cli.root import VERBS
from builder.project import open_project
from builder.usecase.graph import survey_project
from tests.support.tools import ROOT

MAX_LINES = 400
MAX_VERB_LINES = 100
# Spelt apart, so that this file does not name them.
HOSTS = tuple(
    ".".join(parts)
    for parts in (
        ("pypi", "org"),
        ("pythonhosted", "org"),
        ("deb", "debian", "org"),
        ("security", "debian", "org"),
        ("ftp", "debian", "org"),
        ("snapshot", "debian", "org"),
    )
)


def committed_files() -> list[Path]:
    listed = subprocess.run(
        ["git", "-C", str(ROOT), "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        capture_output=True,
        check=False,
    )
    if listed.returncode:
        pytest.skip("not a git checkout")
    return [path for name in listed.stdout.decode().split("\0") if name and (path := ROOT / name).is_file()]


def test_dependencies_point_down() -> None:
    done = subprocess.run(
        [sys.executable, "-c", "from importlinter.cli import lint_imports; raise SystemExit(lint_imports())"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout


def test_links_lead_to_what_is_committed_too() -> None:
    listed = subprocess.run(["git", "-C", str(ROOT), "ls-files", "-s"], capture_output=True, text=True, check=False)
    links = [ROOT / line.partition("\t")[2] for line in listed.stdout.splitlines() if line.startswith("120000")]
    assert [link for link in links if link.readlink().is_absolute() or not link.resolve().is_relative_to(ROOT)] == []


def test_no_python_file_is_long() -> None:
    long = {
        str(path.relative_to(ROOT)): count
        for path in committed_files()
        if path.suffix == ".py" and (count := len(path.read_text().splitlines())) > MAX_LINES
    }
    assert not long


def test_no_committed_file_names_the_host_of_an_index_or_mirror() -> None:
    pattern = re.compile("|".join(map(re.escape, HOSTS)).encode())
    named = {
        str(path.relative_to(ROOT)): found[0]
        for path in committed_files()
        if (found := pattern.findall(path.read_bytes()))
    }
    assert not named


def test_requirements_are_pinned_by_hash() -> None:
    for path in (ROOT / "requirements").glob("*.txt"):
        for block in re.split(r"\n(?=\S)", path.read_text().strip()):
            assert re.match(r"[a-z0-9._-]+==\S+", block), f"{path.name}: {block[:80]}"
            assert "--hash=sha256:" in block, f"{path.name}: {block[:80]}"


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_is_there_and_documented(verb: str) -> None:
    pages = "\n".join(path.read_text() for path in (ROOT / "docs").rglob("*.md")) + (ROOT / "README.md").read_text()
    assert re.search(rf"airflow-kubler (--\S+ \S+ )?{verb}\b", pages), f"no page shows airflow-kubler {verb}"
    done = subprocess.run(
        [sys.executable, "-m", "builder", verb, "--help"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("verb", VERBS)
def test_verb_files_are_thin(verb: str) -> None:
    path = ROOT / "builder/cli" / f"{verb}.py"
    assert len(path.read_text().splitlines()) <= MAX_VERB_LINES


def test_shipped_stacks_load() -> None:
    names = {stack.name for stack in survey_project(open_project(ROOT)).stacks}
    assert {"core", "aws", "gcp", "analytics", "core-py311"} <= names


def test_links_between_pages_lead_somewhere() -> None:
    pages = (ROOT / "README.md", ROOT / "CHANGELOG.md", *(ROOT / "docs").rglob("*.md"))
    broken = [
        f"{page.relative_to(ROOT)}: {target}"
        for page in pages
        for target in re.findall(r"\]\(([^)#]+?)(?:#[^)]*)?\)", page.read_text())
        if "://" not in target and not (page.parent / target).exists()
    ]
    assert not broken
