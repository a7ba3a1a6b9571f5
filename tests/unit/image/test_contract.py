"""The run contract's entries, config, and its two scripts run under bash with stand-ins for what they call."""

from __future__ import annotations

import os
import subprocess
import time
from pathlib import Path

import pytest

from builder.digest import Digest
from builder.entry import Entry, EntryKind
from builder.image.contract import contract_config, contract_entries
from builder.lock.model import StackLock
from builder.platform import AMD64

SCRIPTS = {entry.path: entry for entry in contract_entries("3.13.5")}


def make_lock() -> StackLock:
    return StackLock(
        stack="core",
        description="Airflow and what every team needs",
        parents=(),
        inputs=Digest.of(b"inputs"),
        airflow_version="3.3.2",
        python_version="3.13.5",
        base="trixie",
        base_lock=Digest.of(b"base"),
        parent_lock=None,
        constraints=None,
        resolver="uv 0.13.9",
        created=1_790_000_000,
        platforms=(AMD64,),
        compression="zstd",
        candidates=(),
        plan=(),
    )


def entries_by_path() -> dict[str, Entry]:
    return {entry.path: entry for entry in contract_entries("3.13.5")}


def test_entries_are_sorted_and_unique() -> None:
    paths = [entry.path for entry in contract_entries("3.13.5")]
    assert paths == sorted(set(paths))


def test_airflow_home_belongs_to_the_user_and_group_0_may_write() -> None:
    for path in ("opt/airflow", "opt/airflow/dags", "opt/airflow/logs", "opt/airflow/plugins", "home/airflow"):
        entry = entries_by_path()[path]
        assert (entry.kind, entry.uid, entry.gid, entry.mode) == (EntryKind.DIRECTORY, 50000, 0, 0o775)


def test_virtual_environment_belongs_to_root() -> None:
    prefixed = [entry for path, entry in entries_by_path().items() if path.startswith("home/airflow/.local")]
    assert prefixed
    assert all((entry.uid, entry.gid, entry.mode & 0o022) == (0, 0, 0) for entry in prefixed if entry.target == "")


@pytest.mark.parametrize("name", ["python", "python3", "python3.13"])
def test_interpreter_links_lead_to_the_base(name: str) -> None:
    assert entries_by_path()[f"home/airflow/.local/bin/{name}"].target == "/usr/bin/python3.13"


def test_config_follows_the_official_image() -> None:
    config = contract_config(make_lock(), Digest.of(b"lock"))
    assert config.entrypoint == ("/usr/bin/dumb-init", "--", "/entrypoint")
    assert config.cmd == ()
    assert config.user == "50000:0"
    assert config.working_dir == "/opt/airflow"
    assert config.exposed_ports == ("8080/tcp",)
    assert config.env[0].startswith("PATH=/home/airflow/.local/bin:")
    assert "AIRFLOW__CORE__LOAD_EXAMPLES=false" in config.env


def test_labels_come_from_the_lock_and_are_sorted() -> None:
    labels = contract_config(make_lock(), Digest.of(b"lock")).labels
    assert list(labels) == sorted(labels)
    assert dict(labels)["org.apache.airflow.version"] == "3.3.2"
    assert dict(labels)["org.opencontainers.image.created"] == "2026-09-21T14:13:20Z"
    assert dict(labels)["airflow-kubler.lock"] == str(Digest.of(b"lock"))


class Container:
    """A folder of stand-ins for the programs that the entrypoint calls; `calls` holds what they were given."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.bin = root / "bin"
        self.bin.mkdir()
        self.program("id", 'case "$*" in -u) echo 50000;; -g) echo "${FAKE_GID:-0}";; -un) echo airflow;; esac')
        self.program("airflow", f'echo "airflow $*" >> {root}/calls; eval "${{FAKE_AIRFLOW:-}}"')
        self.program("python", f'cat > /dev/null; echo "python $*" >> {root}/calls')
        self.program("sleep", f'echo "sleep $*" >> {root}/calls')

    def program(self, name: str, body: str) -> None:
        path = self.bin / name
        path.write_text(f"#!/bin/bash\n{body}\n")
        path.chmod(0o755)

    def run(self, *arguments: str, **env: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["/bin/bash", "-c", SCRIPTS["entrypoint"].data.decode(), "/entrypoint", *arguments],
            env={"PATH": f"{self.bin}:{os.defpath}", "AIRFLOW_HOME": str(self.root / "home"), "HOME": "/x"} | env,
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
            timeout=30,
            check=False,
        )

    @property
    def calls(self) -> list[str]:
        path = self.root / "calls"
        return path.read_text().splitlines() if path.exists() else []


@pytest.fixture
def container(tmp_path: Path) -> Container:
    return Container(tmp_path)


@pytest.mark.parametrize("arguments", [("airflow", "version"), ("version",)], ids=["named", "bare"])
def test_anything_but_bash_and_python_is_an_airflow_command(container: Container, arguments: tuple[str, ...]) -> None:
    assert container.run(*arguments).returncode == 0
    assert container.calls == ["airflow version"]


def test_bash_gets_the_rest_of_the_arguments_and_the_umask(container: Container) -> None:
    done = container.run("bash", "-c", "umask; exit 7")
    assert (done.returncode, done.stdout) == (7, "0002\n")


def test_python_gets_the_rest_of_the_arguments(container: Container) -> None:
    container.run("python", "-c", "1")
    assert container.calls == ["python -c 1"]


def test_a_configured_database_is_waited_for(container: Container) -> None:
    container.run("version", AIRFLOW__DATABASE__SQL_ALCHEMY_CONN_CMD="echo x")
    assert container.calls == ["airflow db check", "airflow version"]


def test_waiting_gives_up_after_the_stated_count_and_says_why(container: Container) -> None:
    done = container.run(
        "version",
        AIRFLOW__DATABASE__SQL_ALCHEMY_CONN="postgresql://db",
        CONNECTION_CHECK_MAX_COUNT="3",
        CONNECTION_CHECK_SLEEP_TIME="5",
        FAKE_AIRFLOW="echo refused; exit 1",
    )
    assert done.returncode == 1
    assert container.calls == ["airflow db check", "sleep 5"] * 2 + ["airflow db check"]
    assert done.stderr == "refused\nERROR: no connection to the database after 3 attempts; giving up.\n"


def test_waiting_can_be_switched_off(container: Container) -> None:
    container.run("celery", "worker", AIRFLOW__DATABASE__SQL_ALCHEMY_CONN="x", CONNECTION_CHECK_MAX_COUNT="0")
    assert container.calls == ["airflow celery worker"]


def test_celery_workers_wait_for_their_broker(container: Container) -> None:
    container.run(
        "celery", "worker", FAKE_AIRFLOW='case "$*" in *executor) echo CeleryExecutor;; *url) echo redis://r;; esac'
    )
    assert container.calls[-2:] == ["python - redis://r", "airflow celery worker"]


def test_a_migration_job_without_a_command_ends_after_migrating(container: Container) -> None:
    assert container.run(_AIRFLOW_DB_MIGRATE="true").returncode == 0
    assert container.calls == ["airflow db migrate"]


def test_user_creation_needs_a_password(container: Container) -> None:
    done = container.run("version", _AIRFLOW_WWW_USER_CREATE="true")
    assert done.returncode == 1
    assert "without a password" in done.stderr


def test_user_is_created_with_the_password_of_the_command(container: Container) -> None:
    container.run(
        "version",
        _AIRFLOW_WWW_USER_CREATE="true",
        _AIRFLOW_WWW_USER_PASSWORD_CMD="echo secret",  # noqa: S106 - a stand-in
        FAKE_AIRFLOW='case "$*" in *auth_manager) echo a.b.FabAuthManager;; esac',
    )
    assert container.calls[1].startswith("airflow users create --username admin --firstname Airflow")
    assert container.calls[1].endswith("--role Admin --password secret")


def test_installing_at_start_is_refused_with_the_way_out(container: Container) -> None:
    done = container.run("version", _PIP_ADDITIONAL_REQUIREMENTS="requests")
    assert done.returncode == 1
    assert "stack.toml" in done.stderr
    assert container.calls == []


def test_a_foreign_group_is_warned_about(container: Container) -> None:
    done = container.run("version", FAKE_GID="1000")
    assert done.returncode == 0
    assert "WARNING: run this image with group 0" in done.stderr


def test_log_groomer_removes_old_logs_and_then_the_oldest_beyond_the_limit(tmp_path: Path) -> None:
    logs = tmp_path / "logs"
    (logs / "dag").mkdir(parents=True)
    now = time.time()
    for name, age_days, size in (("old.log", 20, 1), ("a.log", 3, 600), ("b.log", 2, 600), ("old.txt", 20, 1)):
        path = logs / "dag" / name
        path.write_bytes(b"x" * size)
        os.utime(path, (now - age_days * 86400,) * 2)
    empty = logs / "empty"
    empty.mkdir()
    os.utime(empty, (now - 3600,) * 2)
    with subprocess.Popen(
        ["/bin/bash", "-c", SCRIPTS["clean-logs"].data.decode()],
        env={"PATH": os.defpath, "AIRFLOW_HOME": str(tmp_path), "AIRFLOW__LOG_MAX_SIZE_BYTES": "1000"},
        stdout=subprocess.DEVNULL,
    ) as groomer:
        deadline = time.monotonic() + 10
        while empty.exists() and time.monotonic() < deadline:
            time.sleep(0.05)
        groomer.terminate()
    assert groomer.returncode == 0
    assert sorted(path.name for path in logs.rglob("*")) == ["b.log", "dag", "old.txt"]


def test_log_groomer_that_is_ended_amid_its_work_ends_well(tmp_path: Path) -> None:
    (tmp_path / "logs").mkdir()
    (tmp_path / "bin").mkdir()
    begun = tmp_path / "begun"
    slow = tmp_path / "bin/find"
    slow.write_text(f"#!/bin/bash\n: > {begun}\nexec sleep 1\n")
    slow.chmod(0o755)
    with subprocess.Popen(
        ["/bin/bash", "-c", SCRIPTS["clean-logs"].data.decode()],
        env={"PATH": f"{slow.parent}:{os.defpath}", "AIRFLOW_HOME": str(tmp_path)},
        stdout=subprocess.DEVNULL,
    ) as groomer:
        deadline = time.monotonic() + 10
        while not begun.exists() and time.monotonic() < deadline:
            time.sleep(0.01)
        groomer.terminate()
    assert groomer.returncode == 0
