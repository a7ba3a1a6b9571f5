"""Forms for Flux: values of a HelmRelease, and policies that find the image in the registry.

- `release`: a HelmRelease with nothing but values, to be laid over yours by kustomize.
- `policy`: the channel's tag, whose digest is looked at again and again: the tag moves.
- `newest`: the immutable tags of the stack; they sort as text, so that the last one is the newest.

Flux's automation fills in what a comment names: `:name`, `:tag`, `:digest`, or the whole. There is none for `<tag>@<digest>`
(fluxcd/image-automation-controller#960), which is what charts up to 1.22 need. So comments stand only in values for charts whose
digest key reaches the pod template; for others the values are to be written again by this command after each move.

Source: fluxcd/image-reflector-controller docs/spec/v1, fluxcd/image-automation-controller docs/spec/v1.
"""

from __future__ import annotations

from collections.abc import Mapping

from builder.deploy.answer import DigestAnswer
from builder.deploy.helm import DIGEST_REACHES_POD_TEMPLATE, Pin, executor_keeps_template, merge_values, other_values
from builder.deploy.options import FormOptions, chart_values, check_label, header
from builder.deploy.yaml_text import Marked, Tree, inline_leaves, render_yaml
from builder.errors import InvalidInputError

_NAMESPACE = "flux-system"
_INTERVAL = "5m"
_IMAGE_API = "image.toolkit.fluxcd.io/v1"


def render_flux(image: DigestAnswer, options: FormOptions) -> str:
    """Render the form that was asked for."""
    above = header(image, "flux", options)
    match options.form:
        case "policy":
            documents = (_repository(image, options), _channel_policy(image, options))
        case "newest":
            documents = (_repository(image, options), _newest_policy(image, options))
        case _:
            return render_yaml(_release(image, options), header=above)
    return render_yaml(*documents, header=above)


def _release(image: DigestAnswer, options: FormOptions) -> Tree:
    return {
        "apiVersion": "helm.toolkit.fluxcd.io/v2",
        "kind": "HelmRelease",
        "metadata": {
            "name": check_label(options.name or "airflow", "a HelmRelease"),
            "namespace": check_label(options.namespace or "airflow", "a namespace"),
        },
        "spec": {"values": inline_leaves(_values(image, options))},
    }


def _values(image: DigestAnswer, options: FormOptions) -> Mapping[str, Tree]:
    """Make the values, with comments for Flux's automation where these can keep all of them right."""
    reaches = options.chart is not None and options.chart >= DIGEST_REACHES_POD_TEMPLATE
    if not reaches or not image.channel or options.pin is Pin.TAG:
        return chart_values(image, options)
    policy = f"{_NAMESPACE}:{_policy_name(image)}"
    values: dict[str, Tree] = {
        "defaultAirflowRepository": Marked(image.repository, _marker(policy, "name")),
        "defaultAirflowDigest": Marked(image.digest, _marker(policy, "digest")),
        # No flower: it prints a tag, which no comment can fill in with a digest.
        "config": executor_keeps_template(),
    }
    return merge_values(values, other_values(options.others))


def _marker(policy: str, part: str) -> str:
    return f'{{"$imagepolicy": "{policy}:{part}"}}'


def _repository(image: DigestAnswer, options: FormOptions) -> Tree:
    return {
        "apiVersion": _IMAGE_API,
        "kind": "ImageRepository",
        "metadata": _metadata(check_label(image.stack, "an ImageRepository"), options),
        "spec": {"image": image.repository, "interval": _INTERVAL},
    }


def _channel_policy(image: DigestAnswer, options: FormOptions) -> Tree:
    if not image.channel:
        raise InvalidInputError(
            "a policy follows a tag, and a digest moves nowhere", context="digest", hint="name a --channel"
        )
    return {
        "apiVersion": _IMAGE_API,
        "kind": "ImagePolicy",
        "metadata": _metadata(_policy_name(image), options),
        "spec": {
            "imageRepositoryRef": {"name": image.stack},
            "filterTags": {"pattern": f"^{image.channel}$"},
            "policy": {"alphabetical": {"order": "asc"}},
            "digestReflectionPolicy": "Always",
            "interval": _INTERVAL,
        },
    }


def _newest_policy(image: DigestAnswer, options: FormOptions) -> Tree:
    return {
        "apiVersion": _IMAGE_API,
        "kind": "ImagePolicy",
        "metadata": _metadata(check_label(f"{image.stack}-newest", "an ImagePolicy"), options),
        "spec": {
            "imageRepositoryRef": {"name": image.stack},
            "filterTags": {
                "pattern": rf"^{image.stack}-(?P<day>[0-9]{{8}})\.(?P<number>[0-9]{{2}})$",
                "extract": "$day.$number",
            },
            "policy": {"alphabetical": {"order": "asc"}},
            "digestReflectionPolicy": "IfNotPresent",
        },
    }


def _metadata(name: str, options: FormOptions) -> Tree:
    return {"name": name, "namespace": check_label(options.namespace or _NAMESPACE, "a namespace")}


def _policy_name(image: DigestAnswer) -> str:
    return check_label(f"{image.stack}-{image.channel}", "an ImagePolicy")
