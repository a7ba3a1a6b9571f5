"""Operators that begin a night, do one of its tasks, and end it.

Each leaves what it did in the night's journal, in the project's folder or with the ledger's service: it may be retried, cleared or killed at any moment, and
goes on after its last step that still stands. A task that failed is a failed task; one that is held, as what it stands on failed, is a skipped one.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseOperator
from airflow.sdk.exceptions import AirflowException, AirflowFailException, AirflowSkipException

if TYPE_CHECKING:
    from airflow.sdk import Context

    from builder.nightly.model import StepDone
    from builder.wiring.night_tasks import NightRun


class NightOperator(BaseOperator):
    """What all of them know.

    Args:
        project: the folder that holds stacks/ and locks/: one that all workers share, or one at this path on each of them.
        ledger: what to record in: a file, by default ledger.db of the project, where it is there; or the address of its service, where
            workers have folders of their own.
        jobs: processes that a build takes; all that the worker has by default.
        branch: where changed locks are committed, where workers share the project's folder: a new one, in whose name `{night}` stands for the
            night; empty for what is checked out, None for nowhere.
        arguments: as all operators have them.
    """

    def __init__(
        self,
        *,
        project: str,
        ledger: str | None = None,
        jobs: int | None = None,
        branch: str | None = None,
        **arguments: Any,
    ) -> None:
        super().__init__(**arguments)
        self.project = project
        self.ledger = ledger
        self.jobs = jobs
        self.branch = branch

    def night_run(self) -> NightRun:
        """Open the project; the DAG owns its night, which the next run goes on with where this one is lost."""
        from builder.project import open_project
        from builder.wiring.night_tasks import NightRun, find_ledger

        project = open_project(Path(self.project))
        return NightRun(
            project=project,
            ledger=find_ledger(project, self.ledger),
            owner=f"Airflow's DAG {self.dag_id}",
            jobs=self.jobs or len(os.sched_getaffinity(0)),
            say=self.log.info,
            branch=self.branch,
        )


class BeginNight(NightOperator):
    """Begin a night, or go on with one that has not ended; gives its name to the others."""

    def execute(self, context: Context) -> str:
        """Do it."""
        del context
        return self.night_run().begin()


class NightTask(NightOperator):
    """Do one task of a night.

    Args:
        node: `base:NAME` or `stack:NAME`.
        steps: the task's, in their order.
        night: its name, as BeginNight gives it.
        arguments: as NightOperator has them.
    """

    template_fields: Sequence[str] = ("night",)

    def __init__(self, *, node: str, steps: Sequence[str], night: Any = None, **arguments: Any) -> None:
        super().__init__(**arguments)
        self.node = node
        self.steps = tuple(steps)
        self.night = night

    def execute(self, context: Context) -> dict[str, str]:
        """Do it; returns the steps that ended, each with its result: none where all stood already."""
        del context
        from builder.nightly.model import Result, Step
        from builder.usecase.night import Task

        if not self.night:
            raise AirflowSkipException("no night was begun")
        done = self.night_run().do(self.night, Task(self.node, tuple(map(Step, self.steps))))
        failed = [one for one in done if one.result is Result.FAILED]
        if failed:
            raise AirflowException("\n".join(map(_said, failed)))
        if done and done[-1].result is Result.HELD:
            raise AirflowSkipException(_said(done[-1]))
        return {str(one.step): str(one.result) for one in done}


class EndNight(NightOperator):
    """End a night: write its reports and put it on record; fails where anything failed, as `nightly` does.

    Args:
        night: its name, as BeginNight gives it.
        arguments: as NightOperator has them.
    """

    template_fields: Sequence[str] = ("night",)

    def __init__(self, *, night: Any = None, **arguments: Any) -> None:
        super().__init__(**arguments)
        self.night = night

    def execute(self, context: Context) -> dict[str, str]:
        """Do it; returns each stack's image by digest, empty for none."""
        del context
        if not self.night:
            raise AirflowFailException("no night was begun")
        summary = self.night_run().end(self.night)
        if not summary.is_good:
            bad = [f"base {base.name}: {base.failed}" for base in summary.bases if base.failed]
            bad += [f"stack {one.name}: {one.failed or one.held}" for one in summary.stacks if one.failed or one.held]
            raise AirflowFailException("\n".join(bad))
        return {one.name: one.digest for one in summary.stacks}


def _said(done: StepDone) -> str:
    return f"{done.node}: {done.step} {done.result}: {done.reason}"
