# What the official image promises to charts and compose files, of this one.
set -eu

[ "$(id -u):$(id -g)" = "50000:0" ]
[ "$AIRFLOW_HOME" = /opt/airflow ]
[ "$(command -v airflow)" = /home/airflow/.local/bin/airflow ]
test -x /entrypoint && test -x /clean-logs
touch "$AIRFLOW_HOME/dags/x" "$AIRFLOW_HOME/logs/x" && rm "$AIRFLOW_HOME/dags/x" "$AIRFLOW_HOME/logs/x"
if touch /home/airflow/.local/x 2>/dev/null; then
    echo "the virtual environment is writable" >&2
    exit 1
fi
