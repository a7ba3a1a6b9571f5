from pathlib import Path

import pytest

from builder.errors import IssuesError, StackError
from builder.project import open_project, shipped_bases
from builder.stack.graph import effective_stack
from builder.usecase.graph import survey_project
from builder.usecase.init import DEFAULT_AIRFLOW_VERSION, DEFAULT_BASE, init_project, make_scaffold

BASES = {"trixie": b"", "bookworm": b""}


def test_a_scaffold_is_a_project_whose_stacks_are_sound(tmp_path: Path) -> None:
    paths = init_project(tmp_path / "new", stack="etl", base="trixie", airflow_version="3.3.2")
    project = open_project(tmp_path / "new")
    survey = survey_project(project)
    assert [stack.name for stack in survey.stacks] == ["etl"]
    assert {base.name for base in survey.bases} == set(shipped_bases())
    stack = effective_stack(project.load_stacks(), "etl")
    assert (stack.airflow_version, stack.base) == ("3.3.2", "trixie")
    assert sorted(paths) == sorted(
        path.relative_to(project.root).as_posix() for path in project.root.rglob("*") if path.is_file()
    )


def test_files_that_locks_name_are_not_tracked() -> None:
    files = make_scaffold(stack="etl", base="trixie", airflow_version="3.3.2", bases=BASES)
    assert {"/locks/files/", "/build/"} <= set(files[".gitignore"].decode().splitlines())
    assert list(files) == [
        ".gitignore",
        "README.md",
        "stacks/bases/bookworm.toml",
        "stacks/bases/trixie.toml",
        "stacks/channels.toml",
        "stacks/etl/README.md",
        "stacks/etl/stack.toml",
        "stacks/licences.toml",
    ]


def test_a_second_init_overwrites_nothing(tmp_path: Path) -> None:
    init_project(tmp_path, stack="etl", base="trixie", airflow_version="3.3.2")
    (tmp_path / "README.md").write_text("mine")
    with pytest.raises(IssuesError) as caught:
        init_project(tmp_path, stack="etl", base="trixie", airflow_version="3.3.2")
    assert f"{tmp_path}/README.md: is there already" in str(caught.value)
    assert (tmp_path / "README.md").read_text() == "mine"


@pytest.mark.parametrize(
    ("stack", "base", "version", "expected"),
    [
        (
            "Etl",
            "trixie",
            "3.3.2",
            (
                "--stack: 'Etl' cannot name a stack or a base\n"
                "  use lower-case letters and digits, with single hyphens between, at most 64 characters"
            ),
        ),
        ("bases", "trixie", "3.3.2", "--stack: 'bases' cannot name a stack\n  stacks/bases/ holds something else"),
        ("etl", "trixi", "3.3.2", "--base: no base 'trixi'\n  did you mean 'trixie'?"),
        ("etl", "trixie", '3"', '--airflow: \'3"\' is no version\n  write one release of Airflow, as "3.3.2"'),
    ],
)
def test_what_would_not_load_is_not_written(stack: str, base: str, version: str, expected: str) -> None:
    with pytest.raises(StackError) as caught:
        make_scaffold(stack=stack, base=base, airflow_version=version, bases=BASES)
    assert str(caught.value) == expected


def test_bases_come_with_the_program_byte_for_byte() -> None:
    source = Path(__file__).parents[3] / "stacks" / "bases"
    assert shipped_bases() == {path.stem: path.read_bytes() for path in source.glob("*.toml")}
    assert DEFAULT_BASE in shipped_bases()


def test_the_scaffold_starts_with_the_version_of_core() -> None:
    project = open_project(Path(__file__).parents[3])
    assert project.load_stack("core").airflow_version == DEFAULT_AIRFLOW_VERSION
