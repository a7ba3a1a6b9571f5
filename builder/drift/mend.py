"""Command lines that mend what was found. They are shown, never run.

Names come from a cluster where others may choose them: each is one quoted word of the line, and where one could be taken for
an option or is no name at all, there is no line.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping, Sequence
from typing import Final

from builder.drift.model import Expected, Owner
from builder.drift.workload import RESTARTED, ends_by_itself

_SETTABLE: Final = RESTARTED | {"replicaset", "cronjob"}
"""Kinds whose image `kubectl set image` changes."""
_CHART: Final = "apache-airflow/airflow"
_NAME: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.:@-]{0,300}\Z")
_PARTS: Final = re.compile(r"[=/]")


def kubectl(context: str, namespace: str, verb: Sequence[str], names: Sequence[str]) -> str:
    """Write a command of kubectl; empty where a name is none.

    >>> kubectl("", "airflow", ["delete", "pod"], ["scheduler-0"])
    'kubectl -n airflow delete pod scheduler-0'
    >>> kubectl("", "airflow", ["delete", "pod"], ["--all"])
    ''
    """
    if not _are_names(namespace, *(part for name in names for part in _PARTS.split(name.removesuffix("-")))):
        return ""
    where = (f"--context={context}",) if context else ()
    return shlex.join(("kubectl", *where, "-n", namespace, *verb, *names))


def put_right_image(
    expected: Expected, workload: Owner, labels: Mapping[str, str], context: str, namespace: str, container: str
) -> str:
    """Write how a container comes to run what its channel says.

    Where Airflow's chart made the pod, by the chart's values: what kubectl sets, the next `helm upgrade` takes back.
    """
    target = expected.target
    digest = ("airflow-kubler", "digest", target.stack, "--channel", target.channel, "--format")
    release = labels.get("release", "")
    if labels.get("tier") == "airflow" and _are_names(release, namespace):
        upgrade = ("helm", "upgrade", release, _CHART, *((f"--kube-context={context}",) if context else ()))
        values = ("-n", namespace, "--reuse-values", "-f", "digest.yaml")
        return f"{shlex.join((*digest, 'helm'))} > digest.yaml && {shlex.join((*upgrade, *values))}"
    if workload.kind in _SETTABLE and expected.repository:
        names = (f"{workload.kind}/{workload.name}", f"{container}={expected.reference}")
        return kubectl(context, namespace, ("set", "image"), names)
    return shlex.join((*digest, "ref"))


def make_anew(workload: Owner, context: str, namespace: str, pod: str) -> str:
    """Write how a workload's pods are made from its template again; empty where they end by themselves."""
    if workload.kind in RESTARTED:
        return kubectl(context, namespace, ("rollout", "restart"), (f"{workload.kind}/{workload.name}",))
    return "" if ends_by_itself(workload) else kubectl(context, namespace, ("delete", "pod"), (pod,))


def unset_variable(workload: Owner, context: str, namespace: str, container: str, name: str) -> str:
    """Write how a variable is taken out of a container; empty where it is not known by what."""
    if workload.kind not in _SETTABLE or not _are_names(container):
        return ""
    verb = ("set", "env", "-c", container)
    return kubectl(context, namespace, verb, (f"{workload.kind}/{workload.name}", f"{name}-"))


def _are_names(*texts: str) -> bool:
    return all(_NAME.match(text) for text in texts)
