"""Read pods, jobs and ConfigMaps from JSON values that may hold anything.

Invariants:
- Nothing raises: what has not the type that Kubernetes gives it reads as absent, and a pod without name is told as a problem.
- Texts are cut to what their meaning can need, and hold no half characters, so that whoever shows them can.

Source: Kubernetes API, core/v1 Pod and ConfigMap, batch/v1 Job.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from builder.drift.model import Container, Owner, Pod, Role, Settings

_LONGEST_NAME: Final = 300
"""Names of objects have at most 253 characters."""
_LONGEST_IMAGE: Final = 800
_AIRFLOW_CFG: Final = "airflow.cfg"
_LISTS: Final = (
    (Role.INIT, "initContainers", "initContainerStatuses"),
    (Role.MAIN, "containers", "containerStatuses"),
    (Role.EPHEMERAL, "ephemeralContainers", "ephemeralContainerStatuses"),
)
_ELSEWHERE: Final = "(from elsewhere)"
"""The value of a variable that comes from a secret, a ConfigMap or the pod itself."""

OwnerKey = tuple[str, str, str]
"""Namespace, kind and name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Objects:
    """What was read."""

    pods: tuple[Pod, ...]
    """By namespace and name, each once."""
    owners: Mapping[OwnerKey, Owner]
    """What owns jobs and other objects that own pods."""
    settings: tuple[Settings, ...]
    problems: tuple[str, ...]
    """Of pods that cannot be read."""
    passed_over: int
    """Objects of other kinds."""


def sort_objects(values: Iterable[object]) -> Objects:
    """Read objects of any kind, in any order."""
    pods: dict[tuple[str, str, str], Pod] = {}
    owners: dict[OwnerKey, Owner] = {}
    settings: dict[tuple[str, str], Settings] = {}
    problems: list[str] = []
    passed_over = 0
    for value in values:
        fields = _table(value)
        kind = _name(fields.get("kind"))
        if kind == "Pod":
            pod = parse_pod(fields)
            if isinstance(pod, str):
                problems.append(pod)
            else:
                pods[pod.namespace, pod.name, pod.uid] = pod
        elif kind == "ConfigMap":
            found = _settings(fields)
            settings.update({(found.namespace, found.name): found} if found else {})
        elif (owner := _owner(_table(fields.get("metadata")))) is not None:
            namespace, name = _place(fields)
            owners[namespace, kind, name] = owner
        else:
            passed_over += 1
    return Objects(
        pods=tuple(pods[key] for key in sorted(pods)),
        owners=owners,
        settings=tuple(settings[key] for key in sorted(settings)),
        problems=tuple(problems),
        passed_over=passed_over,
    )


def parse_pod(value: Mapping[str, Any]) -> Pod | str:
    """Read a pod, or say why it is none."""
    namespace, name = _place(value)
    metadata, spec, status = (_table(value.get(key)) for key in ("metadata", "spec", "status"))
    if not name or not namespace:
        return f"a pod without name or namespace: {name or namespace or 'neither'}"
    if not _rows(spec.get("containers")):
        return f"{namespace}/{name}: has no containers that can be read"
    return Pod(
        namespace=namespace,
        name=name,
        uid=_name(metadata.get("uid")),
        labels={_name(key): _name(label) for key, label in _table(metadata.get("labels")).items()},
        owner=_owner(metadata),
        phase=_name(status.get("phase")),
        started=parse_moment(status.get("startTime")) or parse_moment(metadata.get("creationTimestamp")),
        containers=tuple(_iter_containers(spec, status)),
    )


def parse_moment(value: object) -> int:
    """Read a time of RFC 3339 as seconds since the epoch; 0 where it is none.

    >>> parse_moment("2026-11-30T07:23:11Z"), parse_moment("soon")
    (1796023391, 0)
    """
    if not isinstance(value, str) or len(value) > len("2026-11-30T07:23:11.123456789+00:00"):
        return 0
    try:
        moment = dt.datetime.fromisoformat(value)
        return max(0, int(moment.timestamp())) if moment.tzinfo else 0
    except (ValueError, OverflowError):
        return 0


def _iter_containers(spec: Mapping[str, Any], status: Mapping[str, Any]) -> Iterator[Container]:
    for role, in_spec, in_status in _LISTS:
        states = {_name(row.get("name")): row for row in _rows(status.get(in_status))}
        for row in _rows(spec.get(in_spec)):
            yield _container(role, row, states.pop(_name(row.get("name")), {}))
        # What a node says it runs counts, whatever the spec says.
        for row in states.values():
            yield _container(role, {"name": row.get("name"), "image": row.get("image")}, row)


def _container(role: Role, row: Mapping[str, Any], state: Mapping[str, Any]) -> Container:
    now = _table(state.get("state"))
    lifecycle = _table(row.get("lifecycle"))
    hooks = [lifecycle.get("postStart"), lifecycle.get("preStop")]
    hooks += [row.get(probe) for probe in ("startupProbe", "livenessProbe", "readinessProbe")]
    commands = (_words(_table(_table(hook).get("exec")).get("command")) for hook in hooks)
    return Container(
        name=_name(row.get("name")),
        role=role,
        image=_text(row.get("image"), _LONGEST_IMAGE),
        image_id=_text(state.get("imageID"), _LONGEST_IMAGE),
        pull_policy=_name(row.get("imagePullPolicy")),
        command=(*_words(row.get("command")), *_words(row.get("args"))),
        hooks=tuple(words for words in commands if words),
        env=tuple((_name(one.get("name")), _value(one)) for one in _rows(row.get("env"))),
        mounts=tuple(_text(one.get("mountPath"), _LONGEST_IMAGE) for one in _rows(row.get("volumeMounts"))),
        waiting=_name(_table(now.get("waiting")).get("reason")),
        is_running="running" in now,
    )


def _value(variable: Mapping[str, Any]) -> str:
    return _ELSEWHERE if _table(variable.get("valueFrom")) else _text(variable.get("value"))


def _settings(fields: Mapping[str, Any]) -> Settings | None:
    namespace, name = _place(fields)
    written = _table(fields.get("data")).get(_AIRFLOW_CFG)
    return Settings(namespace=namespace, name=name, text=_text(written)) if isinstance(written, str) else None


def _place(fields: Mapping[str, Any]) -> tuple[str, str]:
    metadata = _table(fields.get("metadata"))
    return _name(metadata.get("namespace")), _name(metadata.get("name"))


def _owner(metadata: Mapping[str, Any]) -> Owner | None:
    """Find the controller of an object, else the first that owns it."""
    rows = [row for row in _rows(metadata.get("ownerReferences")) if _name(row.get("name")) and _name(row.get("kind"))]
    rows.sort(key=lambda row: row.get("controller") is not True)
    return Owner(kind=_name(rows[0].get("kind")), name=_name(rows[0].get("name"))) if rows else None


def _table(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _rows(value: object) -> list[Mapping[str, Any]]:
    return [row for row in value if isinstance(row, dict)] if isinstance(value, list) else []


def _words(value: object) -> tuple[str, ...]:
    return tuple(_text(word) for word in value if isinstance(word, str)) if isinstance(value, list) else ()


def _name(value: object) -> str:
    return _text(value, _LONGEST_NAME)


def _text(value: object, most: int = 1 << 21) -> str:
    """Take a text, without halves of characters that no output could write."""
    return value[:most].encode("utf-8", "replace").decode() if isinstance(value, str) else ""
