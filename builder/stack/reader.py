"""Read stack.toml, and the requirements.in beside it, into a Stack. Every issue is collected, then raised once."""

from __future__ import annotations

from pathlib import PurePosixPath

from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.utils import canonicalize_name, is_normalized_name
from packaging.version import InvalidVersion, Version

from builder.errors import InvalidInputError
from builder.platform import Platform, parse_platform
from builder.stack.model import MAX_LAYER_BUDGET, Divergence, ImageSettings, Stack
from builder.stack.names import check_name
from builder.stack.requirements import check_requirement, read_requirements_in
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
    top.close()
    if requirements_in is not None:
        beside = str(PurePosixPath(file).with_name("requirements.in"))
        requirements += read_requirements_in(requirements_in, file=beside, issues=top.issues)
    top.issues.raise_any()
    return Stack(
        name=name,
        description=description or "",
        owners=owners,
        extends=extends,
        airflow_version=version,
        constraints=constraints,
        base=base,
        requirements=requirements,
        divergences=divergences,
        image=image,
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
    if constraints is not None and not _is_path_below(constraints):
        airflow.wrong(
            "constraints",
            f"{constraints[:80]!r} leads out of the stack's folder",
            hint='write "official", "none", or the path of a file in the folder of the stack',
        )
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
        project = _read_project(row)
        specifier = row.text("specifier", required=True, hint='write the versions allowed, as "<25"')
        if specifier is not None:
            try:
                SpecifierSet(specifier)
            except (InvalidSpecifier, ValueError):
                row.wrong(
                    "specifier", f"{specifier[:80]!r} is no version specifier", hint='write it as "<25" or ">=2,<3"'
                )
        reason = row.text("reason", required=True)
        owner = row.text("owner", required=True)
        expires = row.date("expires", required=True, hint="say until when it holds; it must be looked at again then")
        row.close()
        if project in found:
            row.wrong("project", f"{project!r} diverges twice", hint="join both specifiers with a comma")
        if project and specifier and reason and owner and expires:
            found[project] = Divergence(
                project=project, specifier=specifier, reason=reason, owner=owner, expires=expires
            )
    return tuple(found.values())


def _read_project(row: Table) -> str | None:
    text = row.text("project", required=True)
    if text is None:
        return None
    project = str(canonicalize_name(text))
    if not is_normalized_name(project):
        row.wrong("project", f"{text[:80]!r} is no name of a project")
        return None
    return project


def _read_image(top: Table) -> ImageSettings:
    image = top.table("image")
    settings = ImageSettings(
        platforms=read_platforms(image),
        layers=image.integer("layers", least=MIN_LAYER_BUDGET, most=MAX_LAYER_BUDGET),
        compression=one_of(image, "compression", image.text("compression"), COMPRESSIONS),
    )
    image.close()
    return settings


def _is_path_below(text: str) -> bool:
    path = PurePosixPath(text)
    return not path.is_absolute() and ".." not in path.parts and "\\" not in text and str(path) not in {"", "."}
