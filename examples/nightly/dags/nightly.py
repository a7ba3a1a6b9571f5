"""A DAG of nights: everything locked again, what changed rebuilt, the rest proved unchanged."""

import os

from builder.airflow.dag import make_nightly_dag

# The same path on all workers. Where each has a folder of its own there, AIRFLOW_KUBLER_LEDGER is the address of the ledger's service, and AIRFLOW_KUBLER_TOKEN is
# set for them. task_arguments are those of all tasks: retries, pool, queue, executor_config.
dag = make_nightly_dag(
    os.environ.get("AIRFLOW_KUBLER_PROJECT", "/srv/stacks"),
    schedule="0 2 * * *",
    ledger=os.environ.get("AIRFLOW_KUBLER_LEDGER"),
)
