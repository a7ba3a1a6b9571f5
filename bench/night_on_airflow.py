"""A night by a real scheduler: Airflow's standalone with LocalExecutor, whose task processes are killed as they run.

Run from the project's folder: `python -m bench.night_on_airflow`. A parent and its children are made anew, one of which cannot be locked. The
process of the parent's lock and that of its image are killed by SIGKILL, each once; Airflow tries both again. The run is the scheduler's own: the latest that was due.
`begin` may take two tries as well: the scheduler is up before its server. Exit status 1 where an image has another
digest than that of `nightly` on one machine, where a task was not killed, or where one that was did not come out.
"""

from __future__ import annotations

import os
import signal
import socket
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from tests.support.airflow_environment import AirflowEnvironment, install_airflow, make_airflow
from tests.support.filled_store import borrow_cache
from tests.support.night_project import built_indexes, make_night_project, serve_night_index

VICTIMS = ("locks_0", "images_0")


def main() -> int:
    with tempfile.TemporaryDirectory() as name, serve_night_index() as index:
        root = Path(name)
        alone = make_night_project(root / "alone", index, borrow_cache(root / "alone-cache"))
        alone.run("nightly", status=1)
        project = make_night_project(root / "airflow", index, borrow_cache(root / "airflow-cache"))
        install_airflow(root / "environment", fetch)
        airflow = make_airflow(root / "environment", root / "home", project)
        began = time.monotonic()
        with standalone(airflow) as server:
            killed: set[str] = set()
            wait(lambda: over(airflow, killed), 600, server)
            rows = ask(
                airflow, "SELECT task_id, rendered_map_index, state, try_number FROM task_instance ORDER BY 1, 2"
            )
        print("\n".join(f"{task:9} {node or '':14} {state:8} tries {tries}" for task, node, state, tries in rows))
        same = built_indexes(project) == built_indexes(alone)
        twice = {task for task, _, state, tries in rows if state == "success" and tries > 1}
        print(
            f"killed: {', '.join(sorted(killed))}; {time.monotonic() - began:.0f} s; digests {'same' if same else 'DIFFER'}"
        )
        return int(not same or killed != set(VICTIMS) or not killed <= twice)


def fetch(*arguments: str | Path, status: int | None = 0) -> subprocess.CompletedProcess[str]:
    """Run this program on the project itself."""
    del status
    words = [sys.executable, "-m", "builder", *map(str, arguments)]
    return subprocess.run(words, capture_output=True, text=True, check=False)


@contextmanager
def standalone(airflow: AirflowEnvironment) -> Iterator[subprocess.Popen[bytes]]:
    """Run scheduler, server and DAG processor, to be ended with all that they started."""
    port, logs = free_port(), free_port()
    environment = {
        **airflow.environment,
        "AIRFLOW__CORE__EXECUTOR": "LocalExecutor",
        "AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION": "False",
        "AIRFLOW__CORE__DEFAULT_TASK_RETRIES": "1",
        "AIRFLOW__CORE__DEFAULT_TASK_RETRY_DELAY": "1",
        "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"http://127.0.0.1:{port}/execution/",
        "AIRFLOW__API__HOST": "127.0.0.1",
        "AIRFLOW__API__PORT": str(port),
        "AIRFLOW__API__WORKERS": "1",
        "AIRFLOW__LOGGING__WORKER_LOG_SERVER_PORT": str(logs),
        "AIRFLOW__LOGGING__TRIGGER_LOG_SERVER_PORT": str(free_port()),
    }
    with (airflow.home / "standalone.log").open("wb") as log:
        words = [str(airflow.folder / "bin/airflow"), "standalone"]
        server = subprocess.Popen(words, env=environment, stdout=log, stderr=log, start_new_session=True)
        try:
            yield server
        finally:
            os.killpg(server.pid, signal.SIGTERM)
            try:
                server.wait(30)
            except subprocess.TimeoutExpired:
                os.killpg(server.pid, signal.SIGKILL)
                server.wait()


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port: int = one.getsockname()[1]
        return port


def wait(condition: Callable[[], object], seconds: float, server: subprocess.Popen[bytes]) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert server.poll() is None, "Airflow has ended"
        assert time.monotonic() < end, f"not within {seconds} s"
        time.sleep(0.1)


def ask(airflow: AirflowEnvironment, query: str) -> list[tuple[str, str, str, int]]:
    """Ask Airflow's database itself: the command line takes seconds of work each time."""
    try:
        with closing(sqlite3.connect(f"file:{airflow.home}/airflow.db?mode=ro", uri=True, timeout=5)) as database:
            return database.execute(query).fetchall()
    except sqlite3.OperationalError:
        return []


def over(airflow: AirflowEnvironment, killed: set[str]) -> bool:
    kill(airflow, killed)
    return bool(ask(airflow, "SELECT 1 FROM dag_run WHERE state IN ('success', 'failed')"))


def kill(airflow: AirflowEnvironment, killed: set[str]) -> None:
    """Kill the processes of victims that run for the first time: children of a worker that has the try's id in its title."""
    rows = ask(airflow, "SELECT id, task_id FROM task_instance WHERE state = 'running'")
    wanted = {row[0].replace("-", ""): row[1] for row in rows if row[1] in VICTIMS and row[1] not in killed}
    running = list(processes()) if wanted else []
    for worker, title, _ in running:
        for task in (task for one, task in wanted.items() if one in title.replace("-", "")):
            for child in (pid for pid, _, parent in running if parent == worker):
                time.sleep(0.3)
                os.kill(child, signal.SIGKILL)
                killed.add(task)


def processes() -> Iterator[tuple[int, str, int]]:
    """Give id, title and parent of all processes."""
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            title = (folder / "cmdline").read_text(errors="replace")
            yield int(folder.name), title, int((folder / "stat").read_text().rpartition(")")[2].split()[1])
        except OSError:
            continue


if __name__ == "__main__":
    sys.exit(main())
