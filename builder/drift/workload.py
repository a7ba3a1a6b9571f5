"""Who owns a pod: the object that a person wrote, not what a controller made of it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from builder.drift.model import Owner, Pod
from builder.drift.pods import OwnerKey

_HASH_LABEL: Final = "pod-template-hash"
_OF_CRON: Final = re.compile(r"(?P<name>.+)-(?:[0-9]{8}|[0-9]{10})\Z")
"""A CronJob names its jobs by their minute, older clusters by their second."""
_MOST_STEPS: Final = 8
_TASK: Final = "task"
RESTARTED: Final = frozenset(("deployment", "statefulset", "daemonset"))
"""Kinds whose pods are made anew when they go."""


def workload_of(pod: Pod, owners: Mapping[OwnerKey, Owner]) -> Owner:
    """Find what a person would change to change a pod; its kind in lower case.

    A ReplicaSet is named for its Deployment and the hash of the pod's template, which the pod has as a label. Jobs are looked
    up in `owners`; where that is not known, a name as CronJobs give is believed. Worker pods of Airflow's KubernetesExecutor
    have no owner: they are `task`, by their DAG.

    Args:
        pod: whose.
        owners: what owns jobs and others, as far as it was read.
    """
    if pod.owner is None:
        if "kubernetes_executor" in pod.labels or "airflow-worker" in pod.labels:
            return Owner(kind=_TASK, name=pod.labels.get("dag_id", pod.name))
        return Owner(kind="pod", name=pod.name)
    owner = pod.owner
    for _ in range(_MOST_STEPS):
        above = owners.get((pod.namespace, owner.kind, owner.name)) or _above(owner, pod)
        if above is None:
            break
        owner = above
    return Owner(kind=owner.kind.lower(), name=owner.name)


def ends_by_itself(workload: Owner) -> bool:
    """Tell whether pods of a workload end when their work is done."""
    return workload.kind in {_TASK, "job", "cronjob"}


def _above(owner: Owner, pod: Pod) -> Owner | None:
    template = pod.labels.get(_HASH_LABEL, "")
    if owner.kind == "ReplicaSet" and template and owner.name.endswith(f"-{template}"):
        return Owner(kind="Deployment", name=owner.name.removesuffix(f"-{template}"))
    if owner.kind == "Job" and (found := _OF_CRON.match(owner.name)):
        return Owner(kind="CronJob", name=found["name"])
    return None
