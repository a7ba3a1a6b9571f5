"""What around an image makes something else run: each is found, and what is harmless is let be."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from tests.support.looks import PROD, findings, told
from tests.support.pods import NEW, OLD, REPOSITORY, config_map, container, deployed, make_channel


@pytest.fixture
def ledger_path(tmp_path: Path) -> Path:
    path = tmp_path / "ledger.db"
    make_channel(path)
    return path


@pytest.mark.parametrize(
    ("command", "said"),
    [
        (["bash", "-c", "pip install --user pandas && exec airflow scheduler"], "pip install --user pandas"),
        (["bash", "-c", "python -m pip3.13 --proxy http://p install x"], "pip3.13 --proxy http://p install x"),
        (["uv", "pip", "install", "x"], "uv pip install x"),
        (["sh", "-c", "apt-get update; apt-get -y install gcc"], "apt-get -y install gcc"),
    ],
)
def test_a_command_that_installs_is_high(command: list[str], said: str, ledger_path: Path) -> None:
    (found,) = findings(ledger_path, deployed("scheduler", container(command=command)))
    assert (found.kind, found.severity.word) == ("installs at run time", "high")
    assert said in found.what


def test_requirements_that_the_entrypoint_installs_are_high(ledger_path: Path) -> None:
    item = deployed("scheduler", container(env={"_PIP_ADDITIONAL_REQUIREMENTS": "pandas==1.0"}))
    (found,) = findings(ledger_path, item)
    assert found.kind == "installs at run time"
    assert found.mend == (
        "kubectl -n airflow set env -c scheduler deployment/airflow-scheduler _PIP_ADDITIONAL_REQUIREMENTS-"
    )
    assert findings(ledger_path, deployed("scheduler", container(env={"_PIP_ADDITIONAL_REQUIREMENTS": " "}))) == []


@pytest.mark.parametrize(
    "mount",
    [
        "/home/airflow/.local/lib/python3.13/site-packages/airflow/models/dag.py",
        "/home/airflow",
        "/entrypoint",
        "/opt/../usr/lib",
    ],
)
def test_code_that_a_mount_covers_is_high(mount: str, ledger_path: Path) -> None:
    assert told(ledger_path, deployed("scheduler", container(mounts=[mount]))) == [("covered by a mount", "high")]


def test_containers_that_nobody_expects_are_told(ledger_path: Path) -> None:
    items = [
        container("scheduler"),
        container("miner"),
        container("istio-proxy"),
        container("warm-up", kind="initContainers"),
        container("debugger-x7k", kind="ephemeralContainers"),
    ]
    target = replace(PROD, containers=("istio-*",))
    found = findings(ledger_path, deployed("scheduler", *items), targets=(target,))
    assert [(one.kind, one.place.container) for one in found] == [
        ("unexpected container", name) for name in ("debugger-x7k", "miner", "warm-up")
    ]


@pytest.mark.parametrize(
    ("repository", "tag", "kinds"),
    [
        (REPOSITORY, "prod", ["workers started by tag"]),
        (REPOSITORY, f"prod@{NEW.digest}", []),
        (f"{REPOSITORY}@sha256", NEW.digest.removeprefix("sha256:"), []),
        (REPOSITORY, f"prod@{OLD.digest}", ["workers started by tag"]),
        ("", "", []),
    ],
    ids=["tag", "tag with digest", "digest in two halves", "another digest", "left to the template"],
)
def test_settings_that_start_workers_by_tag_are_high(
    repository: str, tag: str, kinds: list[str], ledger_path: Path
) -> None:
    for section in ("kubernetes_executor", "kubernetes"):
        text = f"[{section}]\nworker_container_repository = {repository}\nworker_container_tag = {tag}\n"
        item = config_map(f"[core]\nexecutor = KubernetesExecutor\n{text}")
        assert [one.kind for one in findings(ledger_path, deployed("scheduler"), item)] == kinds
        celery = config_map(f"[core]\nexecutor = CeleryExecutor\n{text}")
        assert findings(ledger_path, deployed("scheduler"), celery) == []
    variables = {
        "AIRFLOW__KUBERNETES_EXECUTOR__WORKER_CONTAINER_REPOSITORY": repository,
        "AIRFLOW__KUBERNETES_EXECUTOR__WORKER_CONTAINER_TAG": tag,
    }
    assert [one.kind for one in findings(ledger_path, deployed("scheduler", container(env=variables)))] == kinds


def test_settings_that_cannot_be_read_are_told(ledger_path: Path) -> None:
    (found,) = findings(ledger_path, deployed("scheduler"), config_map("no section"))
    assert "cannot be read" in found.what
