"""Requirements of stacks: PEP 508, from an index only.

Refused: direct URLs and paths (their bytes are pinned by nobody), pip's options, and another version of Airflow than the
stack's: Airflow stands in `airflow.version`. Its extras may be required, as `apache-airflow[amazon]`.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

from builder.stack.table import Issues

TASK_SDK = "apache-airflow-task-sdk"
AIRFLOW_PROJECTS = frozenset({"apache-airflow", "apache-airflow-core", TASK_SDK})
"""Released together; `airflow.version` says all their versions."""

_OPTIONS = {
    "-r": "put its lines here, or into the stack that this one extends",
    "--requirement": "put its lines here, or into the stack that this one extends",
    "-c": "name the file in stack.toml: airflow.constraints",
    "--constraint": "name the file in stack.toml: airflow.constraints",
    "-e": "build a wheel of it and put it on an index; images are made of wheels",
    "--editable": "build a wheel of it and put it on an index; images are made of wheels",
}
_OTHER_OPTION = "indexes are taken from the settings of pip or uv of who locks; leave the option out"


def check_requirement(text: str) -> tuple[str, str]:
    """Find what is wrong with a requirement.

    Returns:
        What is wrong and the way out; both empty where it is fine.
    """
    if not text.isprintable():
        return "holds line ends or control characters", ""
    try:
        requirement = Requirement(text)
    except (InvalidRequirement, ValueError, RecursionError) as error:
        reason = str(error).partition("\n")[0]
        return f"{_cut(text)} is no requirement: {reason}", "write it as PEP 508 has it: name, extras, versions, marker"
    if requirement.url is not None:
        return f"{_cut(text)} names a URL or path", "put a wheel of it on an index and require it by name and version"
    return check_airflow_requirement(text, "")


@cache
def check_airflow_requirement(text: str, version: str) -> tuple[str, str]:
    """Find whether a requirement moves Airflow.

    Args:
        text: a requirement of PEP 508.
        version: Airflow's, of the stack; empty where it is not known yet, which lets any one release pass.

    Returns:
        What is wrong and the way out; both empty where it is fine.
    """
    requirement = Requirement(text)
    project = canonicalize_name(requirement.name)
    if project not in AIRFLOW_PROJECTS or not requirement.specifier:
        return "", ""
    hint = f"leave its version out: write {_without_version(requirement)}"
    if project == TASK_SDK:
        return f"{_cut(text)} pins a part of Airflow, whose version goes with airflow.version", hint
    pin = str(requirement.specifier)
    exact = pin.startswith("==") and not pin.startswith("===") and not pin.endswith("*") and "," not in pin
    if not exact:
        return f"{_cut(text)} bounds Airflow, whose version stands in airflow.version alone", hint
    if version and Version(pin[2:]) != Version(version):
        return f"{_cut(text)} wants another Airflow than the stack's {version}", hint
    return "", ""


def iter_lines(text: str) -> Iterator[tuple[int, str]]:
    """Give the lines of a requirements.in that say something, by number from 1, without comments."""
    for number, line in enumerate(text.splitlines(), start=1):
        content = line.strip()
        if content.startswith("#"):
            continue
        content = content.partition(" #")[0].partition("\t#")[0].strip()
        if content:
            yield number, content


def read_requirements_in(text: str, *, file: str, issues: Issues) -> tuple[str, ...]:
    """Read a requirements.in of pip-tools' habit: one requirement a line, comments, blank lines."""
    good: list[str] = []
    for number, line in iter_lines(text):
        if line.startswith("-"):
            option = line.replace("=", " ").split()[0]
            option = option if option.startswith("--") else option[:2]
            message, hint = f"option {_cut(option)} is not read", _OPTIONS.get(option, _OTHER_OPTION)
        elif line.endswith("\\"):
            message, hint = "goes on in the next line", "write each requirement on one line"
        else:
            message, hint = check_requirement(line)
        if message:
            issues.add(f"line {number}", message, hint=hint, file=file)
        else:
            good.append(line)
    return tuple(good)


def _without_version(requirement: Requirement) -> str:
    extras = f"[{','.join(sorted(requirement.extras))}]" if requirement.extras else ""
    return f"{requirement.name}{extras}"


def _cut(text: str) -> str:
    return repr(text if len(text) <= 80 else f"{text[:77]}...")
