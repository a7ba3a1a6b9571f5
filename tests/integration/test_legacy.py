"""The stack `legacy`: three of its wheels are built from sdists, and Airflow 2.9.2 runs in its image."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from builder.lock.base import parse_base_lock
from builder.lock.pylock import parse_stack_lock
from builder.resolve.user_settings import load_index_settings
from builder.store.artefacts import DirectoryArtefactStore
from builder.usecase.build_sdist import rebuild
from builder.usecase.fetch import obtain_with
from builder.wiring.fetching import make_build_room, make_fetch_sources
from builder.wiring.stores import make_file_store, make_transport
from tests.conftest import Build, Kubler, fetch_files
from tests.support.tools import ROOT, require_root, require_tool, run_tool

pytestmark = [pytest.mark.network, pytest.mark.slow]

BUILT = {"dill": "0.3.1.1", "python-nvd3": "0.16.0", "unicodecsv": "0.14.1"}
LOCK = parse_stack_lock((ROOT / "locks/pylock.legacy.toml").read_bytes(), file="locks/pylock.legacy.toml")
DAG = """
import pendulum
from airflow.decorators import dag, task
from airflow.operators.bash import BashOperator

@dag(schedule=None, start_date=pendulum.datetime(2024, 1, 1), catchup=False)
def greeting():
    @task
    def name():
        return "a lock"
    BashOperator(task_id="greet", bash_command="echo Hello from {{ ti.xcom_pull('name') }}").set_upstream(name())

greeting()
"""
Run = Callable[..., str]


def test_the_lock_says_what_was_built_and_that_all_is_as_tested() -> None:
    built = {item.project: item for item in LOCK.candidates if item.built is not None}
    assert {project: item.version for project, item in built.items()} == BUILT
    assert {file.name for item in built.values() if item.built for *_, file in item.built.requires} == {
        "setuptools-84.2.1-py3-none-any.whl"
    }
    pins = dict(line.split("==") for line in (ROOT / "stacks/legacy/constraints.txt").read_text().lower().splitlines())
    tested = {item.project: item.version for item in LOCK.candidates if item.tested}
    assert len(tested) >= 160
    assert all(pins[project] == version for project, version in tested.items() if project in pins)


def test_wheels_come_out_of_their_sdists_as_locked(kubler: Kubler, tmp_path: Path) -> None:
    fetch_files(kubler, "legacy")
    base = parse_base_lock((ROOT / "locks/base.bookworm.toml").read_bytes(), file="base")
    settings = load_index_settings()
    with make_transport(settings) as transport:
        files = make_file_store()
        room = make_build_room(obtain_with(files, make_fetch_sources(settings), transport))
        # Nothing that was built before is found there.
        room = replace(room, artefacts=DirectoryArtefactStore(tmp_path, durable=False))
        for candidate in LOCK.candidates:
            if candidate.built is not None:
                rebuild(candidate, base, room)
                assert all(files.holds(wheel) for wheel in candidate.wheels.values())


@pytest.fixture(scope="module")
def run(build_stack: Build, tmp_path_factory: pytest.TempPathFactory) -> Run:
    require_root("runc needs it")
    require_tool("runc")
    build_stack("legacy", "zstd")
    folder = tmp_path_factory.mktemp("legacy")
    dags = folder / "dags"
    dags.mkdir()
    (dags / "greeting.py").write_text(DAG)
    for path in (folder, dags):
        path.chmod(0o755)

    def run_in_image(*words: str) -> str:
        return run_tool(
            *(sys.executable, "-m", "builder", "--project", str(ROOT), "run", "legacy", "--engine", "runc"),
            *("--network", "none", "--home", str(folder / "home"), "--volume", f"{dags}:/opt/airflow/dags:ro", "--"),
            *words,
        )

    run_in_image("airflow", "db", "migrate")
    return run_in_image


@pytest.mark.tools
def test_airflow_2_runs_a_dag(run: Run) -> None:
    assert run("airflow", "version") == "2.9.2\n"
    run("airflow", "dags", "reserialize")
    assert "greeting" in run("airflow", "dags", "list")
    assert "state=success" in run("airflow", "dags", "test", "greeting", "2024-01-01")


@pytest.mark.tools
def test_providers_and_what_was_built_import(run: Run) -> None:
    modules = (
        "airflow.providers.cncf.kubernetes.operators.pod",
        "airflow.providers.postgres.hooks.postgres",
        "airflow.providers.http.operators.http",
        "airflow.providers.celery.executors.celery_executor",
        "airflow.providers.fab.auth_manager.fab_auth_manager",
        "dill",
        "nvd3",
        "unicodecsv",
    )
    run("python", "-c", "import importlib, sys\n[importlib.import_module(name) for name in sys.argv[1:]]\n", *modules)
    listed = {item["package_name"] for item in json.loads(run("airflow", "providers", "list", "--output", "json"))}
    wanted = {"celery", "cncf-kubernetes", "postgres", "http"}
    assert {f"apache-airflow-providers-{name}" for name in wanted} <= listed
