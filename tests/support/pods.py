"""Pods as `kubectl get pods -o json` shows them, of Airflow's chart and of the KubernetesExecutor, and a ledger to hold them to."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from builder.ledger.events import Built, Event, Promoted, Pushed
from builder.ledger.model import NewDocument, NewEntry
from builder.ledger.parts import TagMove
from tests.support.ledgers import Ticking, digest_of, make_build, make_ledger

REPOSITORY = "registry.example.org/team/airflow"
OLD, NEW = make_build("core", "old", lock="old lock"), make_build("core", "new", lock="new lock")
OTHER = make_build("aws", "other")
START = 1_790_000_000
MOVED = START + 7 * 60
"""When `make_channel` moves prod to NEW: its seventh entry by a clock that goes a minute further for each."""
NOW = MOVED + 4 * 3600


def make_channel(path: Path, *more: Event, lock: bytes = b"") -> None:
    """Make a ledger whose channel prod of core went from OLD to NEW, pushed; `lock` is NEW's, where one is given."""
    rules = digest_of("rules")
    tags = {OLD.digest: "core-20261120.01", NEW.digest: "core-20261124.01"}
    entries = [
        NewEntry(event=OLD),
        NewEntry(event=Promoted(stack="core", channel="prod", digest=OLD.digest, rules=rules)),
        NewEntry(event=OTHER),
        NewEntry(event=NEW, documents=(NewDocument(data=lock),) if lock else ()),
        NewEntry(event=_pushed(NEW, tags[NEW.digest])),
        NewEntry(event=Promoted(stack="core", channel="prod", digest=NEW.digest, before=OLD.digest, rules=rules)),
    ]
    make_ledger(path, [*entries, *(NewEntry(event=event) for event in more)], clock=Ticking(START))


def _pushed(built: Built, tag: str) -> Pushed:
    return Pushed(digest=built.digest, repository=REPOSITORY, stack=built.stack, tags=(TagMove(tag=tag),))


def moment(epoch: int) -> str:
    """Write a time as the API does."""
    return dt.datetime.fromtimestamp(epoch, dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def container(
    name: str = "scheduler",
    *,
    image: str = f"{REPOSITORY}@{NEW.digest}",
    image_id: str | None = f"{REPOSITORY}@{NEW.digest}",
    command: Sequence[str] = (),
    env: Mapping[str, str] | None = None,
    mounts: Sequence[str] = ("/opt/airflow/logs", "/opt/airflow/airflow.cfg"),
    policy: str = "IfNotPresent",
    waiting: str = "",
    kind: str = "containers",
) -> dict[str, Any]:
    """Make a container with its status: `kind` says in which list it stands."""
    state = {"waiting": {"reason": waiting}} if waiting else {"running": {"startedAt": moment(MOVED + 60)}}
    return {
        "kind": kind,
        "spec": {
            "name": name,
            "image": image,
            "imagePullPolicy": policy,
            "args": list(command) or ["bash", "-c", f"exec airflow {name}"],
            "env": [
                *({"name": key, "value": value} for key, value in (env or {}).items()),
                {
                    "name": "AIRFLOW__CORE__FERNET_KEY",
                    "valueFrom": {"secretKeyRef": {"name": "airflow-fernet-key", "key": "fernet-key"}},
                },
            ],
            "livenessProbe": {"exec": {"command": ["sh", "-c", "airflow jobs check --local"]}, "periodSeconds": 60},
            "resources": {},
            "volumeMounts": [{"name": f"volume-{n}", "mountPath": path} for n, path in enumerate(mounts)],
            "terminationMessagePath": "/dev/termination-log",
        },
        "status": {
            "name": name,
            "image": image,
            "imageID": image_id or "",
            "ready": not waiting,
            "restartCount": 0,
            "started": not waiting,
            "state": state,
        },
    }


def pod(
    name: str,
    *containers: Mapping[str, Any],
    owner: tuple[str, str] | None = None,
    labels: Mapping[str, str] | None = None,
    namespace: str = "airflow",
    started: int = MOVED + 60,
    phase: str = "Running",
) -> dict[str, Any]:
    """Make a pod."""
    found = containers or (container(),)
    lists: dict[str, list[Any]] = {}
    statuses: dict[str, list[Any]] = {}
    for one in found:
        lists.setdefault(one["kind"], []).append(one["spec"])
        statuses.setdefault(one["kind"].removesuffix("s") + "Statuses", []).append(one["status"])
    lists.setdefault("containers", [])
    owners = (
        [{"apiVersion": "apps/v1", "kind": owner[0], "name": owner[1], "uid": "u", "controller": True}] if owner else []
    )
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": name,
            "namespace": namespace,
            "uid": f"uid-{namespace}-{name}",
            "creationTimestamp": moment(started),
            "labels": dict(labels or {}),
            "annotations": {"checksum/airflow-config": "0" * 64},
            **({"ownerReferences": owners} if owners else {}),
        },
        "spec": {**lists, "nodeName": "node-1", "restartPolicy": "Always", "serviceAccountName": "airflow-scheduler"},
        "status": {
            "phase": phase,
            "startTime": moment(started),
            "hostIP": "10.0.0.1",
            "podIP": "10.1.0.7",
            "conditions": [{"type": "Ready", "status": "True"}],
            **statuses,
        },
    }


def deployed(component: str, *containers: Mapping[str, Any], number: int = 1, **more: Any) -> dict[str, Any]:
    """Make a pod of a Deployment of Airflow's chart, release `airflow`."""
    labels = {"tier": "airflow", "component": component, "release": "airflow", "pod-template-hash": "7c9d8f6b5"}
    return pod(
        f"airflow-{component}-7c9d8f6b5-x{number:04}",
        *(containers or (container(component),)),
        owner=("ReplicaSet", f"airflow-{component}-7c9d8f6b5"),
        labels={**labels, **more.pop("labels", {})},
        **more,
    )


def task(dag: str, name: str, *containers: Mapping[str, Any], **more: Any) -> dict[str, Any]:
    """Make a worker pod of the KubernetesExecutor: nobody owns it, its container is `base`."""
    labels = {
        "airflow-worker": "17",
        "airflow_version": "3.3.2",
        "dag_id": dag,
        "task_id": name,
        "run_id": "scheduled__2026-11-30T000000",
        "try_number": "1",
        "kubernetes_executor": "True",
        "tier": "airflow",
        "component": "worker",
        "release": "airflow",
    }
    command = ["python", "-m", "airflow.sdk.execution_time.execute_workload", "--json-string", "{}"]
    return pod(
        f"{dag}-{name}-k3xq9z1v".replace("_", "-"),
        *(containers or (container("base", command=command),)),
        labels=labels,
        **more,
    )


def job(name: str, *containers: Mapping[str, Any], **more: Any) -> dict[str, Any]:
    """Make a pod of a Job of Airflow's chart."""
    labels = {"tier": "airflow", "release": "airflow", "batch.kubernetes.io/job-name": name, "job-name": name}
    return pod(f"{name}-x7k2p", *(containers or (container(),)), owner=("Job", name), labels=labels, **more)


def listed(*items: Any, kind: str = "List") -> dict[str, Any]:
    """Make a list, as kubectl prints it."""
    return {"apiVersion": "v1", "kind": kind, "metadata": {"resourceVersion": ""}, "items": list(items)}


def config_map(text: str, *, name: str = "airflow-config", namespace: str = "airflow") -> dict[str, Any]:
    """Make a ConfigMap with an airflow.cfg."""
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": name, "namespace": namespace, "labels": {"release": "airflow", "tier": "airflow"}},
        "data": {"airflow.cfg": text, "pod_template_file.yaml": "apiVersion: v1\nkind: Pod\n"},
    }
