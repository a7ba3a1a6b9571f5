from __future__ import annotations

import datetime as dt
from dataclasses import replace
from pathlib import Path

import pytest

from builder.project import Project
from builder.resolve.core import Budget
from builder.usecase.accept import accept_divergences
from builder.usecase.lock import lock_stacks
from builder.usecase.lock_check import check_locks
from builder.usecase.lock_model import LockTools
from tests.support.lock_world import World, make_project, read_versions
from tests.support.small_universe import ExhaustiveResolver, Universe

CORE = """\
description = "For tests"
owners = ["team:core"]
[airflow]
version = "3.3.2"
constraints = "constraints.txt"
[base]
name = "trixie"
[plugins]
requirements = ["protobuf"]
"""
FINANCE = """\
description = "For tests"
owners = ["team:finance"]
extends = "core"
[plugins]
requirements = ["dbt"]
"""
UNIVERSE: Universe = {
    "apache-airflow": {"3.3.2": ()},
    "protobuf": {"4.25.3": (), "5.26.0": ()},
    "lib": {"1.0": (), "2.0": ()},
    "dbt": {"1.0": ("lib>=2",)},
}
EXPIRES = dt.date(2099, 3, 31)


@pytest.fixture
def project(tmp_path: Path) -> Project:
    made = make_project(tmp_path, core=CORE, finance=FINANCE)
    (tmp_path / "stacks/core/constraints.txt").write_text("protobuf==4.25.3\nlib==1.0\n", encoding="utf-8")
    return made


def _tools(project: Project) -> LockTools:
    world = World(
        offers={"apache-airflow": "3.3.2", "protobuf": "5.26.0", "lib": "2.0", "dbt": "1.0"},
        older={("protobuf", "4.25.3"), ("lib", "1.0")},
    )
    return replace(world.tools(project), resolver=lambda _: ExhaustiveResolver(UNIVERSE))


def test_a_child_gets_its_divergences_on_a_parent_that_is_locked_first(project: Project) -> None:
    tools = _tools(project)
    accepted = accept_divergences(project, tools, ["finance"], expires=EXPIRES, budget=lambda: Budget(solves=100))
    assert [(name, row.project, row.specifier) for name, found in accepted.items() for row in found.divergences] == [
        ("finance", "lib", "==2.0")
    ]
    assert project.load_stack("core").divergences == ()
    assert [(row.project, row.owner, row.expires) for row in project.load_stack("finance").divergences] == [
        ("lib", "team:finance", EXPIRES)
    ]
    lock_stacks(project, tools, ["finance"])
    assert not any(state.reasons for state in check_locks(project))
    assert read_versions(project, "core") == {"apache-airflow": "3.3.2", "protobuf": "4.25.3"}
    assert read_versions(project, "finance")["lib"] == "2.0"


def test_stacks_that_resolve_are_left_as_they_are(project: Project) -> None:
    path = project.stacks_folder / "core/stack.toml"
    before = path.read_bytes()
    found = accept_divergences(project, _tools(project), ["core"], expires=None, budget=lambda: Budget(solves=100))
    assert (found, path.read_bytes()) == ({}, before)
