"""Values for the official Airflow chart that pin every container, worker pods and the pod template included.

The chart names the image in several ways, and a digest set in its own key reaches only some of them:

| place | what it prints | reads a digest key |
| --- | --- | --- |
| components, jobs, init containers | `airflow_image`, `default_airflow_image` | since chart 1.9.0 (apache/airflow#30214) |
| pod template of the KubernetesExecutor | `repository:tag` | since the release after 1.22 (apache/airflow#69776) |
| airflow.cfg: `worker_container_repository` and `_tag` | `repository` and `tag`; with both set the executor replaces the template's image | no |
| flower | `repository:tag` | no |

So what reaches them all in every chart is a *tag* that carries the digest, set at the defaults that all of them fall back to:
two lines (`Pin.TAG`). Some runtimes refuse a tag beside a digest (CRI-O 1.31.0 with signature policies: cri-o/cri-o#8603); for them
the digest stands alone (`Pin.DIGEST`): by the chart's own keys where these reach the pod template, else parted at its colon, as all
those places put a colon between repository and tag.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import Enum
from typing import Final

from packaging.version import InvalidVersion, Version

from builder.deploy.image_name import ImageName
from builder.deploy.yaml_text import Tree
from builder.errors import InvalidInputError

DIGEST_REACHES_POD_TEMPLATE: Final = Version("1.23.0")
"""The first release of the chart after #69776, which was merged when 1.22.0 was the latest."""
_READ: Final = 1
"""The major version whose templates were looked at."""
IMAGES: Final = ("statsd", "redis", "pgbouncer", "pgbouncerExporter", "gitSync", "otelCollector")
"""Keys below `images` of what is not Airflow: each prints `repository:tag`."""


class Pin(Enum):
    """How a digest is written."""

    TAG = "tag"
    """`repository:tag@sha256:...`: people read the tag, container engines go by the digest."""
    DIGEST = "digest"
    """`repository@sha256:...`."""


def parse_chart_version(text: str) -> Version:
    """Read a version of the chart.

    Raises:
        InvalidInputError: it is none, or of a chart whose templates nobody has looked at.
    """
    try:
        version = Version(text)
    except InvalidVersion as error:
        raise InvalidInputError("is no version", context=f"chart {text[:80]!r}", hint="write it as 1.22.0") from error
    if version.major != _READ:
        raise InvalidInputError(
            f"how charts {_READ}.x name images is known, but not how this one does",
            context=f"chart {version}",
            hint="leave --chart-version out, and let `deploy check` tell whether what it renders is pinned",
        )
    return version


def airflow_values(repository: str, tag: str, digest: str, pin: Pin, chart: Version | None) -> Mapping[str, Tree]:
    """Make the values that pin Airflow's own containers.

    Args:
        repository: as `registry.example.org/team/airflow`.
        tag: not empty where `pin` is Pin.TAG.
        digest: as `sha256:...`.
        pin: how it is written.
        chart: version of the chart; None for values that hold for each.
    """
    if pin is Pin.TAG:
        return {"defaultAirflowRepository": repository, "defaultAirflowTag": f"{tag}@{digest}"}
    if chart is None or chart < DIGEST_REACHES_POD_TEMPLATE:
        front, back = _part(repository, digest)
        return {"defaultAirflowRepository": front, "defaultAirflowTag": back}
    return {
        "defaultAirflowRepository": repository,
        "defaultAirflowDigest": digest,
        "images": {"flower": _repository_and_tag(repository, "", digest)},
        "config": executor_keeps_template(),
    }


def executor_keeps_template() -> Mapping[str, Tree]:
    """Make the settings by which the KubernetesExecutor leaves the pod template's image alone: a half of its pair is empty.

    Airflow before 2.5 reads the one section, Airflow since then the other, and charts write both.
    """
    nothing = {"worker_container_tag": ""}
    return {"kubernetes": nothing, "kubernetes_executor": nothing}


def other_values(images: Sequence[tuple[str, ImageName]]) -> Mapping[str, Tree]:
    """Make the values below `images` that pin what is not Airflow, by key."""
    return {key: _repository_and_tag(image.repository, image.tag, image.digest) for key, image in images}


def merge_values(first: Mapping[str, Tree], images: Mapping[str, Tree]) -> Mapping[str, Tree]:
    """Put further keys below `images`."""
    if not images:
        return first
    there = first.get("images", {})
    return {**first, "images": {**(there if isinstance(there, Mapping) else {}), **images}}


def _repository_and_tag(repository: str, tag: str, digest: str) -> Mapping[str, Tree]:
    if tag:
        return {"repository": repository, "tag": f"{tag}@{digest}"}
    front, back = _part(repository, digest)
    return {"repository": front, "tag": back}


def _part(repository: str, digest: str) -> tuple[str, str]:
    """Part `repository@sha256:<hex>` at the colon that the chart puts back."""
    algorithm, _, value = digest.partition(":")
    return f"{repository}@{algorithm}", value
