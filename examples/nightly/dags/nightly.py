"""A DAG of nights: everything locked again, what changed rebuilt, the rest proved unchanged."""

import os

from builder.airflow.dag import make_nightly_dag

# The same folder for all workers. task_arguments are those of all tasks: retries, pool, queue, executor_config.
dag = make_nightly_dag(os.environ.get("AIRFLOW_KUBLER_PROJECT", "/srv/stacks"), schedule="0 2 * * *")
