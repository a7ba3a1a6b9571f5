"""Airflow's tested constraints: where they are published, what they say, and what they demand. Pure.

Source: apache/airflow, "Installation from PyPI"; one `project==version` a line, `#` begins a comment.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from packaging.markers import default_environment
from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from builder.errors import InvalidInputError, IssuesError, StackError
from builder.lock.airflow import AIRFLOW, AIRFLOW_CORE, AIRFLOW_TASK_SDK
from builder.platform import Platform
from builder.resolve.problem import Demand, Kind
from builder.stack.model import EffectiveStack

OFFICIAL = "https://raw.githubusercontent.com/apache/airflow/constraints-{ref}/constraints-{py}.txt"
"""Where Airflow publishes them; another place is said in the user's settings."""
_HINT = "write one project==version a line"


@dataclass(frozen=True, slots=True, kw_only=True)
class TestedLine:
    """One line of a constraints file."""

    project: str
    """PEP 503 normalised."""
    version: str
    requirement: Requirement


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


def parse_constraints(data: bytes, *, file: str) -> tuple[TestedLine, ...]:
    """Read a constraints file, in its order.

    Raises:
        IssuesError: naming each line that is no `project==version`.
    """
    try:
        lines = data.decode("utf-8-sig").splitlines()
    except UnicodeDecodeError as error:
        raise StackError("is not UTF-8", context=file, hint=_HINT) from error
    found: list[TestedLine] = []
    issues: list[StackError] = []
    for number, line in enumerate(lines, 1):
        text = line.partition(" #")[0].strip()
        if not text or text.startswith("#"):
            continue
        tested = _parse_line(text)
        if tested is None:
            issues.append(
                StackError(f"{text[:80]!r} is no project==version", context=f"{file}: line {number}", hint=_HINT)
            )
        else:
            found.append(tested)
    if issues:
        raise IssuesError(issues)
    return tuple(found)


def marker_environment(python_version: str, platform: Platform) -> dict[str, str]:
    """Make the environment that markers are evaluated in: CPython of a base on Linux."""
    machine = {"amd64": "x86_64", "arm64": "aarch64"}[platform.architecture]
    environment = {key: str(value) for key, value in default_environment().items()}
    return environment | {
        "implementation_name": "cpython",
        "implementation_version": python_version,
        "os_name": "posix",
        "platform_machine": machine,
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
    found: dict[str, str] = {}
    issues: list[StackError] = []
    for line in parse_constraints(data, file=file):
        marker = line.requirement.marker
        if marker is not None and not marker.evaluate(dict(environment)):
            continue
        if found.setdefault(line.project, line.version) != line.version:
            message = f"pins {line.project} to {found[line.project]} and to {line.version}"
            issues.append(StackError(message, context=file, hint="keep one of the lines"))
    if issues:
        raise IssuesError(issues)
    return found


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


def _parse_line(text: str) -> TestedLine | None:
    try:
        requirement = Requirement(text)
    except InvalidRequirement:
        return None
    specifiers = list(requirement.specifier)
    if len(specifiers) != 1 or requirement.url or requirement.extras:
        return None
    pin = specifiers[0]
    if pin.operator not in {"==", "==="} or pin.version.endswith(".*"):
        return None
    return TestedLine(project=canonicalize_name(requirement.name), version=pin.version, requirement=requirement)
