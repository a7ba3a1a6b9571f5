"""Read and write `locks/base.<name>.toml`.

The base file is embedded, so that a build reads locks only. Reading is strict: unknown keys, unknown formats and
contradictions are refused, all issues at once. Same lock, same bytes.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable
from typing import Any, TypeVar

from builder.canonical import dump_toml
from builder.digest import Digest
from builder.errors import InvalidInputError, IssuesError, LockInvalidError
from builder.lock.base_image import image_to_dict, read_image
from builder.lock.model import BaseLock, LockedDeb, LockedFile, ReleaseRecord
from builder.platform import PLATFORMS, Platform
from builder.stack.base import base_from_dict, base_to_dict
from builder.stack.inputs import base_inputs_digest
from builder.stack.model import Base
from builder.stack.table import Issues, Table

FORMAT = 1
_HEADER = b"# Made by `airflow-kubler lock`: every Debian package of a base. Not written by hand.\n\n"
_IMAGE_HEADER = b"# Made by `airflow-kubler lock`: every layer of a base. Not written by hand.\n\n"
_MAX_SIZE = 1 << 40
_MAX_EPOCH = 1 << 36
_PACKAGE = re.compile(r"[a-z0-9][a-z0-9+.-]*\Z")
_DEB_VERSION = re.compile(r"[A-Za-z0-9.+~:-]+\Z")
POOL_PATH = re.compile(r"(?:[A-Za-z0-9+_~][A-Za-z0-9+._~:-]*/)+[A-Za-z0-9+_~][A-Za-z0-9+._~:%-]*\.deb\Z")
"""A deb's path in an archive: relative, no part of it leads up or is hidden."""
_NUMBERS = re.compile(r"[0-9]+(?:\.[0-9]+)+[A-Za-z0-9.+~]*\Z")
_T = TypeVar("_T")


def dump_base_lock(lock: BaseLock) -> bytes:
    """Write a base lock; bytes are stable."""
    values: dict[str, Any] = {
        "format": FORMAT,
        "name": lock.name,
        "inputs": str(lock.inputs),
        "release": lock.release,
        "python-version": lock.python_version,
        "glibc": lock.glibc,
        "created": lock.created,
        "releases": [
            {"suite": record.suite, "date": record.date, "sha256": record.sha256.hex} for record in lock.releases
        ],
        "debs": [_deb_to_dict(deb) for deb in lock.debs],
        "base": base_to_dict(lock.base),
    }
    if lock.compilers:
        values["compilers"] = [_deb_to_dict(deb) for deb in lock.compilers]
    if lock.base.is_image:
        # Nothing of Debian's: a lock of Debian packages has these, empty or not.
        del values["releases"], values["debs"]
        values["images"] = [image_to_dict(image) for image in lock.images]
    return (_IMAGE_HEADER if lock.base.is_image else _HEADER) + dump_toml(values)


def parse_base_lock(data: bytes, *, file: str) -> BaseLock:
    """Read a base lock; the inverse of `dump_base_lock`.

    Args:
        data: the file's bytes.
        file: how errors name it.

    Raises:
        IssuesError: with everything that is wrong.
        LockInvalidError: it is not TOML, of another format, or its embedded base is not the one of its `inputs`.
    """
    try:
        values = tomllib.loads(data.decode())
    except (ValueError, RecursionError) as exc:
        raise LockInvalidError(f"not a TOML file: {exc}", context=file) from exc
    if values.get("format") != FORMAT:
        hint = "lock the base again, or use the version of airflow-kubler that made it"
        raise LockInvalidError(f"format {values.get('format')!r} is not {FORMAT}", context=f"{file}: format", hint=hint)
    lock = _read(Table(values, _LockIssues(file)), values, file)
    if base_inputs_digest(lock.base) != lock.inputs:
        hint = "lock the base again"
        raise LockInvalidError("is not the digest of the embedded base", context=f"{file}: inputs", hint=hint)
    # What says the same in other words is refused too: one lock, one file.
    if dump_base_lock(lock) != data:
        raise LockInvalidError("was changed by hand, or by a merge", context=file, hint="lock the base again")
    return lock


def check_base_lock(base: Base, lock: BaseLock) -> bool:
    """Tell whether a lock answers to its base file: fresh, or stale. Reads nothing."""
    return lock.inputs == base_inputs_digest(base)


def previous_release(lock: BaseLock | None, suite: str) -> ReleaseRecord | None:
    """Find the Release file of a suite that a lock was made from."""
    return next((record for record in lock.releases if record.suite == suite), None) if lock else None


class _LockIssues(Issues):
    """Issues of a lock."""

    def add(self, key: str, message: str, *, hint: str = "", file: str = "") -> None:
        """Note an issue of a key."""
        self.found.append(LockInvalidError(message, context=f"{file or self.file}: {key}", hint=hint))


def _deb_to_dict(deb: LockedDeb) -> dict[str, Any]:
    return {
        "package": deb.package,
        "version": deb.version,
        "architecture": deb.architecture,
        "source": deb.source,
        "suite": deb.suite,
        "path": deb.pool_path,
        "size": deb.file.size,
        "sha256": deb.file.sha256.hex,
        "platforms": [platform.name for platform in deb.platforms],
    }


def _read(top: Table, values: dict[str, Any], file: str) -> BaseLock:
    top.integer("format", least=FORMAT, most=FORMAT)
    name = top.text("name", required=True) or ""
    inputs = _converted(top, "inputs", Digest.parse)
    release = top.text("release", required=True) or ""
    python_version = _matching(top, "python-version", _NUMBERS)
    glibc = _matching(top, "glibc", _NUMBERS)
    created = _required_integer(top, "created", _MAX_EPOCH)
    records = [_read_record(row) for row in top.tables("releases")]
    debs = [_read_deb(row) for row in top.tables("debs")]
    compilers = [_read_deb(row) for row in top.tables("compilers")]
    images = [read_image(row) for row in top.tables("images")]
    top.table("base", required=True)
    top.close()
    for name_of, listed in (("debs", debs), ("compilers", compilers)):
        keys = [(deb.package, deb.architecture, deb.version) for deb in listed if deb]
        if keys != sorted(set(keys)):
            top.wrong(name_of, "are not in their order, or one stands twice")
    _raise(top)
    base = base_from_dict(values["base"], name=name, file=file, key="base")
    return BaseLock(
        name=name,
        inputs=_sure(inputs),
        release=release,
        python_version=python_version,
        glibc=glibc,
        created=created,
        releases=tuple(map(_sure, records)),
        debs=tuple(map(_sure, debs)),
        base=base,
        images=tuple(map(_sure, images)),
        compilers=tuple(map(_sure, compilers)),
    )


def _read_record(row: Table) -> ReleaseRecord | None:
    suite = row.text("suite", required=True) or ""
    date = _required_integer(row, "date", _MAX_EPOCH)
    sha256 = _converted(row, "sha256", Digest)
    row.close()
    return ReleaseRecord(suite=suite, date=date, sha256=sha256) if sha256 else None


def _read_deb(row: Table) -> LockedDeb | None:
    package = _matching(row, "package", _PACKAGE)
    version = _matching(row, "version", _DEB_VERSION)
    architecture = row.text("architecture", required=True) or ""
    source = _matching(row, "source", _PACKAGE)
    suite = row.text("suite", required=True) or ""
    pool_path = _matching(row, "path", POOL_PATH)
    size = _required_integer(row, "size", _MAX_SIZE)
    sha256 = _converted(row, "sha256", Digest)
    platforms = _read_platforms(row, architecture)
    row.close()
    if sha256 is None:
        return None
    return LockedDeb(
        package=package,
        version=version,
        architecture=architecture,
        source=source,
        suite=suite,
        pool_path=pool_path,
        file=LockedFile(name=pool_path.rpartition("/")[2], size=size, sha256=sha256),
        platforms=platforms,
    )


def _read_platforms(row: Table, architecture: str) -> tuple[Platform, ...]:
    names = row.texts("platforms", required=True) or ()
    if unknown := [name for name in names if name not in PLATFORMS]:
        row.wrong("platforms", f"unknown platform {unknown[0]!r}")
        return ()
    platforms = tuple(PLATFORMS[name] for name in names)
    if not platforms or any(architecture not in {"all", platform.architecture} for platform in platforms):
        row.wrong("platforms", f"do not go with architecture {architecture!r}")
    return platforms


def _required_integer(row: Table, key: str, most: int) -> int:
    value = row.integer(key, least=0, most=most)
    if value is None:
        row.wrong(key, "must be there, a whole number")
    return value or 0


def _matching(row: Table, key: str, pattern: re.Pattern[str]) -> str:
    value = row.text(key, required=True) or ""
    if value and not pattern.match(value):
        row.wrong(key, f"cannot be {value[:80]!r}")
    return value


def _converted(row: Table, key: str, convert: Callable[[str], _T]) -> _T | None:
    value = row.text(key, required=True)
    if value is None:
        return None
    try:
        return convert(value)
    except InvalidInputError as exc:
        row.wrong(key, exc.message)
        return None


def _raise(top: Table) -> None:
    if top.issues.found:
        raise IssuesError(top.issues.found)


def _sure(value: _T | None) -> _T:
    """Give what is there, since issues have been raised where it is not."""
    assert value is not None  # noqa: S101  internal impossibility
    return value
