"""Airflow's tested constraints: where they are published, what they say, and what they demand. Pure.

Source: apache/airflow, "Installation from PyPI"; one `project==version` a line, `#` begins a comment.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from packaging.markers import InvalidMarker, Marker
from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

from builder.errors import InvalidInputError, IssuesError, StackError
from builder.lock.airflow import AIRFLOW, AIRFLOW_CORE, AIRFLOW_TASK_SDK
from builder.platform import Platform
from builder.resolve.problem import Demand, Kind
from builder.stack.model import EffectiveStack

OFFICIAL = "https://raw.githubusercontent.com/apache/airflow/constraints-{ref}/constraints-{py}.txt"
"""Where Airflow publishes them; another place is said in the user's settings."""
_HINT = "write one project==version a line"
_LINE = re.compile(r"([A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?)\s*==\s*([^\s;=*]+)\s*(?:;(.*))?\Z")
_MACHINES = {"amd64": "x86_64", "arm64": "aarch64"}


@dataclass(frozen=True, slots=True, kw_only=True)
class ConstraintLine:
    """One line of a constraints file."""

    project: str
    """PEP 503 normalised."""
    version: str
    """As PEP 440 normalises it."""
    marker: Marker | None
    number: int
    """Of the line, from 1."""


def official_url(airflow_version: str, python: str, template: str = OFFICIAL) -> str:
    """Name where the tested set of a release is published, as for `3.3.2` and `3.13`."""
    try:
        return template.format(ref=airflow_version, py=python)
    except (KeyError, IndexError, ValueError) as error:
        raise InvalidInputError(
            f"{template!r} is no template of an address",
            context="constraints.official",
            hint="write {ref} and {py} in it",
        ) from error


def parse_constraints(data: bytes, *, file: str) -> tuple[ConstraintLine, ...]:
    """Read a constraints file, in its order.

    Args:
        data: its bytes, untrusted.
        file: how messages name it.

    Raises:
        IssuesError: naming each line that is no `project==version`, and each that pins a project in another way again.
        StackError: it is no text.
    """
    try:
        lines = data.decode("utf-8-sig").splitlines()
    except UnicodeDecodeError as error:
        raise StackError("is not UTF-8", context=file, hint=_HINT) from error
    found: list[ConstraintLine] = []
    always: dict[str, ConstraintLine] = {}
    issues: list[StackError] = []
    for number, line in enumerate(lines, 1):
        text = line.partition(" #")[0].partition("\t#")[0].strip()
        if not text or text.startswith("#"):
            continue
        where = f"{file}: line {number}"
        parsed = _parse_line(text, number)
        if parsed is None:
            issues.append(StackError(f"{text[:80]!r} is no project==version", context=where, hint=_HINT))
            continue
        first = always.setdefault(parsed.project, parsed) if parsed.marker is None else parsed
        if first.version != parsed.version:
            message = f"pins {parsed.project} to {parsed.version}, and line {first.number} to {first.version}"
            issues.append(StackError(message, context=where, hint="keep one of the lines"))
        found.append(parsed)
    if issues:
        raise IssuesError(issues)
    return tuple(found)


def marker_environment(python_version: str, platform: Platform) -> dict[str, str]:
    """Make the environment that markers are evaluated in: CPython of a base on Linux, nothing of this machine."""
    return {
        "implementation_name": "cpython",
        "implementation_version": python_version,
        "os_name": "posix",
        "platform_machine": _MACHINES[platform.architecture],
        "platform_python_implementation": "CPython",
        "platform_release": "",
        "platform_system": "Linux",
        "platform_version": "",
        "python_full_version": python_version,
        "python_version": ".".join(python_version.split(".")[:2]),
        "sys_platform": "linux",
        "extra": "",
    }


def tested_versions(data: bytes, environment: Mapping[str, str], *, file: str) -> dict[str, str]:
    """Tell by project the version that a constraints file names in an environment.

    Raises:
        IssuesError: a line cannot be read, or a project is pinned twice in different ways.
    """
    found: dict[str, ConstraintLine] = {}
    issues: list[StackError] = []
    for line in parse_constraints(data, file=file):
        if line.marker is not None and not line.marker.evaluate(dict(environment)):
            continue
        first = found.setdefault(line.project, line)
        if first.version != line.version:
            message = f"pins {line.project} to {line.version}, and line {first.number} to {first.version}"
            issues.append(StackError(message, context=f"{file}: line {line.number}", hint="keep one of the lines"))
    if issues:
        raise IssuesError(issues)
    return {project: line.version for project, line in found.items()}


def demands_from(stack: EffectiveStack, tested: Mapping[str, str], *, file: str) -> tuple[Demand, ...]:
    """List what constraints and divergences demand.

    Args:
        stack: its divergences stand in place of the lines for their projects.
        tested: by project, the version that the constraints name; empty without constraints.
        file: how messages name the constraints.

    Raises:
        StackError: the constraints are those of another Airflow.
    """
    return tuple(dict.fromkeys(_iter_demands(stack, tested, file)))


def _iter_demands(stack: EffectiveStack, tested: Mapping[str, str], file: str) -> Iterator[Demand]:
    diverged = {divergence.project for divergence in stack.divergences}
    for project, version in tested.items():
        if project in {AIRFLOW, AIRFLOW_CORE}:
            _check_airflow(stack, project, version, file)
        elif project == AIRFLOW_TASK_SDK:
            yield Demand(kind=Kind.AIRFLOW, text=f"{project}=={version}", source=file)
        elif project not in diverged:
            yield Demand(kind=Kind.TESTED, text=f"{project}=={version}", source=file)
    for divergence in stack.divergences:
        text = f"{divergence.project}{divergence.specifier}"
        yield Demand(kind=Kind.DIVERGED, text=text, source=f"stack:{stack.name}")


def _check_airflow(stack: EffectiveStack, project: str, version: str, file: str) -> None:
    if version != stack.airflow_version:
        raise StackError(
            f"pins {project} to {version}, while the stack is for Airflow {stack.airflow_version}",
            context=file,
            hint="take the constraints of the stack's own Airflow",
        )


def _parse_line(text: str, number: int) -> ConstraintLine | None:
    match = _LINE.match(text)
    if match is None:
        return None
    name, version, marker = match.groups()
    try:
        return ConstraintLine(
            project=canonicalize_name(name),
            version=str(Version(version)),
            marker=Marker(marker) if marker is not None else None,
            number=number,
        )
    except (InvalidVersion, InvalidMarker, RecursionError):
        return None
