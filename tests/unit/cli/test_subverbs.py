from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from builder.cli.root import root


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "stacks").mkdir()
    return tmp_path


def run(project: Path, *args: str) -> Result:
    return CliRunner().invoke(root, ["--project", str(project), *args])


def test_export_is_a_verb_below_lock(project: Path) -> None:
    result = run(project, "lock", "export", "--help")
    assert result.output.startswith("Usage: root lock export [OPTIONS]")


def test_any_other_first_argument_is_a_stack(project: Path) -> None:
    assert "no stack 'core'" in run(project, "lock", "--check", "core").output


def test_options_before_a_name_leave_it_a_stack(project: Path) -> None:
    assert "no stack 'export'" in run(project, "lock", "--check", "export").output


def test_help_of_lock_names_the_verbs_below(project: Path) -> None:
    lines = run(project, "lock", "--help").output.partition("Commands:\n")[2].splitlines()
    assert [line.split()[0] for line in lines] == ["export", "import"]
