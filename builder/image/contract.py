"""The run contract: what an image promises to whoever starts it, the same as the official Airflow image.

User 50000 with group 0, `/entrypoint` under dumb-init, `/clean-logs`, AIRFLOW_HOME=/opt/airflow, everything of Python in a
virtual environment at /home/airflow/.local, the Helm chart's labels and port. The scripts are this project's own.

- Nothing here is writable by the image's user but /opt/airflow and /home/airflow: the virtual environment belongs to root.
- Every value comes from the lock: no clock, no host, no version of this program.

Source: apache/airflow, docker-stack-docs/entrypoint.rst, and the tail of its Dockerfile.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from builder.digest import Digest
from builder.entry import Entry, directory_entry, file_entry, symlink_entry
from builder.oci.config import RunConfig, format_time

if TYPE_CHECKING:
    # Its name alone: a push needs no more of this file than a label.
    from builder.lock.model import StackLock

AIRFLOW_UID = 50000
AIRFLOW_HOME = "/opt/airflow"
USER_HOME = "/home/airflow"
PREFIX = "/home/airflow/.local"
"""The virtual environment: not below AIRFLOW_HOME, which may be a mounted empty folder."""
HTTP_PORT = 8080
DUMB_INIT = ("/usr/bin/dumb-init", "--")
STACK_LABEL = "airflow-kubler.stack"
LOCK_LABEL = "airflow-kubler.lock"
"""Digest of the lock file that an image says it was built from."""

WRITABLE_FOLDERS = (
    "home/airflow",
    "opt/airflow",
    "opt/airflow/config",
    "opt/airflow/dags",
    "opt/airflow/logs",
    "opt/airflow/plugins",
)
"""What the image's user may write to, and nothing else but memory file systems."""


def contract_entries(python: str, interpreter: str = "") -> tuple[Entry, ...]:
    """List the contract's own entries, by path.

    Args:
        python: version of the base's interpreter, as `3.13.5`; `3.13` will do.
        interpreter: its path in the image; Debian's by default.
    """
    entries = (
        *(directory_entry(path, mode=0o775, uid=AIRFLOW_UID) for path in WRITABLE_FOLDERS),
        file_entry("entrypoint", _script("entrypoint.sh"), executable=True),
        file_entry("clean-logs", _script("clean-logs.sh"), executable=True),
        *_environment_skeleton(python, interpreter),
    )
    return tuple(sorted(entries, key=lambda entry: entry.path))


def contract_config(lock: StackLock, lock_digest: Digest, init: tuple[str, ...] = DUMB_INIT) -> RunConfig:
    """Make the contract's part of an image config.

    Args:
        lock: the stack's lock.
        lock_digest: of the lock file's bytes, recorded as a label.
        init: what runs as process 1.
    """
    return RunConfig(
        env=tuple(f"{name}={value}" for name, value in _env(lock)),
        entrypoint=(*init, "/entrypoint"),
        cmd=(),
        user=f"{AIRFLOW_UID}:0",
        working_dir=AIRFLOW_HOME,
        exposed_ports=(f"{HTTP_PORT}/tcp",),
        labels=_labels(lock, lock_digest),
    )


def _environment_skeleton(python: str, interpreter: str) -> tuple[Entry, ...]:
    """Make the virtual environment that distributions are unpacked into, as `python -m venv` lays it out."""
    minor = ".".join(python.split(".")[:2])
    prefix = PREFIX.removeprefix("/")
    interpreter = interpreter or f"/usr/bin/python{minor}"
    home = interpreter.rpartition("/")[0]
    settings = f"home = {home}\ninclude-system-site-packages = false\nversion = {python}\nexecutable = {interpreter}\n"
    return (
        *(
            directory_entry(f"{prefix}{below}")
            for below in ("", "/bin", "/lib", f"/lib/python{minor}", f"/lib/python{minor}/site-packages")
        ),
        file_entry(f"{prefix}/pyvenv.cfg", settings.encode()),
        *(symlink_entry(f"{prefix}/bin/{name}", interpreter) for name in ("python", "python3", f"python{minor}")),
    )


def _env(lock: StackLock) -> tuple[tuple[str, str], ...]:
    system_path = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
    return (
        ("PATH", f"{PREFIX}/bin:{system_path}"),
        ("VIRTUAL_ENV", PREFIX),
        ("LANG", "C.UTF-8"),
        ("LC_ALL", "C.UTF-8"),
        ("AIRFLOW_HOME", AIRFLOW_HOME),
        ("AIRFLOW_USER_HOME_DIR", USER_HOME),
        ("AIRFLOW_UID", str(AIRFLOW_UID)),
        ("AIRFLOW_VERSION", lock.airflow_version),
        ("AIRFLOW_PYTHON_VERSION", lock.python_version),
        ("PYTHON_VERSION", lock.python_version),
        ("AIRFLOW__CORE__LOAD_EXAMPLES", "false"),
        # Signals reach the whole session; Celery's warm shutdown wants 0.
        ("DUMB_INIT_SETSID", "1"),
        # Workers' heartbeat files in memory: a disk that blocks would look like a hung worker.
        ("GUNICORN_CMD_ARGS", "--worker-tmp-dir /dev/shm"),
        ("PS1", "(airflow)"),
    )


def _labels(lock: StackLock, lock_digest: Digest) -> tuple[tuple[str, str], ...]:
    labels = {
        "airflow-kubler.base": lock.base,
        LOCK_LABEL: str(lock_digest),
        STACK_LABEL: lock.stack,
        "org.apache.airflow.component": "airflow",
        "org.apache.airflow.distro": "debian",
        "org.apache.airflow.image": "airflow",
        "org.apache.airflow.module": "airflow",
        "org.apache.airflow.uid": str(AIRFLOW_UID),
        "org.apache.airflow.version": lock.airflow_version,
        "org.opencontainers.image.created": format_time(lock.created),
        "org.opencontainers.image.description": lock.description,
        "org.opencontainers.image.title": f"airflow-{lock.stack}",
        "org.opencontainers.image.version": lock.airflow_version,
    }
    return tuple(sorted(labels.items()))


@cache
def _script(name: str) -> bytes:
    from importlib.resources import files

    return files("builder.image").joinpath(name).read_bytes()
