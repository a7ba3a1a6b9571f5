"""A small DAG of a TaskFlow task and a Bash task: `make demo` and the tests run it inside the image."""

from __future__ import annotations

from airflow.providers.standard.operators.bash import BashOperator
from airflow.sdk import dag, task


@dag(schedule=None, catchup=False, tags=["example"])
def greeting() -> None:
    """Make a greeting in Python, say it in Bash."""

    @task
    def make() -> str:
        return "Hello from an image that is a function of its lock"

    BashOperator(task_id="say", bash_command='echo "$GREETING"', env={"GREETING": make()}, append_env=True)


greeting()
