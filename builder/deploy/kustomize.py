"""A kustomize component that pins Airflow's image: in containers by `images`, and for worker pods by patches.

Worker pods of the KubernetesExecutor come from a text in a ConfigMap, which `images` does not reach. With the manifests at hand their
texts are written anew (repin.py). Without, the scheduler is told by its environment to replace the template's image, by the executor's
own rule: then what the template's `base` names is of no account, though its other containers still are.

Source: kustomize 5.8, api/types/image.go and patch.go.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from builder.deploy.answer import DigestAnswer
from builder.deploy.executor import REPOSITORY, TAG
from builder.deploy.helm import Pin, airflow_values
from builder.deploy.options import FormOptions, Patch, choose_pin, header
from builder.deploy.yaml_text import Tree, render_yaml

OFFICIAL: Final = "apache/airflow"


def replaced_names(image: DigestAnswer, options: FormOptions) -> tuple[str, ...]:
    """List the names of images in manifests that ours takes the place of, as kustomize compares them."""
    return tuple(dict.fromkeys((*(options.images or (OFFICIAL,)), image.repository)))


def worker_settings(image: DigestAnswer, options: FormOptions) -> tuple[str, str]:
    """Give repository and tag, as the executor joins them by a colon."""
    values = airflow_values(image.repository, image.tag, image.digest, choose_pin(image, options), None)
    return str(values["defaultAirflowRepository"]), str(values["defaultAirflowTag"])


def worker_reference(image: DigestAnswer, options: FormOptions) -> str:
    """Give the image's name as it is written into texts."""
    tag = f":{image.tag}" if choose_pin(image, options) is Pin.TAG else ""
    return f"{image.repository}{tag}@{image.digest}"


def render_kustomize(image: DigestAnswer, options: FormOptions) -> str:
    """Render the component."""
    patches: Sequence[Tree] = [_text_patch(patch) for patch in options.patches]
    component: Tree = {
        "apiVersion": "kustomize.config.k8s.io/v1alpha1",
        "kind": "Component",
        "images": [
            {
                "name": name,
                **({} if name == image.repository else {"newName": image.repository}),
                "digest": image.digest,
            }
            for name in replaced_names(image, options)
        ],
        "patches": patches or [_scheduler_patch(image, options)],
    }
    return render_yaml(component, header=header(image, "kustomize", options))


def _text_patch(patch: Patch) -> Tree:
    path = patch.key.replace("~", "~0").replace("/", "~1")
    change: Tree = [{"op": "replace", "path": f"/data/{path}", "value": patch.text}]
    # kustomize takes the name for a regular expression, whole.
    target = {"version": "v1", "kind": "ConfigMap", "name": re.sub(r"\.", r"\\.", patch.config_map)}
    if patch.namespace:
        target["namespace"] = patch.namespace
    return {"target": target, "patch": render_yaml(change)}


def _scheduler_patch(image: DigestAnswer, options: FormOptions) -> Tree:
    repository, tag = worker_settings(image, options)
    environment: Tree = [
        {"name": f"AIRFLOW__KUBERNETES_EXECUTOR__{REPOSITORY}".upper(), "value": repository},
        {"name": f"AIRFLOW__KUBERNETES_EXECUTOR__{TAG}".upper(), "value": tag},
    ]
    change: Tree = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "scheduler"},
        "spec": {"template": {"spec": {"containers": [{"name": "scheduler", "env": environment}]}}},
    }
    target: Tree = {"group": "apps", "kind": "Deployment|StatefulSet", "labelSelector": "component=scheduler"}
    return {"target": target, "patch": render_yaml(change)}
