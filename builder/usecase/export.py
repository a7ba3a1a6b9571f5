"""Export: a stack's lock as other tools read it, and its wheels in one folder for `pip --find-links`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from builder.atomic import replacing
from builder.digest import Digest
from builder.errors import LockInvalidError, LockStaleError, MissingBlobError
from builder.lock.export import FORMATS, Export, make_export
from builder.lock.pylock import parse_stack_lock, wheel_path
from builder.platform import Platform
from builder.project import Project

_MODE = 0o644


def open_export(project: Project, stack: str, platforms: Sequence[Platform] = ()) -> Export:
    """Read a stack's lock for export; whether it is stale is not asked: what is exported is the lock there is.

    Raises:
        LockStaleError: the stack has no lock.
        LockInvalidError: it is not for a platform.
    """
    project.load_stack(stack)
    path = project.stack_lock_path(stack)
    if not path.is_file():
        raise LockStaleError(
            "has no lock", context=f"stacks/{stack}", hint=f"make it with: airflow-kubler lock {stack}"
        )
    data = path.read_bytes()
    lock = parse_stack_lock(data, file=f"locks/{path.name}")
    if lock.stack != stack:
        raise LockInvalidError(f"is the lock of stack {lock.stack!r}", context=f"locks/{path.name}")
    return make_export(lock, Digest.of(data), platforms)


def dump_export(export: Export, form: str) -> bytes:
    """Write an export in one of the forms of `FORMATS`."""
    return FORMATS[form](export)


def dump_lock_bill(project: Project, stack: str, platform: Platform) -> bytes:
    """Write the bill of materials that the locks of a stack alone give, as CycloneDX.

    Raises:
        LockStaleError: the lock of its base has changed since.
        LockInvalidError: a lock is missing or damaged.
    """
    from builder.sbom.lock_facts import facts_of_locks
    from builder.sbom.make import make_sbom
    from builder.usecase.build import load_locks

    locks = load_locks(project.locks_folder, stack)
    facts = facts_of_locks(locks.stack, locks.base, platform)
    return make_sbom(locks.stack, locks.base, lock=locks.stack_digest, platform=platform, facts=facts)


def save_export(data: bytes, path: Path) -> None:
    """Write an export to a file, by one rename."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path, mode=_MODE) as stream:
        stream.write(data)


def link_wheels(project: Project, export: Export, folder: Path) -> int:
    """Put the wheels of an export into one folder, as `--find-links` wants them; returns how many are there.

    Raises:
        MissingBlobError: locks/files/ lacks some of them.
    """
    files = {file.name: file for candidate in export.candidates() for file in export.wheels(candidate)}
    lacking = sorted(name for name, file in files.items() if not (project.locks_folder / wheel_path(file)).is_file())
    if lacking:
        raise MissingBlobError(
            f"{len(lacking)} of {len(files)} wheels are not in locks/files, as {lacking[0]}",
            hint=f"bring them with: airflow-kubler fetch {export.lock.stack}",
        )
    folder.mkdir(parents=True, exist_ok=True)
    for name, file in files.items():
        source = project.locks_folder / wheel_path(file)
        with replacing(folder / name, mode=_MODE) as stream:
            stream.write(source.read_bytes())
    return len(files)
