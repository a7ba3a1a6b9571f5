"""Starts a stack from what a team has: requirements files, a PEP 751 lock, a Dockerfile on the official image.

Nothing is dropped in silence: what cannot be taken over is told by file and line. What is asked for stays as it is written, so
that the first lock gives what the team runs today; a freeze asks for every pin, which its team may thin out later.
"""

from __future__ import annotations

import re
import shlex
import tomllib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import PurePosixPath

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from builder.errors import InvalidInputError
from builder.lock.airflow import AIRFLOW_PARTS

_IMAGE = re.compile(r"(?:^|/)apache/airflow:(?:slim-)?(?P<airflow>\d+\.\d+\.\d+)(?:-python(?P<python>3\.\d+))?")
_INSTALL = re.compile(r"(?:^|[;&|]|\s)(?:uv\s+)?pip3?\s+install\s+(?P<rest>[^;&|]*)")
_VARIABLE = re.compile(r"\$\{?(?P<name>\w+)(?::-(?P<default>[^}]*))?\}?")
_WITH_VALUE = {"-c", "--constraint", "--index-url", "-i", "--extra-index-url", "--find-links", "-f", "--trusted-host"}

ReadFile = Callable[[str], str | None]
"""Reads a file beside the one that names it; None where it is not there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What a team's files say."""

    requirements: tuple[str, ...]
    """PEP 508, in the order written, each project once."""
    airflow: str | None
    """Airflow's version, where a pin or an image names it."""
    python: str | None
    """As `3.12`, where an image names it."""
    notes: tuple[str, ...]
    """What was not taken over, by file and line."""


@dataclass(slots=True)
class _Gathered:
    requirements: dict[str, str] = field(default_factory=dict)
    airflow: str | None = None
    python: str | None = None
    notes: list[str] = field(default_factory=list)

    def found(self) -> Found:
        return Found(
            requirements=tuple(self.requirements.values()),
            airflow=self.airflow,
            python=self.python,
            notes=tuple(self.notes),
        )


def read_files(names: tuple[str, ...], read: ReadFile) -> Found:
    """Read files by their names: `*.toml` is a PEP 751 lock, `*Dockerfile*` a Dockerfile, all else requirements.

    Raises:
        InvalidInputError: a file is not there, or is no TOML.
    """
    gathered = _Gathered()
    for name in names:
        text = read(name)
        if text is None:
            raise InvalidInputError("there is no such file", context=name)
        base = PurePosixPath(name).name
        if base.endswith(".toml"):
            _take_pylock(text, name, gathered)
        elif "dockerfile" in base.lower() or "containerfile" in base.lower():
            _take_dockerfile(text, name, read, gathered)
        else:
            _take_requirements(text, name, read, gathered, seen=frozenset({name}))
    return gathered.found()


def render_stack(found: Found, *, description: str, airflow: str, base: str) -> str:
    """Write a stack.toml that asks for what was found."""
    lines = [
        f"description = {_quote(description)}",
        "owners = []                            # as team:data-platform",
        "",
        "[airflow]",
        f"version = {_quote(airflow)}",
        'constraints = "none"                   # "official" holds to the set that Airflow was tested with',
        "",
        "[base]",
        f"name = {_quote(base)}",
        "",
        "[plugins]",
        "requirements = [",
        *(f"    {_quote(text)}," for text in found.requirements),
        "]",
    ]
    return "\n".join(lines) + "\n"


def _take_requirements(text: str, file: str, read: ReadFile, gathered: _Gathered, seen: frozenset[str]) -> None:
    for number, line in _logical_lines(text):
        where = f"{file}: line {number}"
        words = line.split()
        if words[0] in {"-r", "--requirement"} or words[0].startswith("--requirement="):
            named = words[0].partition("=")[2] or (words[1] if len(words) > 1 else "")
            path = str(PurePosixPath(file).parent / named)
            other = read(path)
            if other is None or path in seen:
                gathered.notes.append(f"{where}: {path} is not there" if other is None else f"{where}: names itself")
            else:
                _take_requirements(other, path, read, gathered, seen | {path})
        elif words[0].startswith("-"):
            gathered.notes.append(f"{where}: not taken over: {words[0]}: indexes and constraints are said elsewhere")
        else:
            _take(re.split(r"\s+--(?:hash|config-settings|global-option)\b", line)[0], where, gathered)


def _take_pylock(text: str, file: str, gathered: _Gathered) -> None:
    try:
        packages = tomllib.loads(text).get("packages", [])
    except tomllib.TOMLDecodeError as error:
        raise InvalidInputError(f"is not TOML: {error}", context=file) from error
    required = {
        canonicalize_name(str(row.get("name")))
        for package in packages
        for row in package.get("dependencies", [])
        if isinstance(row, dict)
    }
    for package in packages:
        name, version = str(package.get("name", "")), package.get("version")
        if version is None:
            gathered.notes.append(f"{file}: not taken over: {name}: it has no version")
        elif canonicalize_name(name) not in required or canonicalize_name(name) in AIRFLOW_PARTS:
            _take(f"{name}=={version}", file, gathered)


def _take_dockerfile(text: str, file: str, read: ReadFile, gathered: _Gathered) -> None:
    variables: dict[str, str] = {}
    for number, line in _logical_lines(text):
        where = f"{file}: line {number}"
        instruction, _, rest = line.partition(" ")
        match instruction.upper():
            case "ARG" | "ENV":
                variables |= _assignments(rest)
            case "FROM":
                image = _IMAGE.search(_substitute(rest, variables))
                if image:
                    gathered.airflow, gathered.python = image["airflow"], image["python"] or gathered.python
                else:
                    gathered.notes.append(f"{where}: not taken over: the image {rest.split()[0]}")
            case "RUN":
                _take_run(_substitute(rest, variables), where, file, read, gathered)
            case "COPY" | "USER" | "LABEL" | "WORKDIR" | "SHELL":
                continue
            case _:
                gathered.notes.append(f"{where}: not taken over: {instruction}")


def _take_run(command: str, where: str, file: str, read: ReadFile, gathered: _Gathered) -> None:
    installs = list(_INSTALL.finditer(command))
    if not installs:
        gathered.notes.append(f"{where}: not taken over: RUN {command[:60]}")
    for install in installs:
        try:
            words = iter(shlex.split(install["rest"]))
        except ValueError:
            gathered.notes.append(f"{where}: cannot be read: {install['rest'][:60]}")
            continue
        for word in words:
            if word in {"-r", "--requirement"}:
                named = PurePosixPath(next(words, "")).name
                other = read(str(PurePosixPath(file).parent / named))
                if other is None:
                    gathered.notes.append(f"{where}: {named} is not beside the Dockerfile")
                else:
                    _take_requirements(other, named, read, gathered, frozenset({named}))
            elif word in _WITH_VALUE:
                gathered.notes.append(f"{where}: not taken over: {word} {next(words, '')}")
            elif not word.startswith("-"):
                _take(word, where, gathered)


def _take(text: str, where: str, gathered: _Gathered) -> None:
    try:
        requirement = Requirement(text.strip())
    except InvalidRequirement:
        gathered.notes.append(f"{where}: not taken over: {text.strip()[:80]}: no project of an index")
        return
    project = canonicalize_name(requirement.name)
    if requirement.url:
        gathered.notes.append(f"{where}: not taken over: {project} comes from an address: put its wheel on an index")
    elif project in AIRFLOW_PARTS:
        pins = [pin.version for pin in requirement.specifier if pin.operator == "=="]
        if project == AIRFLOW_PARTS[0] and pins:
            gathered.airflow = pins[0]
        if requirement.extras:
            gathered.requirements[project] = f"{project}[{','.join(sorted(requirement.extras))}]"
    else:
        before = gathered.requirements.get(project)
        if before is not None and before != str(requirement):
            gathered.notes.append(f"{where}: {requirement} stands in place of {before}")
        gathered.requirements[project] = str(requirement)


def _logical_lines(text: str) -> Iterator[tuple[int, str]]:
    """Join lines that end in a backslash, and leave comments out; a line's number is that of its beginning."""
    gathered, begin = "", 0
    for number, line in enumerate(text.splitlines(), 1):
        bare = re.sub(r"(^|\s)#.*$", "", line).rstrip()
        begin = begin or number
        if bare.endswith("\\"):
            gathered += bare[:-1] + " "
            continue
        whole = (gathered + bare).strip()
        if whole:
            yield begin, " ".join(whole.split())
        gathered, begin = "", 0
    if gathered.strip():
        yield begin, " ".join(gathered.split())


def _assignments(text: str) -> Mapping[str, str]:
    try:
        words = shlex.split(text)
    except ValueError:
        return {}
    return {name: value for name, separator, value in (word.partition("=") for word in words) if separator}


def _substitute(text: str, variables: Mapping[str, str]) -> str:
    return _VARIABLE.sub(lambda found: variables.get(found["name"], found["default"] or found[0]), text)


def _quote(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
