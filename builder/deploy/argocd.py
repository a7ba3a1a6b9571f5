"""Forms for Argo CD: overrides of an Application that stand in git, and a custom resource of the Image Updater.

Source: argo-cd docs, user-guide/parameters.md, "Store Overrides In Git"; argocd-image-updater 1.x, docs/configuration/images.md and
its API v1alpha1. `spec.namespace` was taken out of that API: the resource stands in the namespace of its Applications.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from builder.deploy.answer import DigestAnswer
from builder.deploy.options import FormOptions, chart_values, check_label, header
from builder.deploy.yaml_text import Tree, render_yaml
from builder.errors import InvalidInputError


def render_argocd(image: DigestAnswer, options: FormOptions) -> str:
    """Render the form that was asked for."""
    above = header(image, "argocd", options)
    if options.form == "image-updater":
        return render_yaml(_updater(image, options), header=above)
    parameters: list[Tree] = [
        {"name": name, "value": value, "forceString": True} for name, value in _flatten(chart_values(image, options))
    ]
    return render_yaml({"helm": {"parameters": parameters}}, header=above)


def _flatten(values: Mapping[str, Tree], above: str = "") -> Iterator[tuple[str, str]]:
    """List values of the chart as parameters, by the path of each."""
    for key, value in values.items():
        if isinstance(value, Mapping):
            yield from _flatten(value, f"{above}{key}.")
        elif isinstance(value, str):
            yield f"{above}{key}", value


def _updater(image: DigestAnswer, options: FormOptions) -> Tree:
    """Make a resource that follows the channel's tag by its digest.

    The updater writes `<tag>@sha256:...` into the parameter that it is told to be the tag: the chart prints that everywhere.
    """
    if not image.channel:
        raise InvalidInputError(
            "the Image Updater follows a tag that moves, and a digest is none",
            context="digest",
            hint="name a --channel",
        )
    return {
        "apiVersion": "argocd-image-updater.argoproj.io/v1alpha1",
        "kind": "ImageUpdater",
        "metadata": {
            "name": check_label(f"{image.stack}-{image.channel}", "a resource"),
            "namespace": check_label(options.namespace or "argocd", "a namespace"),
        },
        "spec": {
            "applicationRefs": [
                {
                    "namePattern": check_label(options.name or "airflow", "an Application"),
                    "images": [
                        {
                            "alias": "airflow",
                            "imageName": f"{image.repository}:{image.channel}",
                            "commonUpdateSettings": {
                                "updateStrategy": "digest",
                                # The image is new to the Application, and the pod template's is in no container of it.
                                "forceUpdate": True,
                            },
                            "manifestTargets": {
                                "helm": {"name": "defaultAirflowRepository", "tag": "defaultAirflowTag"}
                            },
                        }
                    ],
                }
            ]
        },
    }
