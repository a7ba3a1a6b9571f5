"""A DAG of a project's nights: one mapped task for each node, in generations.

`begin` names the night. `bases` lock bases again; `locks_0` lock stacks without parents, `locks_1` their children, and so on;
`images_0` build, test, scan and push what `locks_0` locked, and move channels. `end` writes the reports. A generation waits for the one before,
whatever became of it: each task finds out by itself, from the night's journal, whether what it stands on came out.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from airflow.sdk import DAG

from builder.airflow.operators import BeginNight, EndNight, NightTask

if TYPE_CHECKING:
    from builder.usecase.night import Task

_WHATEVER: Final = "all_done"
"""Airflow's name for: once all before it have ended, however they came out."""
_EPOCH: Final = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
"""Nights before there was a DAG are not made up for: any day will do."""


def make_nightly_dag(
    project: str | Path,
    *,
    dag_id: str = "airflow_kubler_nightly",
    schedule: Any = "0 2 * * *",
    ledger: str | Path | None = None,
    jobs: int | None = None,
    branch: str | None = None,
    task_arguments: Mapping[str, Any] | None = None,
    **dag_arguments: Any,
) -> Any:
    """Make the DAG; raises IssuesError, so that Airflow shows what is wrong, where a stack cannot be read.

    Args:
        project: the folder that holds stacks/ and locks/: one that all workers share, or one at this path on each of them.
        dag_id: its name in Airflow.
        schedule: as DAG has it.
        ledger: what to record in: a file, by default ledger.db of the project, where it is there; or the address of its service, where
            workers have folders of their own.
        jobs: processes that a build takes; all that the worker has by default.
        branch: where changed locks are committed, as operators have it; nowhere by default.
        task_arguments: of all tasks, as `retries`, `pool`, `queue`, `executor_config`.
        dag_arguments: as DAG has them.
    """
    from builder.project import open_project
    from builder.usecase.night_settings import load_night_settings
    from builder.wiring.night_tasks import tasks_by_generation

    opened = open_project(Path(project))
    settings = load_night_settings(opened)
    known: dict[str, Any] = {
        "project": str(project),
        "ledger": str(ledger) if ledger else None,
        "jobs": jobs,
        "branch": branch,
    }
    with DAG(
        dag_id=dag_id,
        schedule=schedule,
        start_date=_EPOCH,
        catchup=False,
        max_active_runs=1,
        default_args=dict(task_arguments or {}),
        **dag_arguments,
    ) as dag:
        begin = BeginNight(task_id="begin", **known)
        end = EndNight(task_id="end", night=begin.output, trigger_rule=_WHATEVER, retries=0, **known)
        _chain(begin, _map_all(tasks_by_generation(opened), known, begin.output, settings.workers), end)
    return dag


def _map_all(
    generations: Sequence[Sequence[Task]], known: Mapping[str, Any], night: Any, workers: int
) -> dict[str, list[Any]]:
    """Make a mapped task of each generation, by kind."""
    made: dict[str, list[Any]] = {"bases": [], "locks": [], "images": []}
    for tasks in generations:
        first = tasks[0]
        kind = ("bases" if first.node.startswith("base:") else "locks") if first.is_serial else "images"
        task_id = kind if kind == "bases" else f"{kind}_{len(made[kind])}"
        mapped = NightTask.partial(
            task_id=task_id,
            steps=[str(step) for step in first.steps],
            night=night,
            trigger_rule=_WHATEVER,
            map_index_template="{{ task.node }}",
            max_active_tis_per_dagrun=1 if first.is_serial else workers,
            **known,
        )
        made[kind].append(mapped.expand(node=[task.node for task in tasks]))
    return made


def _chain(begin: Any, made: Mapping[str, Sequence[Any]], end: Any) -> None:
    """Say which generation waits for which."""
    before = begin
    for lock in (*made["bases"], *made["locks"]):
        before >> lock
        before = lock
    for number, image in enumerate(made["images"]):
        made["locks"][number] >> image
        if number:
            made["images"][number - 1] >> image
    last = made["images"][-1:] or [before]
    [*last, begin] >> end
