"""Gets a stack's constraints: fetched once, kept beside the lock and in the store, and read from there ever after."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from builder.digest import Digest
from builder.errors import PackageIndexError
from builder.project import Project
from builder.resolve.constraints import official_url, parse_constraints
from builder.stack.model import EffectiveStack
from builder.store.model import FileStore


@dataclass(frozen=True, slots=True, kw_only=True)
class Constraints:
    """The constraints that a stack holds to."""

    data: bytes
    digest: Digest
    file: str
    """As messages name it, relative to the project."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ConstraintSource:
    """Where constraints are published."""

    official: str
    """Template of Airflow's own address, with `{ref}` and `{py}`."""
    fetch: Callable[[str], bytes | None]
    """Reads an address; None where nothing is there."""
    offline: bool


def load_constraints(project: Project, stack: EffectiveStack) -> Constraints | None:
    """Read the constraints of a stack from the project's own files; None for `none`.

    Raises:
        StackError: the file is not there.
    """
    data = project.load_constraints(stack)
    if data is None:
        return None
    kept = project.constraints_path(stack)
    file = kept.relative_to(project.root).as_posix() if kept else f"stacks/{stack.constraints}"
    return Constraints(data=data, digest=Digest.of(data), file=file)


def ensure_constraints(
    project: Project,
    stack: EffectiveStack,
    source: ConstraintSource,
    files: FileStore,
    *,
    refresh: bool = False,
    say: Callable[[str], None] = lambda _: None,
) -> Constraints | None:
    """Get the constraints of a stack, from where they are published if they are not kept yet.

    Raises:
        PackageIndexError: they cannot be had.
        IssuesError: what is published there are no constraints.
    """
    kept = project.constraints_path(stack)
    if kept is not None and (refresh or not kept.is_file()):
        url = _address(project, stack, source)
        data = _fetch(source, url, stack, kept.relative_to(project.root).as_posix())
        before = kept.read_bytes() if kept.is_file() else None
        if before != data:
            say(f"constraints of {stack.name}: {'changed where they are published' if before else 'fetched'}")
        project.save_lock(kept, data)
    found = load_constraints(project, stack)
    if found is not None:
        files.add(found.data)
    return found


def _address(project: Project, stack: EffectiveStack, source: ConstraintSource) -> str:
    if stack.constraints != "official":
        return stack.constraints
    return official_url(stack.airflow_version, project.load_base(stack.base).python, source.official)


def _fetch(source: ConstraintSource, url: str, stack: EffectiveStack, file: str) -> bytes:
    context = f"stacks/{stack.constraints_from or stack.name}/stack.toml: airflow.constraints"
    if source.offline:
        raise PackageIndexError(
            f"{file} is not there, and the settings say offline", context=context, hint="lock once with a network"
        )
    data = source.fetch(url)
    if data is None:
        raise PackageIndexError(
            f"Airflow {stack.airflow_version} has no tested set at the address for this Python",
            context=context,
            hint='take another Airflow or base, save a file beside stack.toml and name it, or write "none"',
        )
    parse_constraints(data, file=file)
    return data
