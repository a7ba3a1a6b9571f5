"""A night through Airflow 3.3.2: the DAG that a project's stacks make does what `nightly` does, to the same digests."""

from __future__ import annotations

from pathlib import Path

import pytest

from builder.nightly.model import Night, Result, Step
from builder.wiring.nights import Nights
from tests.conftest import Kubler
from tests.support.airflow_environment import install_airflow, make_airflow
from tests.support.filled_store import borrow_cache
from tests.support.index_project import IndexProject
from tests.support.night_project import built_indexes, make_night_project, serve_night_index

pytestmark = [pytest.mark.network, pytest.mark.slow]


def last_night(project: IndexProject) -> Night:
    nights = Nights(root=project.folder / "build/nights")
    return nights.read(nights.names()[-1])


def results(night: Night) -> dict[tuple[str, Step], tuple[Result, str]]:
    return {key: (done.result, done.reason) for key, done in night.latest().items()}


def test_every_node_is_run_and_comes_out_as_on_one_machine(tmp_path: Path, kubler: Kubler) -> None:
    with serve_night_index() as index:
        alone = make_night_project(tmp_path / "alone", index, borrow_cache(tmp_path / "alone-cache"))
        alone.run("nightly", status=1)

        # Of its own all that a machine has: nothing is there that the other night has made.
        project = make_night_project(tmp_path / "airflow", index, borrow_cache(tmp_path / "airflow-cache"))
        install_airflow(tmp_path / "environment", kubler)
        airflow = make_airflow(tmp_path / "environment", tmp_path / "home", project)
        airflow.run("db", "migrate")
        said = airflow.run("dags", "test", "airflow_kubler_nightly", status=1)
        assert "nothing satisfies all of this" in said
        assert built_indexes(project) == built_indexes(alone)

        night = last_night(project)
        assert night.ended
        assert night.begun.by == "Airflow's DAG airflow_kubler_nightly"
        told, expected = results(night), results(last_night(alone))
        assert {key: result for key, (result, _) in told.items()} == {
            key: result for key, (result, _) in expected.items()
        }
        assert told["stack:heir", Step.LOCK] == (Result.HELD, "stands on stack broken, whose lock failed")
        assert (project.folder / "build/nights" / night.begun.night / "report.md").is_file()
        assert f"night {night.begun.night}" in project.run("log", "finance").stdout

        project.run("nightly", "finance")
        assert last_night(project).latest()["stack:finance", Step.BUILD].result is Result.UNCHANGED
