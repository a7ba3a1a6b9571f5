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
from posixpath import normpath

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from builder.canonical import quote_toml
from builder.errors import InvalidInputError
from builder.lock.airflow import AIRFLOW_PARTS

_IMAGE = re.compile(r"(?:^|/)apache/airflow:(?:slim-)?(?P<airflow>\d+\.\d+\.\d+)(?:-python(?P<python>3\.\d+))?")
_INSTALL = re.compile(r"(?:(?:python|python3(?:\.\d+)?)\s-m\s)?(?:uv\s)?(?:pip|pip3)\sinstall(?:\s|\Z)")
_ASSIGNED = re.compile(r"[A-Za-z_]\w*=")
_CREDENTIALS = re.compile(r"//[^/@\s]*@")
_PLAIN = frozenset({"USER", "WORKDIR", "SHELL"})
"""Instructions that say nothing of what the image holds: our images' run contract fixes them."""
_MANNERS = frozenset(
    {"--no-cache-dir", "--no-cache", "--upgrade", "-U", "--user", "--system", "--no-compile", "--quiet", "-q"}
    | {"--require-hashes", "--disable-pip-version-check", "--no-warn-script-location", "--root-user-action=ignore"}
)
"""Options of how to install: a lock and a build have their own manners."""
_VARIABLE = re.compile(r"\$\{?(?P<name>\w+)(?::-(?P<default>[^}]*))?\}?")
_WITH_VALUE = frozenset(
    {"-c", "--constraint", "--index-url", "-i", "--extra-index-url", "--find-links", "-f", "--trusted-host"}
    | {
        "-e",
        "--editable",
        "-t",
        "--target",
        "--prefix",
        "--platform",
        "--python-version",
        "--progress-bar",
        "--timeout",
    }
    | {"--only-binary", "--no-binary", "--index", "--default-index", "--index-strategy", "--python", "-p", "--cert"}
)

_LONGEST_VALUE = 1 << 16

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
    files: set[str] = field(default_factory=set)
    """Files of requirements that were read: each once, whoever names it."""
    folder: str = "."
    """Of the file that the user named."""

    def note(self, where: str, text: str) -> None:
        """Keep what was not taken over."""
        self.notes.append(f"{where}: {text}")

    def may_read(self, path: str) -> bool:
        """Tell whether a file may be read because another names it: below the folder here, or that of the file named first."""
        return PurePosixPath(path).is_relative_to(self.folder) or not path.startswith(("/", ".."))

    def found(self) -> Found:
        """Freeze it."""
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
    read = _without_credentials(read)
    for name in names:
        text = read(name)
        if text is None:
            raise InvalidInputError("there is no such file", context=name)
        base = PurePosixPath(name).name
        gathered.folder = normpath(PurePosixPath(name).parent)
        if base.endswith(".toml"):
            _take_pylock(text, name, gathered)
        elif "dockerfile" in base.lower() or "containerfile" in base.lower():
            _take_dockerfile(text, name, read, gathered)
        else:
            _take_requirements(text, name, read, gathered)
    return gathered.found()


def _without_credentials(read: ReadFile) -> ReadFile:
    """Mask passwords in addresses before anything is told of them; nothing that has an address is taken over."""

    def masked(name: str) -> str | None:
        text = read(name)
        return None if text is None else _CREDENTIALS.sub("//***@", text)

    return masked


def render_stack(found: Found, *, description: str, airflow: str, base: str) -> str:
    """Write a stack.toml that asks for what was found."""
    lines = [
        f"description = {quote_toml(description)}",
        "owners = []                            # as team:data-platform",
        "",
        "[airflow]",
        f"version = {quote_toml(airflow)}",
        'constraints = "none"                   # "official" holds to the set that Airflow was tested with',
        "",
        "[base]",
        f"name = {quote_toml(base)}",
        "",
        "[plugins]",
        "requirements = [",
        *(f"    {quote_toml(text)}," for text in found.requirements),
        "]",
    ]
    return "\n".join(lines) + "\n"


def _take_requirements(text: str, file: str, read: ReadFile, gathered: _Gathered) -> None:
    gathered.files.add(normpath(file))
    for number, line in _logical_lines(text):
        where = f"{file}: line {number}"
        words = line.split()
        if words[0] in {"-r", "--requirement"} or words[0].startswith("--requirement="):
            named = words[0].partition("=")[2] or (words[1] if len(words) > 1 else "")
            path = normpath(PurePosixPath(file).parent / named)
            if PurePosixPath(named).is_absolute() or not gathered.may_read(path):
                gathered.note(where, f"not taken over: {named[:80]}: it lies elsewhere; name it yourself")
            elif path not in gathered.files:
                _take_named(path, where, read, gathered)
        elif words[0] in {"-e", "--editable"} or words[0].startswith("--editable="):
            gathered.note(where, f"not taken over: {line[:80]}: put a wheel of it on an index of yours")
        elif words[0].startswith("-"):
            gathered.note(where, f"not taken over: {words[0]}: indexes and constraints are said elsewhere")
        else:
            _take(re.split(r"\s+--(?:hash|config-settings|global-option)\b", line)[0], where, gathered)


def _take_named(path: str, where: str, read: ReadFile, gathered: _Gathered) -> None:
    """Read a file of requirements that another one names."""
    other = read(path)
    if other is None:
        gathered.note(where, f"{path} is not there")
    else:
        _take_requirements(other, path, read, gathered)


def _take_pylock(text: str, file: str, gathered: _Gathered) -> None:
    try:
        packages = tomllib.loads(text).get("packages", [])
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise InvalidInputError(f"is not TOML: {error}", context=file) from error
    if not _are_tables(packages) or not all(_are_tables(one.get("dependencies", [])) for one in packages):
        raise InvalidInputError("is no PEP 751 lock: packages and dependencies must be lists of tables", context=file)
    required = {
        canonicalize_name(str(row.get("name"))) for package in packages for row in package.get("dependencies", [])
    }
    left = 0
    for package in packages:
        name, version = str(package.get("name", "")), package.get("version")
        if version is None:
            gathered.note(file, f"not taken over: {name}: it has no version")
        elif canonicalize_name(name) not in required or canonicalize_name(name) in AIRFLOW_PARTS:
            _take(f"{name}=={version}", file, gathered)
        else:
            left += 1
    if left:
        gathered.note(file, f"{left} of its projects are required by others: the lock finds them again")


def _are_tables(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(row, dict) for row in value)


def _take_dockerfile(text: str, file: str, read: ReadFile, gathered: _Gathered) -> None:
    variables: dict[str, str] = {}
    used: set[str] = set()
    copied: list[tuple[str, str]] = []
    for number, line in _logical_lines(text, comments_within=True):
        where = f"{file}: line {number}"
        instruction, _, rest = line.partition(" ")
        match instruction.upper():
            case "ARG" | "ENV":
                named = _assignments(_substitute(rest, variables))
                variables |= named
                if instruction.upper() == "ENV":
                    # Names alone: values may be secrets.
                    names = ", ".join(named) or rest.partition(" ")[0] or "nothing"
                    gathered.note(where, f"not taken over: ENV {names}: set it where the image runs")
            case "FROM":
                # The official image says this of itself, and its Dockerfiles use it.
                version = _take_image(_substitute(rest, variables), where, gathered)
                variables |= {"AIRFLOW_VERSION": version} if version else {}
            case "RUN":
                used |= _take_run(_substitute(rest, variables), where, file, read, gathered)
            case "COPY" | "ADD":
                copied.append((where, rest))
            case kind if kind not in _PLAIN:
                gathered.note(where, f"not taken over: {line[:80]}")
    for where, rest in copied:
        sources = [word for word in rest.split() if not word.startswith("--")][:-1]
        others = [source for source in sources if PurePosixPath(source).name not in used]
        if others or not sources:
            gathered.note(
                where, f"not taken over: {' '.join(others) or rest}: stacks/<name>/files/ is copied into images"
            )


def _take_image(text: str, where: str, gathered: _Gathered) -> str | None:
    """Read what the official image's tag says; returns Airflow's version."""
    image = _IMAGE.search(text)
    if image is None:
        gathered.note(where, f"not taken over: the image {text}")
        return None
    gathered.airflow, gathered.python = image["airflow"], image["python"] or gathered.python
    if image["python"] is None:
        gathered.note(where, "the image's tag names no Python: the base decides it")
    return image["airflow"]


def _take_run(command: str, where: str, file: str, read: ReadFile, gathered: _Gathered) -> set[str]:
    """Take over what a RUN installs; returns the names of the requirements files that it uses."""
    used: set[str] = set()
    try:
        commands = list(_commands(command))
    except ValueError:
        gathered.note(where, f"cannot be read: RUN {command[:80]}")
        return used
    for words in commands:
        while words and (_ASSIGNED.match(words[0]) or words[0].startswith("--")):
            words.pop(0)
        install = _INSTALL.match(" ".join(words))
        if install is None:
            gathered.note(where, f"not taken over: RUN {' '.join(words)[:80]}")
        else:
            used |= _take_install(words[len(install[0].split()) :], where, file, read, gathered)
    return used


def _commands(command: str) -> Iterator[list[str]]:
    """Cut a shell line into its commands, as lists of words; raises ValueError where quotes are left open."""
    lexer = shlex.shlex(command, posix=True, punctuation_chars=";&|")
    lexer.whitespace_split, lexer.commenters = True, ""
    words: list[str] = []
    for word in lexer:
        if set(word) <= set(";&|"):
            if words:
                yield words
            words = []
        else:
            words.append(word)
    if words:
        yield words


def _take_install(words: list[str], where: str, file: str, read: ReadFile, gathered: _Gathered) -> set[str]:
    used: set[str] = set()
    rest = iter(words)
    for word in rest:
        option, equals, value = word.partition("=") if word.startswith("--") else (word, "", "")
        if word.startswith("-r") and len(word) > 2:
            option, equals, value = "-r", "=", word[2:]
        if option in {"-r", "--requirement"}:
            named = PurePosixPath(value if equals else next(rest, "")).name
            used.add(named)
            path = str(PurePosixPath(file).parent / named)
            other = read(path)
            if other is None:
                gathered.note(where, f"{named} is not beside the Dockerfile: give its requirements by hand")
            else:
                _take_requirements(other, path, read, gathered)
        elif option in _WITH_VALUE:
            gathered.note(where, f"not taken over: {option} {value if equals else next(rest, '')}")
        elif not word.startswith("-"):
            _take(word, where, gathered)
        elif word not in _MANNERS:
            gathered.note(where, f"not taken over: {word}")
    return used


def _take(text: str, where: str, gathered: _Gathered) -> None:
    try:
        requirement = Requirement(text.strip())
    except InvalidRequirement:
        gathered.note(where, f"not taken over: {text.strip()[:80]}: no project of an index")
        return
    project = canonicalize_name(requirement.name)
    if requirement.url:
        gathered.note(where, f"not taken over: {project} comes from an address: put its wheel on an index")
    elif project in AIRFLOW_PARTS:
        pins = [pin.version for pin in requirement.specifier if pin.operator == "=="]
        if project == AIRFLOW_PARTS[0] and pins:
            gathered.airflow = pins[0]
        if requirement.extras:
            gathered.requirements[project] = f"{project}[{','.join(sorted(requirement.extras))}]"
    else:
        before = gathered.requirements.get(project)
        if before is not None and before != str(requirement):
            gathered.note(where, f"{requirement} stands in place of {before}")
        gathered.requirements[project] = str(requirement)


def _logical_lines(text: str, *, comments_within: bool = False) -> Iterator[tuple[int, str]]:
    """Join lines that end in a backslash, and leave comments out; a line's number is that of its beginning.

    A Dockerfile's comments and blank lines may stand within a joined line.
    """
    gathered, begin = "", 0
    for number, line in enumerate(text.splitlines(), 1):
        bare = re.sub(r"(^|\s)#.*$", "", line).rstrip()
        if comments_within and gathered and not bare:
            continue
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
    if len(words) > 1 and "=" not in words[0]:
        # ENV's old way of one name and its value.
        return {words[0]: " ".join(words[1:])}
    return {name: value for name, separator, value in (word.partition("=") for word in words) if separator}


def _substitute(text: str, variables: Mapping[str, str]) -> str:
    value = _VARIABLE.sub(lambda found: variables.get(found["name"], found["default"] or found[0]), text)
    if len(value) > _LONGEST_VALUE:
        # A variable of two of itself, some forty times over, fills any memory.
        raise InvalidInputError(
            f"a line grows to more than {_LONGEST_VALUE} characters by its variables", context=text[:80]
        )
    return value
