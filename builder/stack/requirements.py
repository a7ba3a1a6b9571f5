"""Requirements of stacks: PEP 508, from an index only.

Refused: direct URLs and paths (their bytes are pinned by nobody), pip's options, and Airflow itself, which stands in
`airflow.version` alone.
"""

from __future__ import annotations

from collections.abc import Iterator

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from builder.stack.table import Issues

AIRFLOW_PROJECTS = frozenset({"apache-airflow", "apache-airflow-core", "apache-airflow-task-sdk"})
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
    if canonicalize_name(requirement.name) in AIRFLOW_PROJECTS:
        return f"{_cut(text)} is Airflow itself", _airflow_hint(requirement)
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


def _airflow_hint(requirement: Requirement) -> str:
    way_out = "say its version in airflow.version"
    if requirement.extras:
        names = ", ".join(f"apache-airflow-providers-{extra}" for extra in sorted(requirement.extras))
        way_out += f", and what its extras bring by name, as {names}"
    return way_out


def _cut(text: str) -> str:
    return repr(text if len(text) <= 80 else f"{text[:77]}...")
