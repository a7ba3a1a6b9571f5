"""Read stack.toml, and the requirements.in beside it, into a Stack. Every issue is collected, then raised once."""

from __future__ import annotations

from pathlib import PurePosixPath
from urllib.parse import urlsplit

from packaging.version import InvalidVersion, Version

from builder.errors import InvalidInputError
from builder.platform import Platform, parse_platform
from builder.stack.model import MAX_LAYER_BUDGET, Divergence, ImageSettings, Stack
from builder.stack.names import check_name, is_path_below
from builder.stack.requirements import AIRFLOW_PROJECTS, check_requirement, read_requirements_in
from builder.stack.rules import read_project, read_resolution, read_specifier
from builder.stack.table import Table, one_of, parse_table

COMPRESSIONS = ("zstd", "gzip")
MIN_LAYER_BUDGET = 8
"""Room for the base, Python, the run contract, the stack's files, and a few groups of distributions."""


def parse_stack(data: bytes, *, name: str, file: str, requirements_in: str | None = None) -> Stack:
    """Read a stack.

    Args:
        data: the bytes of stack.toml.
        name: the stack's name, its folder's.
        file: how errors name the file, as `stacks/etl/stack.toml`.
        requirements_in: the text of requirements.in beside it, where there is one.

    Raises:
        IssuesError: with everything that is wrong in both files.
        StackError: the file is not TOML at all.
    """
    top = parse_table(data, file=file)
    description = top.text("description", required=True, hint="say in one line what the stack is for")
    owners = top.texts("owners") or ()
    extends = _read_name(top, "extends")
    version, constraints = _read_airflow(top, root="extends" not in top)
    base = _read_base(top, root="extends" not in top)
    plugins = top.table("plugins")
    requirements = _read_requirements(plugins)
    plugins.close()
    divergences = _read_divergences(top)
    image = _read_image(top)
    resolution = read_resolution(top)
    top.close()
    lines: tuple[str, ...] = ()
    if requirements_in is not None:
        beside = str(PurePosixPath(file).with_name("requirements.in"))
        lines = read_requirements_in(requirements_in, file=beside, issues=top.issues)
    top.issues.raise_any()
    return Stack(
        name=name,
        description=description or "",
        owners=owners,
        extends=extends,
        airflow_version=version,
        constraints=constraints,
        base=base,
        requirements=(*requirements, *lines),
        requirements_in=lines,
        divergences=divergences,
        image=image,
        resolution=resolution,
    )


def read_platforms(table: Table) -> tuple[Platform, ...] | None:
    """Read the key `platforms`: OCI names, at least one; sorted."""
    names = table.texts("platforms")
    if names is None:
        return None
    found: list[Platform] = []
    for position, name in enumerate(names):
        try:
            found.append(parse_platform(name))
        except InvalidInputError as error:
            table.wrong(f"platforms[{position}]", error.message, hint=error.hint)
    if not names:
        table.wrong("platforms", "is empty", hint="leave the key out to take over what holds otherwise")
    return tuple(sorted(found))


def check_version(text: str) -> tuple[str, str]:
    """Find what is wrong with a version of Airflow: one release, written as PEP 440 normalises it.

    Returns:
        What is wrong and the way out; both empty where it is fine.
    """
    try:
        normal = str(Version(text))
    except (InvalidVersion, ValueError):
        return f"{text[:80]!r} is no version", 'write one release of Airflow, as "3.3.2"'
    if normal != text:
        return f"{text[:80]!r} is not how this version is written", f"write {normal!r}"
    return "", ""


def _read_name(table: Table, key: str, *, required: bool = False, hint: str = "") -> str | None:
    value = table.text(key, required=required, hint=hint)
    if value is None:
        return None
    problem = check_name(value, context="")
    if problem:
        table.wrong(key, problem.message, hint=problem.hint)
        return None
    return value


def _read_airflow(top: Table, *, root: bool) -> tuple[str | None, str | None]:
    airflow = top.table("airflow")
    hint = 'a stack that extends no other must say it, as version = "3.3.2"' if root else ""
    version = airflow.text("version", required=root, hint=hint)
    problem, way_out = check_version(version) if version is not None else ("", "")
    if problem:
        airflow.wrong("version", problem, hint=way_out)
    constraints = airflow.text("constraints")
    problem, way_out = check_constraints(constraints) if constraints is not None else ("", "")
    if problem:
        airflow.wrong("constraints", problem, hint=way_out)
    airflow.close()
    return version, constraints


def _read_base(top: Table, *, root: bool) -> str | None:
    base = top.table("base")
    hint = "a stack that extends no other must say it; bases are the files of stacks/bases/" if root else ""
    name = _read_name(base, "name", required=root, hint=hint)
    base.close()
    return name


def _read_requirements(plugins: Table) -> tuple[str, ...]:
    requirements = plugins.texts("requirements") or ()
    for requirement in requirements:
        message, hint = check_requirement(requirement)
        if message:
            plugins.wrong("requirements", message, hint=hint)
    return requirements


def _read_divergences(top: Table) -> tuple[Divergence, ...]:
    found: dict[str, Divergence] = {}
    for row in top.tables("divergences"):
        project = read_project(row)
        specifier = read_specifier(row)
        reason = row.text("reason", required=True)
        owner = row.text("owner", required=True)
        expires = row.date("expires", required=True, hint="say until when it holds; it must be looked at again then")
        row.close()
        if project in AIRFLOW_PROJECTS:
            hint = "take this out; a stack for another Airflow says it in airflow.version"
            row.wrong("project", f"{project!r} is Airflow itself, and never diverges", hint=hint)
        if project in found:
            row.wrong("project", f"{project!r} diverges twice", hint="join both specifiers with a comma")
        if project and specifier and reason and owner and expires:
            found[project] = Divergence(
                project=project, specifier=specifier, reason=reason, owner=owner, expires=expires
            )
    return tuple(found.values())


def _read_image(top: Table) -> ImageSettings:
    image = top.table("image")
    settings = ImageSettings(
        platforms=read_platforms(image),
        layers=image.integer("layers", least=MIN_LAYER_BUDGET, most=MAX_LAYER_BUDGET),
        compression=one_of(image, "compression", image.text("compression"), COMPRESSIONS),
    )
    image.close()
    return settings


def is_address(constraints: str) -> bool:
    """Tell whether `airflow.constraints` names an address of the web."""
    return "://" in constraints


def check_constraints(text: str) -> tuple[str, str]:
    """Find what is wrong with `airflow.constraints`: a word, a path below the stack's folder, or an address.

    Returns:
        What is wrong and the way out; both empty where it is fine.
    """
    if not is_address(text):
        hint = 'write "official", "none", an https address, or the path of a file in the folder of the stack'
        return ("", "") if is_path_below(text) else (f"{text[:80]!r} leads out of the stack's folder", hint)
    try:
        parts = urlsplit(text)
        host = parts.hostname
    except ValueError:
        return "is no address", "write it as https://host/path"
    if parts.scheme not in {"https", "http"} or not host:
        return f"{text[:80]!r} is no address of the web", "write it as https://host/path"
    if "@" in parts.netloc:
        return "holds credentials, which belong in no stack", "put them into ~/.netrc, and leave them out here"
    return "", ""
