"""Gets a stack's constraints: fetched once, kept beside the lock and in the store, and read from there ever after."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from builder.digest import Digest
from builder.errors import PackageIndexError
from builder.project import Project
from builder.resolve.constraints import official_url, parse_constraints
from builder.stack.model import EffectiveStack
from builder.store.model import FileStore

LARGEST = 4 << 20
"""Bytes; Airflow's own have less than a hundredth of it."""
_PYTHONS = tuple(f"3.{minor}" for minor in range(6, 17))
"""Asked for where there is no set for a base's Python, to say which there are."""
_SHOWN = 10


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

    Args:
        project: the folder of stacks and locks.
        stack: names its constraints.
        source: where they are published.
        files: the store, which keeps their bytes too.
        refresh: fetch them again; what they say otherwise than before is said.
        say: told what is being done.

    Raises:
        PackageIndexError: they cannot be had.
        IssuesError: what is published there are no constraints; the file that was kept stays.
    """
    kept = project.constraints_path(stack)
    if kept is not None and (refresh or not kept.is_file()):
        file = kept.relative_to(project.root).as_posix()
        data = _fetch(project, stack, source, file)
        before = kept.read_bytes() if kept.is_file() else None
        project.save_lock(kept, data)
        if before is None:
            say(f"fetched {file}")
        elif before != data:
            say("\n  ".join((f"{file} changed where it is published", *iter_changes(before, data, file=file))))
    found = load_constraints(project, stack)
    if found is not None:
        files.add(found.data)
    return found


def iter_changes(before: bytes, after: bytes, *, file: str) -> Iterator[str]:
    """Say what other constraints pin otherwise; at most ten lines and how many more."""
    old, new = _pins(before, file), _pins(after, file)
    lines = [
        f"{project} {old.get(project, 'not there')} -> {new.get(project, 'gone')}"
        for project in sorted(old.keys() | new.keys())
        if old.get(project) != new.get(project)
    ]
    yield from lines[:_SHOWN]
    if len(lines) > _SHOWN:
        yield f"and {len(lines) - _SHOWN} more"
    if not lines:
        yield "in its comments alone"


def _pins(data: bytes, file: str) -> dict[str, str]:
    return {line.project: line.version for line in parse_constraints(data, file=file)}


def _fetch(project: Project, stack: EffectiveStack, source: ConstraintSource, file: str) -> bytes:
    context = f"stacks/{stack.constraints_from or stack.name}/stack.toml: airflow.constraints"
    if source.offline:
        raise PackageIndexError(
            f"{file} cannot be fetched: the settings say offline",
            context=context,
            hint=f"lock once with a network, or put the file to {file} yourself",
        )
    official = stack.constraints == "official"
    python = project.load_base(stack.base).python if official else ""
    url = official_url(stack.airflow_version, python, source.official) if official else stack.constraints
    try:
        data = source.fetch(url)
    except PackageIndexError as error:
        hint = f"put the file to {file} yourself, or name a mirror in the user's settings: constraints.official"
        raise PackageIndexError(f"cannot be fetched: {error.message}", context=error.context, hint=hint) from error
    if data is None:
        raise (
            _absent(stack, source, python, context)
            if official
            else PackageIndexError("there is no such file", context=f"{context}: {url}", hint="correct the address")
        )
    parse_constraints(data, file=url)
    return data


def _absent(stack: EffectiveStack, source: ConstraintSource, python: str, context: str) -> PackageIndexError:
    """Say for which Pythons there is a set, where there is none for the base's."""
    there = [other for other in _PYTHONS if source.fetch(official_url(stack.airflow_version, other, source.official))]
    if not there:
        message, hint = f"Airflow {stack.airflow_version} has no tested set", "take a released version of Airflow"
    else:
        message = f"Airflow {stack.airflow_version} has no tested set for Python {python}"
        hint = f"there are sets for Python {', '.join(there)}: take a base with one of them"
    return PackageIndexError(message, context=context, hint=f'{hint}, or constraints = "none"')
