"""A lock in the words of other tools: PEP 751 without our tables, pip's hashed requirements, constraints. Pure.

- Bytes are a function of the lock and the platforms alone; no host, no time of the day.
- Every form says, in a comment or its metadata, which lock it was made from.
- What platforms have differently carries a marker; what they have alike carries none.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from builder.digest import Digest
from builder.errors import LockInvalidError
from builder.lock.inline import dump_inline
from builder.lock.model import LockedCandidate, LockedFile, StackLock
from builder.lock.pylock_writer import (
    LOCK_VERSION,
    TOOL,
    distinct_wheels,
    platform_marker,
    python_specifier,
    wheel_path,
)
from builder.platform import Platform


@dataclass(frozen=True, slots=True, kw_only=True)
class Export:
    """A lock, its digest, and the platforms that are wanted of it."""

    lock: StackLock
    digest: Digest
    """Of the lock file's bytes."""
    platforms: tuple[Platform, ...]
    """Sorted; some or all of the lock's."""

    def candidates(self) -> tuple[LockedCandidate, ...]:
        """List the candidates that any of the platforms installs, in the lock's order."""
        names = {platform.name for platform in self.platforms}
        return tuple(candidate for candidate in self.lock.candidates if not names.isdisjoint(candidate.wheels))

    def wheels(self, candidate: LockedCandidate) -> tuple[LockedFile, ...]:
        """List a candidate's wheels once each, in the order of the platforms."""
        return tuple(distinct_wheels(candidate, self.platforms))

    def machines(self, candidate: LockedCandidate) -> tuple[str, ...]:
        """Name the machines that a candidate is for; empty where it is for all of the platforms."""
        held = [platform for platform in self.platforms if platform.name in candidate.wheels]
        return () if len(held) == len(self.platforms) else tuple(platform.machine for platform in held)

    def made_from(self) -> str:
        """Say what it was made from."""
        return f"locks/pylock.{self.lock.stack}.toml, {self.digest}"

    def made_for(self) -> str:
        """Say what it is for."""
        minor = ".".join(self.lock.python_version.split(".")[:2])
        return f"Python {minor}, {', '.join(platform.name for platform in self.platforms)}"


def make_export(lock: StackLock, digest: Digest, platforms: Sequence[Platform] = ()) -> Export:
    """Take platforms of a lock, all where none is named.

    Raises:
        LockInvalidError: the lock is not for a platform.
    """
    lacking = [platform.name for platform in platforms if platform not in lock.platforms]
    if lacking:
        raise LockInvalidError(
            f"is not for {', '.join(lacking)}",
            context=f"locks/pylock.{lock.stack}.toml",
            hint=f"it is for {', '.join(platform.name for platform in lock.platforms)}",
        )
    return Export(lock=lock, digest=digest, platforms=tuple(sorted(platforms)) or lock.platforms)


def dump_requirements(export: Export) -> bytes:
    """Write pip's requirements with hashes: one line of hash for each wheel.

    Installable from a folder of wheels (`--no-index --find-links`) and from an index; `--require-hashes` is implied.
    """
    return _dump(export, "requirements", _iter_requirements(export))


def dump_constraints(export: Export) -> bytes:
    """Write constraints: `project==version`."""
    return _dump(export, "constraints", (_pin(export, candidate) for candidate in export.candidates()))


def dump_pylock(export: Export) -> bytes:
    """Write PEP 751 without our own tables; paths stay relative to the folder of locks."""
    head = [
        _line("lock-version", LOCK_VERSION),
        _line("environments", [platform_marker(platform) for platform in export.platforms]),
        _line("requires-python", python_specifier(export.lock.python_version)),
        _line("created-by", TOOL),
    ]
    versions: dict[str, list[str]] = {}
    for candidate in export.candidates():
        versions.setdefault(candidate.project, []).append(candidate.version)
    body = [line for candidate in export.candidates() for line in _iter_package(export, candidate, versions)]
    tool = ["", f"[tool.{TOOL}]", _line("exported-from", str(export.digest)), _line("stack", export.lock.stack)]
    return _dump(export, "pylock", [*head, *body, *tool])


def _iter_requirements(export: Export) -> Iterator[str]:
    for candidate in export.candidates():
        if candidate.built:
            yield f"# No index has a wheel of it: this one was built from {candidate.built.sdist.name}."
        hashes = [f"--hash=sha256:{file.sha256.hex}" for file in export.wheels(candidate)]
        yield " \\\n    ".join((_pin(export, candidate), *hashes))


def _pin(export: Export, candidate: LockedCandidate) -> str:
    marker = _marker(export.machines(candidate))
    return f"{candidate.project}=={candidate.version}" + (f" ; {marker}" if marker else "")


def _marker(machines: Sequence[str]) -> str:
    return " or ".join(f"platform_machine == '{machine}'" for machine in machines)


def _iter_package(export: Export, candidate: LockedCandidate, versions: Mapping[str, Sequence[str]]) -> Iterator[str]:
    yield ""
    yield "[[packages]]"
    yield _line("name", candidate.project)
    yield _line("version", candidate.version)
    if marker := _marker(export.machines(candidate)):
        yield _line("marker", marker)
    dependencies = [
        {"name": project} if len(several) == 1 else {"name": project, "version": version}
        for project in candidate.dependencies
        for several in (versions.get(project, ()),)
        for version in several
    ]
    if dependencies:
        yield _line("dependencies", dependencies)
    yield "wheels = ["
    for file in export.wheels(candidate):
        wheel = {"name": file.name, "path": wheel_path(file), "size": file.size, "hashes": {"sha256": file.sha256.hex}}
        yield f"    {dump_inline(wheel)},"
    yield "]"


def _line(key: str, value: object) -> str:
    return f"{key} = {dump_inline(value)}"


def _dump(export: Export, form: str, lines: Iterator[str] | Sequence[str]) -> bytes:
    head = (
        f"# Made by `airflow-kubler lock export {export.lock.stack} --format {form}` from {export.made_from()}.",
        f"# For {export.made_for()}.",
    )
    return "\n".join((*head, *lines, "")).encode()


FORMATS: Mapping[str, Callable[[Export], bytes]] = MappingProxyType(
    {
        "pylock": dump_pylock,
        "requirements": dump_requirements,
        "constraints": dump_constraints,
    }
)
"""Each form's writer, by name."""
