"""Airflow in the shipped images: user 50000, read-only root, no capabilities, no network."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from builder.lock.pylock import parse_stack_lock
from tests.conftest import Build
from tests.support.tools import ROOT, require_root, require_tool, run_tool

pytestmark = [pytest.mark.network, pytest.mark.tools, pytest.mark.slow]

DAGS = ROOT / "examples/dags"
Run = Callable[..., str]
DRIVER = """
import json, os, sqlite3, subprocess, sys, time, urllib.request

server = subprocess.Popen(["airflow", "standalone"])
database = "file:" + os.environ["AIRFLOW_HOME"] + "/airflow.db?mode=ro"

def airflow(*words):
    done = subprocess.run(["airflow", *words], capture_output=True, text=True)
    return done.stdout if done.returncode == 0 else ""

def healthy():
    try:
        with urllib.request.urlopen("http://127.0.0.1:8080/api/v2/monitor/health", timeout=5) as answer:
            told = json.load(answer)
    except OSError:
        return False
    return all(part["status"] == "healthy" for part in told.values() if part["status"] is not None)

def first(query):
    # To ask Airflow itself is seconds of work each time, for which the scheduler would have to wait.
    try:
        return sqlite3.connect(database, uri=True, timeout=5).execute(query).fetchone()
    except sqlite3.OperationalError:
        return None

def until(condition, seconds, what):
    end = time.monotonic() + seconds
    while not condition():
        if server.poll() is not None or time.monotonic() > end:
            sys.exit(f"{what}: not within {seconds} s")
        time.sleep(0.5)

until(healthy, 120, "health")
until(lambda: first("SELECT 1 FROM dag WHERE dag_id = 'greeting'"), 60, "the DAG")
airflow("dags", "unpause", "greeting", "--yes")
airflow("dags", "trigger", "greeting")
until(lambda: first("SELECT 1 FROM dag_run WHERE dag_id = 'greeting' AND state = 'success'"), 90, "a successful run")
if '"success"' not in airflow("dags", "list-runs", "greeting", "--output", "json"):
    sys.exit("airflow does not list the run as a success")
server.terminate()
server.wait(60)
"""


@pytest.fixture(scope="module", params=["core", "core-py311"])
def stack(request: pytest.FixtureRequest, build_stack: Build) -> str:
    require_root("runc needs it")
    require_tool("runc")
    name: str = request.param
    build_stack(name, "zstd")
    return name


@pytest.fixture(scope="module")
def home(stack: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An AIRFLOW_HOME with a migrated database."""
    folder = tmp_path_factory.mktemp("home") / stack
    run_tool(*command(stack, folder), "airflow", "db", "migrate")
    return folder


def command(stack: str, home: Path) -> list[str]:
    """Make the command line that runs something in a stack's image; others append the command."""
    return [
        *(sys.executable, "-m", "builder", "--project", str(ROOT), "run", stack, "--engine", "runc"),
        *("--network", "none", "--home", str(home), "--volume", f"{DAGS}:/opt/airflow/dags:ro", "--"),
    ]


@pytest.fixture(scope="module")
def run(stack: str, home: Path) -> Run:
    def run_in_image(*words: str) -> str:
        return run_tool(*command(stack, home), *words)

    return run_in_image


@pytest.fixture
def run_alone(stack: str, tmp_path: Path) -> Run:
    """Run in a home that is empty: no configuration there, so the entrypoint asks Airflow for no database to wait for."""
    return lambda *words: run_tool(*command(stack, tmp_path / "home"), *words)


def test_airflow_says_its_version(run_alone: Run) -> None:
    assert run_alone("airflow", "version") == "3.3.2\n"


def test_process_has_the_contract_user_no_capabilities_and_a_read_only_root(run_alone: Run) -> None:
    told = run_alone(
        "bash", "-c", "id -u; id -g; umask; cat /proc/self/status; touch /x 2>&1 || true; touch /opt/airflow/x"
    )
    assert told.splitlines()[:3] == ["50000", "0", "0002"]
    assert re.findall(r"Cap(?:Inh|Prm|Eff|Bnd|Amb):\t(\d+)", told) == ["0" * 16] * 5
    assert "NoNewPrivs:\t1" in told
    assert "Read-only file system" in told


def test_nothing_of_the_image_is_writable_or_setuid_for_its_user(run_alone: Run) -> None:
    find = "find / -xdev \\( -perm /6000 -o -perm -002 ! -type l ! -type d \\) -print 2>/dev/null || true"
    assert run_alone("bash", "-c", find) == ""


def test_dags_are_listed(run: Run) -> None:
    run("airflow", "dags", "reserialize")
    assert "greeting" in run("airflow", "dags", "list")


def test_dag_with_a_taskflow_and_a_bash_task_runs(run: Run) -> None:
    told = run("airflow", "dags", "test", "greeting")
    assert "state=success" in told
    assert "Hello from an image that is a function of its lock" in told


def test_every_provider_that_the_stack_names_imports(run: Run, stack: str) -> None:
    lock = parse_stack_lock((ROOT / f"locks/pylock.{stack}.toml").read_bytes(), file=stack)
    prefix = "apache-airflow-providers-"
    wanted = [
        candidate.project.removeprefix(prefix)
        for candidate in lock.candidates
        if candidate.project.startswith(prefix) and any(who.startswith("stack:") for who in candidate.wanted_by)
    ]
    assert len(wanted) >= 9
    # A provider's folder is its name with dots, or with the last parts in a word of their own, as common/sql.
    program = (
        "import importlib, sys\n"
        "for name in sys.argv[1:]:\n"
        "    for module in (name.replace('-', '.'), name.replace('-', '_')):\n"
        "        try:\n"
        "            importlib.import_module('airflow.providers.' + module + '.get_provider_info')\n"
        "            break\n"
        "        except ModuleNotFoundError as error:\n"
        "            missing = error\n"
        "    else:\n"
        "        raise missing\n"
    )
    run("python", "-c", program, *wanted)
    listed = {
        provider["package_name"] for provider in json.loads(run("airflow", "providers", "list", "--output", "json"))
    }
    assert {prefix + name for name in wanted} <= listed


def test_hooks_and_operators_of_native_wheels_import(run_alone: Run) -> None:
    modules = (
        "airflow.providers.cncf.kubernetes.operators.pod",
        "airflow.providers.postgres.hooks.postgres",
        "airflow.providers.http.operators.http",
        "airflow.providers.celery.executors.celery_executor",
        "airflow.providers.fab.auth_manager.fab_auth_manager",
        "airflow.providers.common.sql.operators.sql",
        "psycopg2",
        "grpc",
        "cryptography.hazmat.bindings._rust",
        "uvloop",
        "zoneinfo",
    )
    program = "import importlib, sys\n[importlib.import_module(name) for name in sys.argv[1:]]\n"
    run_alone("python", "-c", program, *modules)


def test_trust_store_loads(run_alone: Run) -> None:
    program = "import ssl; print(ssl.create_default_context().cert_store_stats()['x509_ca'])"
    assert int(run_alone("python", "-c", program)) > 100


def test_time_zones_are_there(run_alone: Run) -> None:
    assert run_alone("python", "-c", "import zoneinfo; print(zoneinfo.ZoneInfo('Europe/Lisbon'))") == "Europe/Lisbon\n"


def test_no_source_file_lacks_its_bytecode(run_alone: Run) -> None:
    program = (
        "import importlib.util, pathlib, sys\n"
        "for top in (pathlib.Path(sys.prefix), pathlib.Path(sys.base_prefix, 'lib', 'python%d.%d' % sys.version_info[:2])):\n"
        "    for source in top.rglob('*.py'):\n"
        "        if source.is_symlink() or source.parent.name == 'bin':\n"
        "            continue\n"
        "        if not pathlib.Path(importlib.util.cache_from_source(source)).exists():\n"
        "            try:\n"
        "                compile(source.read_bytes(), source, 'exec')\n"
        "            except (SyntaxError, ValueError):\n"
        "                continue\n"
        "            print(source)\n"
    )
    assert run_alone("python", "-W", "ignore", "-c", program) == ""


def test_exit_status_is_passed_on(stack: str, tmp_path: Path) -> None:
    run_tool(*command(stack, tmp_path / "home"), "bash", "-c", "exit 7", status=7)


def test_standalone_gets_healthy_and_runs_a_triggered_dag(stack: str, tmp_path: Path) -> None:
    """Health and trigger are asked inside the container, which has no network but its own loopback."""
    run_tool(*command(stack, tmp_path / "home"), "python", "-c", DRIVER, timeout_s=300)
