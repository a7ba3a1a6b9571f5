"""What around an image makes something else run than what is in it: commands, variables, mounts, containers, airflow.cfg."""

from __future__ import annotations

import configparser
import posixpath
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from fnmatch import fnmatchcase
from pathlib import PurePosixPath
from typing import Final

from builder.drift.images import parse_image
from builder.drift.judge import Case
from builder.drift.mend import unset_variable
from builder.drift.model import Expected, Finding, Place, Role, Rules, Settings, Severity

RUNTIME_INSTALL: Final = "installs at run time"
UNEXPECTED: Final = "unexpected container"
COVERED: Final = "covered by a mount"
WORKER_IMAGE: Final = "workers started by tag"

_REQUIREMENTS: Final = "_PIP_ADDITIONAL_REQUIREMENTS"
"""What the official image's entrypoint installs at each start."""
_INSTALLERS: Final = frozenset(
    (
        *("pip", "uv", "pipx", "poetry", "pdm", "conda", "mamba", "micromamba", "easy_install", "npm"),
        *("apt", "apt-get", "aptitude", "apk", "dnf", "microdnf", "yum"),
    )
)
_INSTALLS: Final = frozenset(("install", "add", "sync", "i"))
_PIP: Final = re.compile(r"pip[0-9.]*\Z")
_SHELL_WORDS: Final = re.compile(r"[^\s;&|()`'\"$<>]+|[;&|\n]")
_LOOK_AHEAD: Final = 8
"""Words between a program and its verb: options and their values."""
_CODE: Final = tuple(
    PurePosixPath(path)
    for path in (
        *("/home/airflow/.local/lib", "/home/airflow/.local/bin", "/usr/lib", "/usr/local/lib", "/usr/bin"),
        *("/entrypoint", "/clean-logs"),
    )
)
CHART_CONTAINERS: Final = frozenset(
    (
        *("airflow-cleanup-pods", "airflow-xcom-sidecar", "api-server", "base", "create-user", "dag-processor"),
        *("dag-processor-log-groomer", "database-cleanup", "flower", "git-sync", "git-sync-init", "kerberos-init"),
        *("metrics-exporter", "otel-collector", "pgbouncer", "redis", "run-airflow-migrations", "scheduler"),
        *("scheduler-log-groomer", "statsd", "triggerer", "triggerer-log-groomer", "volume-permissions"),
        *("wait-for-airflow-migrations", "webserver", "worker", "worker-kerberos", "worker-log-groomer"),
        "api-server-rollout-restart",
    )
)
"""Names of containers in the pods of Airflow's chart, and of those that Airflow itself starts."""
_SECTIONS: Final = ("kubernetes_executor", "kubernetes")
_WORKER_KEYS: Final = ("worker_container_repository", "worker_container_tag")


def judge_around(case: Case, rules: Rules) -> Iterator[Finding]:
    """Find what is wrong around a container's image."""
    yield from _unexpected(case)
    if case.is_allowed():
        return
    container = case.container
    for words in (container.command, *container.hooks):
        if installing := find_install(words):
            what = f"its command installs into the container: {installing}"
            yield case.finding(RUNTIME_INSTALL, Severity.HIGH, what, _into_the_stack(case))
    for name, value in container.env:
        if name == _REQUIREMENTS and value.strip():
            what = f"{_REQUIREMENTS} installs at each start: {value[:200]}"
            mend = unset_variable(case.workload, rules.context, case.pod.namespace, container.name, name)
            yield case.finding(RUNTIME_INSTALL, Severity.HIGH, what, mend)
    for mount in container.mounts:
        if covers_code(mount):
            what = f"{mount[:200]} is covered by a mount: what the image has there does not run"
            yield case.finding(COVERED, Severity.HIGH, what)
    yield from _worker_image_by_variables(case, rules)


def _unexpected(case: Case) -> Iterator[Finding]:
    container, allowed = case.container, case.expected.target.containers
    if container.role is Role.EPHEMERAL:
        what = "was put into the running pod, to look around in it"
        yield case.finding(UNEXPECTED, Severity.MEDIUM, what)
    elif container.name not in CHART_CONTAINERS and not any(fnmatchcase(container.name, name) for name in allowed):
        what = f"an {container.role}" if container.role is Role.INIT else "a container"
        what += " that neither Airflow's chart nor the target names"
        yield case.finding(UNEXPECTED, Severity.MEDIUM, what)


def _into_the_stack(case: Case) -> str:
    return f"airflow-kubler lock {case.expected.target.stack}"


def find_install(words: Sequence[str]) -> str:
    """Find a program in a command line that installs something; empty where there is none.

    >>> find_install(["bash", "-c", "python -m pip --quiet install pandas==1.0 && exec airflow scheduler"])
    'pip --quiet install pandas==1.0'
    """
    found: list[str] = []
    for text in words:
        found += _SHELL_WORDS.findall(text)
    for position, word in enumerate(found):
        name = word.rpartition("/")[2]
        if name not in _INSTALLERS and not _PIP.match(name):
            continue
        after = found[position + 1 : position + 1 + _LOOK_AHEAD]
        end = next((index for index, other in enumerate(after) if other in ";&|\n"), len(after))
        verb = next((index for index, other in enumerate(after[:end]) if other in _INSTALLS), None)
        if verb is not None:
            return " ".join([name, *after[: min(end, verb + 3)]])[:200]
    return ""


def covers_code(mount: str) -> bool:
    """Tell whether a mount hides code of our images, or stands above some.

    >>> covers_code("/home/airflow/.local/lib/python3.13/site-packages/airflow/models/dag.py"), covers_code("/opt/airflow/dags")
    (True, False)
    """
    path = PurePosixPath(posixpath.normpath(mount))
    return any(path.is_relative_to(code) or code.is_relative_to(path) for code in _CODE)


def _worker_image_by_variables(case: Case, rules: Rules) -> Iterator[Finding]:
    given = dict(case.container.env)
    for section in _SECTIONS:
        repository, tag = (given.get(f"AIRFLOW__{section}__{key}".upper(), "") for key in _WORKER_KEYS)
        # One alone joins what airflow.cfg has for the other.
        if tag and not _is_pinned(repository or case.expected.repository, tag, (case.expected,)):
            what = f"variables make the executor start workers as {repository or '...'}:{tag[:200]}"
            yield case.finding(WORKER_IMAGE, Severity.HIGH, what, case.right_image(rules))


def judge_settings(settings: Iterable[Settings], expected: Mapping[str, Sequence[Expected]]) -> Iterator[Finding]:
    """Find settings of Airflow that make KubernetesExecutor start workers by a tag.

    Args:
        settings: each airflow.cfg.
        expected: by namespace, what the pods there should run.
    """
    for one in settings:
        wanted = expected.get(one.namespace, ())
        if not wanted:
            continue
        place = Place(namespace=one.namespace, workload=f"configmap/{one.name}")
        try:
            repository, tag = _worker_image(one.text)
        except configparser.Error as error:
            what = f"airflow.cfg cannot be read: {' '.join(str(error).split())[:200]}"
            yield Finding(kind=WORKER_IMAGE, severity=Severity.LOW, place=place, what=what)
            continue
        if repository and tag and not _is_pinned(repository, tag, wanted):
            what = f"airflow.cfg makes the executor start workers as {repository[:200]}:{tag[:200]}, whatever the pod template says"
            target = wanted[0].target
            mend = f"airflow-kubler digest {target.stack} --channel {target.channel} --format helm"
            yield Finding(kind=WORKER_IMAGE, severity=Severity.HIGH, place=place, what=what, mend=mend)


def _worker_image(text: str) -> tuple[str, str]:
    """Read what workers are started as; empty where no executor uses it."""
    parser = configparser.RawConfigParser(strict=False)
    parser.read_string(text)
    if "kubernetes" not in parser.get("core", "executor", fallback="kubernetes").lower():
        return "", ""
    for section in _SECTIONS:
        repository, tag = (parser.get(section, key, fallback="").strip() for key in _WORKER_KEYS)
        if repository and tag:
            return repository, tag
    return "", ""


def _is_pinned(repository: str, tag: str, wanted: Iterable[Expected]) -> bool:
    """Tell whether `repository:tag` carries a digest of what is wanted, as `repository:tag@sha256:...`."""
    digest = parse_image(f"{repository}:{tag}").digest
    return any(digest in one.names for one in wanted)
