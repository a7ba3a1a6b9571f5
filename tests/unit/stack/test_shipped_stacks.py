"""The stacks of this repository load, and hold what they are documented to hold."""

from pathlib import Path

import pytest
from packaging.requirements import Requirement

from builder.platform import AMD64, ARM64
from builder.project import open_project
from builder.stack.graph import build_order, effective_stack
from builder.usecase.graph import survey_project

PROJECT = open_project(Path(__file__).parents[3])
CORE = {"standard", "common-sql", "common-io", "common-compat", "fab", "celery", "cncf-kubernetes", "postgres", "http"}


@pytest.mark.parametrize(
    ("name", "base", "providers"),
    [
        ("core", "trixie", CORE),
        ("aws", "trixie", CORE | {"amazon", "snowflake"}),
        ("gcp", "trixie", CORE | {"google"}),
        ("analytics", "trixie", CORE | {"databricks", "dbt-cloud", "slack", "openlineage"}),
        ("core-py311", "bookworm", CORE),
    ],
)
def test_shipped_stacks_hold_their_providers_on_both_platforms(name: str, base: str, providers: set[str]) -> None:
    stack = effective_stack(PROJECT.load_stacks(), name)
    prefix = "apache-airflow-providers-"
    asked = [Requirement(text).name for text in stack.requirements]
    assert {name.removeprefix(prefix) for name in asked if name.startswith(prefix)} == providers
    assert (stack.airflow_version, stack.base, stack.platforms) == ("3.3.2", base, (AMD64, ARM64))


def test_core_is_built_before_what_extends_it() -> None:
    assert build_order(PROJECT.load_stacks())[0] == "core"


def test_every_stack_stands_on_a_sound_base() -> None:
    survey = survey_project(PROJECT)
    assert {base.name: base.python for base in survey.bases} == {"trixie": "3.13", "bookworm": "3.11"}


def test_every_stack_says_what_it_is_for() -> None:
    for name in PROJECT.stack_names():
        assert (PROJECT.stacks_folder / name / "README.md").read_text().startswith(f"# {name}\n")


def test_core_py311_asks_for_what_core_asks_for() -> None:
    stacks = PROJECT.load_stacks()
    assert stacks["core-py311"].requirements == stacks["core"].requirements


def test_legacy_is_airflow_2_under_its_own_constraints() -> None:
    stack = effective_stack(PROJECT.load_stacks(), "legacy")
    assert (stack.airflow_version, stack.base, stack.constraints) == ("2.9.2", "bookworm", "legacy/constraints.txt")
    # The tested psutil has no wheel for arm64.
    assert stack.platforms == (AMD64,)
    pins = (PROJECT.stacks_folder / stack.constraints).read_text().splitlines()
    assert len(pins) == 712
    assert all(Requirement(pin).name == pin.partition("==")[0] for pin in pins)
