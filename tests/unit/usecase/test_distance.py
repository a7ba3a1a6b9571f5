from __future__ import annotations

import datetime as dt
import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from builder.cli.distance import command, iter_lines
from builder.cli.root import Context
from builder.digest import Digest
from builder.errors import LockStaleError
from builder.lock.model import StackLock
from builder.lock.pylock import dump_stack_lock
from builder.lock.status import StatusCounts
from builder.project import Project, create_files, open_project
from builder.stack.model import Divergence
from builder.usecase.distance import load_lock, measure_distance
from tests.support.stack_locks import make_candidate, make_lock

TODAY = dt.date(2026, 11, 24)
DIVERGENCE = Divergence(
    project="beta", specifier="<3", reason="finance needs it", owner="team:x", expires=dt.date(2026, 11, 23)
)


def moved() -> StackLock:
    return make_lock(
        make_candidate("apache-airflow", "3.3.2"),
        make_candidate("alpha", tested="1.0"),
        make_candidate("beta", "2.1", tested="1.9"),
        make_candidate("gamma"),
        constraints=Digest.of(b"c"),
        divergences=(DIVERGENCE,),
    )


def test_what_moved_is_told_with_its_reason_and_what_nobody_tested() -> None:
    found = measure_distance(moved(), TODAY)
    assert found.counts == StatusCounts(constrained=2, diverged=1, outside=1)
    assert [(row.project, row.tested, row.chosen, row.divergence) for row in found.departures] == [
        ("beta", "1.9", "2.1", DIVERGENCE)
    ]
    assert found.outside == (("gamma", "1.0"),)
    assert found.expired == (DIVERGENCE,)


def test_a_divergence_holds_on_its_last_day() -> None:
    assert measure_distance(moved(), dt.date(2026, 11, 23)).expired == ()


def test_the_text_says_it_all() -> None:
    assert "\n".join(iter_lines(measure_distance(moved(), TODAY))).splitlines() == [
        "etl, Airflow 3.3.2: 2 as tested, 1 diverged, 1 outside the tested set",
        "PROJECT  TESTED  HERE  STEP   WHY",
        "beta     1.9     2.1   major  finance needs it (team:x, until 2026-11-23)",
        "outside the tested set: gamma 1.0",
        "expired on 2026-11-23: beta (team:x)",
    ]


def test_a_step_back_is_told_as_one() -> None:
    candidate = make_candidate("beta", "1.5.0", tested="1.25.0")
    lock = make_lock(candidate, constraints=Digest.of(b"c"), divergences=(DIVERGENCE,))
    found = measure_distance(lock, dt.date(2026, 1, 1))
    assert [(row.step, row.older) for row in found.departures] == [("minor", True)]
    assert "minor, older" in "\n".join(iter_lines(found))


def test_a_lock_without_constraints_has_no_distance() -> None:
    found = measure_distance(make_lock(make_candidate()), TODAY)
    assert (found.counts, found.departures, found.outside) == (None, (), ())
    assert "\n".join(iter_lines(found)) == (
        'etl: constraints = "none", so nothing tells what was tested with Airflow 3.3.2'
    )


@pytest.fixture
def project(tmp_path: Path) -> Project:
    stack = b'description = "x"\n[airflow]\nversion = "3.3.2"\n[base]\nname = "trixie"\n'
    create_files(tmp_path, {"stacks/etl/stack.toml": stack})
    return open_project(tmp_path)


def test_a_stack_without_lock_is_told_the_way_on(project: Project) -> None:
    with pytest.raises(LockStaleError, match="there is no lock"):
        load_lock(project, "etl")


def test_json_holds_the_same(project: Project) -> None:
    create_files(project.root, {"locks/pylock.etl.toml": dump_stack_lock(moved())})
    result = CliRunner().invoke(command, ["etl", "--json"], obj=Context(folder=project.root, debug=False))
    assert result.exit_code == 0, result.output
    values = json.loads(result.output)
    assert values["counts"] == {"constrained": 2, "diverged": 1, "outside": 1}
    assert values["departures"][0]["divergence"]["expires"] == "2026-11-23"
    assert values["expired"][0]["project"] == "beta"
