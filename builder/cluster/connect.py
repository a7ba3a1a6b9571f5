"""How a cluster is found: a context of a kubeconfig, as kubectl has it, or the service account of the pod that this runs in."""

from __future__ import annotations

import binascii
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from builder.cluster.client import DEFAULT_PATIENCE, KubernetesCluster
from builder.errors import ClusterError, InvalidInputError
from builder.store.patience import Patience

if TYPE_CHECKING:
    from kubernetes.client import Configuration

_IN_CLUSTER: Final = "KUBERNETES_SERVICE_HOST"
_IN_CLUSTER_NAME: Final = "in-cluster"


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """Which cluster."""

    kubeconfig: Path | None = None
    """None for that of the environment."""
    context: str = ""
    """Empty for the current one."""
    in_cluster: bool = False
    """By the service account of this pod."""
    name: str = ""
    """What the cluster is called here; empty to call it as its context."""


def connect(
    address: Address, environment: Mapping[str, str], home: Path, patience: Patience = DEFAULT_PATIENCE
) -> KubernetesCluster:
    """Set up the client of a cluster; nothing is asked yet.

    Args:
        address: which.
        environment: for KUBECONFIG, and to tell whether this runs in a pod.
        home: of the user.
        patience: how long to go on for each list.

    Raises:
        ClusterError: the client is not installed, or the configuration cannot be used.
        InvalidInputError: the context is not in the kubeconfig.
    """
    try:
        from kubernetes.client import ApiClient, Configuration
    except ImportError as error:
        raise ClusterError(
            "needs the client of Kubernetes",
            hint="pip install 'airflow-kubler[kubernetes]', or give it what `kubectl get pods -o json` prints",
        ) from error
    settings: Any = Configuration
    configuration: Configuration = settings()
    # We wait ourselves, with a bound; and an answer that leads elsewhere would take the credentials along.
    configuration.retries = False
    there = kubeconfigs(address, environment, home)
    if address.in_cluster or (_IN_CLUSTER in environment and not there and not address.context):
        _load_in_cluster(configuration)
        context, name = "", address.name or _IN_CLUSTER_NAME
    else:
        context = _load_context(configuration, address, there)
        name = address.name or context
    return KubernetesCluster(ApiClient(configuration), name=name, context=context, patience=patience)


def kubeconfigs(address: Address, environment: Mapping[str, str], home: Path) -> tuple[Path, ...]:
    """List the kubeconfigs that are there: the one given, those of KUBECONFIG, or the user's own."""
    if address.kubeconfig is not None:
        return (address.kubeconfig,)
    named = [Path(part) for part in environment.get("KUBECONFIG", "").split(":") if part]
    return tuple(path for path in named or [home / ".kube/config"] if path.is_file())


def _load_in_cluster(configuration: Configuration) -> None:
    from kubernetes.config import ConfigException, load_incluster_config

    load: Any = load_incluster_config
    try:
        load(client_configuration=configuration)
    except (ConfigException, OSError) as error:
        raise ClusterError(
            f"no service account of a pod: {error}", hint="name a kubeconfig by --kubeconfig, or a context by --context"
        ) from error


def _load_context(configuration: Configuration, address: Address, paths: tuple[Path, ...]) -> str:
    """Read a context of the kubeconfigs; returns its name."""
    import yaml
    from kubernetes.config import ConfigException, list_kube_config_contexts, load_kube_config

    where = ":".join(map(str, paths)) or "kubeconfig"
    if not paths:
        raise ClusterError(
            "there is none",
            context=where,
            hint="name one by --kubeconfig, or give what `kubectl get pods -o json` prints",
        )
    find, load = list_kube_config_contexts, load_kube_config
    list_contexts: Any = find
    load_context: Any = load
    try:
        contexts, current = list_contexts(where)
        names = sorted(str(one["name"]) for one in contexts)
        wanted = address.context or str((current or {}).get("name", ""))
        if wanted not in names:
            raise InvalidInputError(
                f"has no context {wanted[:80]!r}", context=where, hint=f"it has: {', '.join(names)[:300]}"
            )
        load_context(where, context=wanted, client_configuration=configuration)
    except (
        ConfigException,
        OSError,
        yaml.YAMLError,
        ValueError,
        KeyError,
        TypeError,
        AttributeError,
        binascii.Error,
    ) as error:
        said = " ".join(f"{error}".split())[:300]
        raise ClusterError(
            f"cannot be used: {said}", context=where, hint="kubectl config view shows what it has"
        ) from error
    return wanted
