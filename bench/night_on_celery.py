"""A night by CeleryExecutor: two workers that share nothing but the ledger's service and a registry, one of which is killed amid a task.

Run from the project's folder: `python -m bench.night_on_celery`. It needs Debian's redis-server. Each worker has a project's folder, a cache and an AIRFLOW_HOME of its own; the scheduler, its server and the
DAG processor have another. A parent and its children are made anew, one of which cannot be locked. One worker is killed by SIGKILL, with all that it started, as soon as it works on an image; its task is tried again
by the other. Exit status 1 where an image has another digest than that of `nightly` on one machine, where no worker was killed, where anything is on record twice, or the ledger does not hold.
"""

from __future__ import annotations

import os
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path

from bench.night_on_airflow import ask, fetch, free_port, processes
from builder.ledger.check import check_ledger
from builder.ledger.database import SqliteLedger
from tests.support.airflow_environment import AirflowEnvironment, install_airflow, make_airflow
from tests.support.filled_store import borrow_cache
from tests.support.index_project import IndexProject
from tests.support.ledgers import Ticking
from tests.support.night_project import GOOD, built_indexes, make_night_project, serve_night_index
from tests.support.registries import SmallRegistry
from tests.support.service import Served, serve_workers

_LONGEST_S = 900


def main() -> int:
    if shutil.which("redis-server") is None:
        print("needs redis-server: apt-get install redis-server")
        return 4
    with tempfile.TemporaryDirectory() as name, serve_night_index() as index, SmallRegistry() as registry:
        root = Path(name)
        settings = f'repository = "{registry.host}/team/airflow"\nsegments = "{registry.host}/team/segments"\n'
        committed = make_night_project(root / "committed", index, borrow_cache(root / "committed-cache"))
        alone = copy_project(committed, root, "alone")
        alone.run("nightly", status=1)
        nightly = committed.folder / "stacks/nightly.toml"
        nightly.write_text(nightly.read_text() + settings)
        (root / "hub").mkdir()
        shutil.copy(committed.folder / "ledger.db", root / "hub/ledger.db")
        install_airflow(root / "environment", fetch)
        with serve_workers(root / "hub/ledger.db") as service:
            return compare(root, committed, alone, service)


def compare(root: Path, committed: IndexProject, alone: IndexProject, service: Served) -> int:
    head = make_airflow(root / "environment", root / "home", copy_project(committed, root, "scheduler"))
    workers = [copy_project(committed, root, f"worker-{number}") for number in (1, 2)]
    began = time.monotonic()
    killed = ""
    with ExitStack() as later:
        common = shared_settings(head, service, later.enter_context(redis(root)))
        head = replace(head, settings={**head.settings, **common})
        head.run("db", "migrate")
        parts = [
            later.enter_context(running(head, *words)) for words in (["api-server"], ["scheduler"], ["dag-processor"])
        ]
        hands = [
            later.enter_context(running(of_worker(head, worker), "celery", "worker", "--concurrency", "1"))
            for worker in workers
        ]
        end = time.monotonic() + _LONGEST_S
        while not ask(head, "SELECT 1 FROM dag_run WHERE state IN ('success', 'failed')"):
            assert time.monotonic() < end, f"not within {_LONGEST_S} s"
            assert all(part.poll() is None for part in parts), "a part of Airflow has ended"
            if not killed and (busy := who_works(head, hands)):
                kill_tree(busy[0].pid)
                killed = busy[1]
                print(f"killed a worker amid {killed}")
            time.sleep(0.2)
        rows = ask(head, "SELECT task_id, rendered_map_index, state, try_number FROM task_instance ORDER BY 1, 2")
    print("\n".join(f"{task:9} {node or '':14} {state:8} tries {tries}" for task, node, state, tries in rows))
    same = images(workers) == built_indexes(alone)
    problems = check_ledger(root / "hub/ledger.db", documents=True).problems
    twice = on_record_twice(root / "hub/ledger.db")
    print(
        f"{time.monotonic() - began:.0f} s; digests {'same' if same else 'DIFFER'}; on record twice: {twice or 'nothing'}; {problems or 'the ledger holds'}"
    )
    return int(not same or not killed or bool(problems) or bool(twice))


def copy_project(project: IndexProject, root: Path, name: str) -> IndexProject:
    """Check a project out once more, with a cache of its own."""
    folder = root / name
    shutil.copytree(project.folder, folder)
    if name != "alone":
        (folder / "ledger.db").unlink()
    return replace(project, folder=folder).with_settings(**borrow_cache(root / f"{name}-cache"))


def shared_settings(airflow: AirflowEnvironment, service: Served, broker: str) -> Mapping[str, str]:
    """Say what all parts of this Airflow have to know."""
    port = free_port()
    return {
        **service.environment,
        "AIRFLOW__API_AUTH__JWT_SECRET": secrets.token_urlsafe(32),
        "AIRFLOW__API__HOST": "127.0.0.1",
        "AIRFLOW__API__PORT": str(port),
        "AIRFLOW__API__WORKERS": "1",
        "AIRFLOW__CELERY__BROKER_URL": broker,
        "AIRFLOW__CELERY__RESULT_BACKEND": broker.replace("/0", "/1"),
        "AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION": "False",
        "AIRFLOW__CORE__DEFAULT_TASK_RETRIES": "2",
        "AIRFLOW__CORE__DEFAULT_TASK_RETRY_DELAY": "1",
        "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"http://127.0.0.1:{port}/execution/",
        "AIRFLOW__CORE__EXECUTOR": "CeleryExecutor",
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{airflow.home}/airflow.db",
        # A worker that was killed is missed after a while; by default that takes five minutes.
        "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": "15",
        "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT_DETECTION_INTERVAL": "5",
        "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_SEC": "3",
        # Tasks ask the server; the database is the scheduler's and the server's alone.
        "_AIRFLOW__SKIP_DATABASE_EXECUTOR_COMPATIBILITY_CHECK": "1",
    }


def of_worker(head: AirflowEnvironment, project: IndexProject) -> AirflowEnvironment:
    """Set a worker up: another folder for all that it has, at a path that its environment names."""
    home = project.folder.parent / f"{project.folder.name}-home"
    home.mkdir()
    own = {
        **project.environment(),
        "AIRFLOW_KUBLER_PROJECT": str(project.folder),
        "AIRFLOW__LOGGING__WORKER_LOG_SERVER_PORT": str(free_port()),
    }
    return replace(head, home=home, settings={**head.settings, **own})


@contextmanager
def redis(root: Path) -> Iterator[str]:
    """Run a broker."""
    port = free_port()
    words = ["redis-server", "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", str(root)]
    with subprocess.Popen(words, stdout=subprocess.DEVNULL) as process:
        try:
            yield f"redis://127.0.0.1:{port}/0"
        finally:
            process.terminate()


@contextmanager
def running(airflow: AirflowEnvironment, *words: str) -> Iterator[subprocess.Popen[bytes]]:
    """Run a part of Airflow, to be ended with all that it started."""
    with (airflow.home / f"{words[0]}.log").open("wb") as log:
        process = subprocess.Popen(
            [str(airflow.folder / "bin/airflow"), *words],
            cwd=airflow.home,
            env=airflow.environment,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
        try:
            yield process
        finally:
            kill_tree(process.pid)
            process.wait()


def who_works(
    airflow: AirflowEnvironment, workers: list[subprocess.Popen[bytes]]
) -> tuple[subprocess.Popen[bytes], str] | None:
    """Find a worker that has begun with an image."""
    rows = ask(
        airflow, "SELECT rendered_map_index, pid FROM task_instance WHERE state = 'running' AND task_id = 'images_0'"
    )
    for node, pid, *_ in rows:
        for worker in workers:
            if pid and pid in tree(worker.pid):
                return worker, node or "images_0"
    return None


def tree(pid: int) -> list[int]:
    """List a process and all that came from it."""
    children: dict[int, list[int]] = {}
    for child, _, parent in processes():
        children.setdefault(parent, []).append(child)
    found = [pid]
    for one in found:
        found += children.get(one, [])
    return found


def kill_tree(pid: int) -> None:
    """Kill a process and all that came from it, at once."""
    for one in tree(pid):
        try:
            os.kill(one, signal.SIGKILL)
        except ProcessLookupError:
            continue


def images(workers: list[IndexProject]) -> dict[str, object]:
    """Read the index of each image; where both workers made one, they have to be the same."""
    import json

    found: dict[str, object] = {}
    for stack in GOOD:
        made = {
            path.read_bytes() for worker in workers if (path := worker.folder / f"build/{stack}/index.json").exists()
        }
        found[stack] = json.loads(made.pop()) if len(made) == 1 else None
    return found


def on_record_twice(path: Path) -> list[tuple[str, str]]:
    """List what was recorded more than once."""
    with SqliteLedger(path, Ticking(), write=False) as ledger:
        counts = Counter((entry.kind, str(entry.data.get("stack", ""))) for entry in ledger.entries())
    return [key for key, count in counts.items() if count > 1 and key[0] in {"lock", "build", "push", "night"}]


if __name__ == "__main__":
    sys.exit(main())
