"""Strict reading of `locks/pylock.<stack>.toml`; pylock_writer.py says what the file is.

A lock is written by this program, so anything that it would not write is refused: that is how a hand or a merge that went
wrong is noticed before an image is made. Reading collects every issue and raises once.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from typing import Any

from builder.digest import Digest
from builder.errors import BuilderError, IssuesError, LockInvalidError
from builder.lock.model import LockedCandidate, LockedFile, PlannedLayer, StackLock
from builder.lock.pylock_writer import (
    CREATED_BY,
    FORMAT,
    LOCK_VERSION,
    TOOL,
    dump_stack_lock,
    known_platforms,
    wheel_path,
)
from builder.platform import PLATFORMS, Platform

__all__ = ["dump_stack_lock", "parse_stack_lock", "wheel_path"]

MAX_BYTES = 16 << 20
_MAX_EPOCH = 1 << 36
"""Seconds since the epoch: the year 4147, which every calendar here can still write."""
_HEX = re.compile(r"[0-9a-f]{64}\Z")
_PROJECT = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*\Z")
_SEPARATORS = re.compile(r"[-_.]+")
_WHEEL = re.compile(r"[A-Za-z0-9_.+!-]+\.whl\Z")
_AGAIN = "make it again with: airflow-kubler lock"


def parse_stack_lock(data: bytes, *, file: str) -> StackLock:
    """Read a stack's lock.

    Args:
        data: the file's bytes, untrusted.
        file: its name, for messages.

    Raises:
        LockInvalidError: it is no TOML, or of a format unknown here.
        IssuesError: with everything else that is wrong.
    """
    values = _parse_toml(data, file)
    tool = values.get("tool", {})
    ours = tool.get(TOOL) if isinstance(tool, dict) else None
    if not isinstance(ours, dict):
        raise LockInvalidError("is no lock of a stack", context=f"{file}: tool.{TOOL}", hint=_AGAIN)
    for key, found, known in (
        ("lock-version", values.get("lock-version"), LOCK_VERSION),
        (f"tool.{TOOL}.format", ours.get("format"), FORMAT),
    ):
        if found != known or isinstance(found, bool):
            hint = f"this program reads {known}; use a newer one, or {_AGAIN}"
            raise LockInvalidError(f"unknown format {found!r}", context=f"{file}: {key}", hint=hint)
    reader = _Reader(file)
    lock = reader.lock(values, ours)
    reader.raise_any()
    # What says the same in other words is refused too: one lock, one file.
    if dump_stack_lock(lock) != data:
        raise LockInvalidError("was changed by hand, or by a merge", context=file, hint=_AGAIN)
    return lock


def _parse_toml(data: bytes, file: str) -> dict[str, Any]:
    if len(data) > MAX_BYTES:
        raise LockInvalidError(f"is {len(data)} bytes long, at most {MAX_BYTES} are read", context=file)
    try:
        return tomllib.loads(data.decode())
    except (ValueError, RecursionError) as error:
        raise LockInvalidError(f"is not TOML: {error}", context=file, hint=_AGAIN) from error


class _Reader:
    """Reads values by key, and keeps what is wrong with them."""

    def __init__(self, file: str) -> None:
        self._file = file
        self._issues: list[BuilderError] = []

    def raise_any(self) -> None:
        """Raise what was found wrong."""
        if self._issues:
            raise IssuesError(self._issues, hint=_AGAIN)

    def lock(self, values: Mapping[str, Any], ours: Mapping[str, Any]) -> StackLock:
        """Read the whole."""
        top = {"lock-version", "environments", "requires-python", "created-by", "packages", "tool"}
        self._known(values, top, "")
        self._known(values["tool"], {TOOL}, "tool.")
        where = f"tool.{TOOL}."
        self._known(ours, _TOOL_KEYS, where)
        if values.get("created-by") != CREATED_BY:
            self._wrong("created-by", f"must be {CREATED_BY!r}")
        platforms = self._platforms(ours, where)
        lock = self._make(values, ours, where, platforms)
        planned = sorted(project for layer in lock.plan for project in layer.projects)
        if planned != sorted({candidate.project for candidate in lock.candidates}):
            self._wrong(f"{where}plan", "does not hold every project of the lock once")
        return lock

    def _make(
        self, values: Mapping[str, Any], ours: Mapping[str, Any], where: str, platforms: tuple[Platform, ...]
    ) -> StackLock:
        return StackLock(
            stack=self._text(ours, "stack", where),
            description=self._text(ours, "description", where),
            parents=self._texts(ours, "parents", where),
            inputs=self._digest(ours, "inputs", where),
            airflow_version=self._text(ours, "airflow-version", where),
            python_version=self._python_version(ours, where),
            base=self._text(ours, "base", where),
            base_lock=self._digest(ours, "base-lock", where),
            parent_lock=self._digest(ours, "parent-lock", where) if "parent-lock" in ours else None,
            constraints=self._digest(ours, "constraints", where) if "constraints" in ours else None,
            resolver=self._text(ours, "resolver", where),
            created=self._number(ours, "created", where, below=_MAX_EPOCH),
            platforms=platforms,
            compression=self._text(ours, "compression", where),
            candidates=self._candidates(values, platforms),
            plan=tuple(self._layer(row, key) for row, key in self._tables(ours, "plan", where)),
            files=tuple(self._stack_file(row, key) for row, key in self._tables(ours, "files", where)),
        )

    def _candidates(self, values: Mapping[str, Any], platforms: tuple[Platform, ...]) -> tuple[LockedCandidate, ...]:
        rows = self._tables(values, "packages", "")
        candidates = tuple(self._candidate(row, key, platforms) for row, key in rows)
        seen: set[tuple[str, str]] = set()
        for candidate, (_, key) in zip(candidates, rows, strict=True):
            for platform in candidate.wheels:
                if (candidate.project, platform) in seen:
                    self._wrong(f"{key}name", f"{candidate.project!r} stands twice for {platform}")
                seen.add((candidate.project, platform))
        if list(candidates) != sorted(candidates, key=lambda candidate: (candidate.project, candidate.version)):
            self._wrong("packages", "are not in order")
        return candidates

    def _candidate(self, row: Mapping[str, Any], key: str, platforms: tuple[Platform, ...]) -> LockedCandidate:
        self._known(row, {"name", "version", "marker", "dependencies", "wheels", "tool"}, key)
        tool = row.get("tool")
        ours = tool.get(TOOL) if isinstance(tool, dict) else None
        if not isinstance(ours, dict):
            self._wrong(f"{key}tool.{TOOL}", "is missing")
            ours = {}
        where = f"{key}tool.{TOOL}."
        self._known(ours, {"wanted-by", "upload-time", "wheels"}, where)
        project = self._text(row, "name", key)
        if project and not _PROJECT.match(project):
            self._wrong(f"{key}name", f"is not a normalised name: {project[:80]!r}")
        version = self._text(row, "version", key)
        files = [self._wheel(wheel, at, project, version) for wheel, at in self._tables(row, "wheels", key)]
        dependencies = [self._text(item, "name", at) for item, at in self._tables(row, "dependencies", key)]
        return LockedCandidate(
            project=project,
            version=version,
            wheels=self._wheels_by_platform(ours, where, files, platforms),
            dependencies=tuple(dict.fromkeys(dependencies)),
            wanted_by=self._texts(ours, "wanted-by", where),
            upload_time=self._text(ours, "upload-time", where) if "upload-time" in ours else None,
        )

    def _wheels_by_platform(
        self, ours: Mapping[str, Any], where: str, files: list[LockedFile], platforms: tuple[Platform, ...]
    ) -> dict[str, LockedFile]:
        names = {platform.name for platform in platforms}
        positions = ours.get("wheels", dict.fromkeys((platform.name for platform in platforms), 0))
        found: dict[str, LockedFile] = {}
        for name, position in positions.items() if isinstance(positions, dict) else ():
            if name in names and type(position) is int and 0 <= position < len(files):
                found[name] = files[position]
            else:
                self._wrong(f"{where}wheels", f"{name[:40]!r} or its number is not in this lock")
        if not found:
            self._wrong(f"{where}wheels", "no platform has a wheel")
        return found

    def _wheel(self, row: Mapping[str, Any], key: str, project: str, version: str) -> LockedFile:
        self._known(row, {"name", "path", "size", "hashes"}, key)
        hashes = row.get("hashes")
        file = LockedFile(
            name=self._text(row, "name", key),
            size=self._number(row, "size", key),
            sha256=self._hex(hashes if isinstance(hashes, dict) else {}, "sha256", f"{key}hashes."),
        )
        if not _WHEEL.match(file.name):
            self._wrong(f"{key}name", f"is not the name of a wheel: {file.name[:80]!r}")
        elif _SEPARATORS.sub("-", file.name.partition("-")[0]).lower() != project:
            self._wrong(f"{key}name", f"is no wheel of {project[:80]!r}")
        elif not _is_of_version(file.name, version):
            self._wrong(f"{key}name", f"is no wheel of {project[:80]} {version[:80]}")
        elif row.get("path") != wheel_path(file):
            self._wrong(f"{key}path", "must be files/<sha256>/<name>")
        return file

    def _stack_file(self, row: Mapping[str, Any], key: str) -> tuple[str, LockedFile]:
        self._known(row, {"path", "name", "size", "sha256"}, key)
        path = self._text(row, "path", key)
        parts = path.split("/")
        whiteout = any(part.startswith(".wh.") for part in parts)
        if not {"", ".", ".."}.isdisjoint(parts) or whiteout or not path.isprintable():
            self._wrong(f"{key}path", f"is not a plain path in the image: {path[:80]!r}")
        return path, LockedFile(
            name=self._text(row, "name", key),
            size=self._number(row, "size", key),
            sha256=self._hex(row, "sha256", key),
        )

    def _layer(self, row: Mapping[str, Any], key: str) -> PlannedLayer:
        self._known(row, {"name", "stack", "projects"}, key)
        return PlannedLayer(
            name=self._text(row, "name", key),
            stack=self._text(row, "stack", key),
            projects=self._texts(row, "projects", key),
        )

    def _platforms(self, ours: Mapping[str, Any], where: str) -> tuple[Platform, ...]:
        names = self._texts(ours, "platforms", where)
        for name in names:
            if name not in PLATFORMS:
                self._wrong(f"{where}platforms", f"unknown platform {name[:40]!r}")
        if not names or list(names) != sorted(set(names)):
            self._wrong(f"{where}platforms", "must be sorted, none twice, at least one")
        return known_platforms(names)

    def _python_version(self, ours: Mapping[str, Any], where: str) -> str:
        version = self._text(ours, "python-version", where)
        if re.fullmatch(r"\d+\.\d+\.\d+", version):
            return version
        self._wrong(f"{where}python-version", "must be three numbers, as 3.13.5")
        return "0.0.0"

    def _known(self, values: Mapping[str, Any], known: set[str], where: str) -> None:
        for key in values:
            if key not in known:
                self._wrong(f"{where}{key[:80]}", "unknown key")

    def _text(self, values: Mapping[str, Any], key: str, where: str) -> str:
        value = values.get(key)
        if isinstance(value, str) and value:
            return value
        self._wrong(f"{where}{key}", "must be a text, not empty")
        return ""

    def _texts(self, values: Mapping[str, Any], key: str, where: str) -> tuple[str, ...]:
        value = values.get(key)
        if isinstance(value, list) and all(isinstance(item, str) for item in value):
            return tuple(value)
        self._wrong(f"{where}{key}", "must be an array of texts")
        return ()

    def _number(self, values: Mapping[str, Any], key: str, where: str, *, below: int = 1 << 53) -> int:
        value = values.get(key)
        if type(value) is int and 0 <= value < below:
            return value
        self._wrong(f"{where}{key}", f"must be a whole number, not negative, below {below}")
        return 0

    def _digest(self, values: Mapping[str, Any], key: str, where: str) -> Digest:
        value = values.get(key)
        if isinstance(value, str) and value.startswith("sha256:") and _HEX.match(value[7:]):
            return Digest(value[7:])
        self._wrong(f"{where}{key}", "must be sha256:<64 hexadecimal characters>")
        return Digest("0" * 64)

    def _hex(self, values: Mapping[str, Any], key: str, where: str) -> Digest:
        value = values.get(key)
        if isinstance(value, str) and _HEX.match(value):
            return Digest(value)
        self._wrong(f"{where}{key}", "must be 64 hexadecimal characters")
        return Digest("0" * 64)

    def _tables(self, values: Mapping[str, Any], key: str, where: str) -> list[tuple[Mapping[str, Any], str]]:
        value = values.get(key, [])
        if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
            self._wrong(f"{where}{key}", "must be an array of tables")
            return []
        return [(item, f"{where}{key}[{position}].") for position, item in enumerate(value)]

    def _wrong(self, key: str, message: str) -> None:
        self._issues.append(LockInvalidError(message, context=f"{self._file}: {key}"))


def _is_of_version(wheel: str, version: str) -> bool:
    """Compare a lock's version with the one in a wheel's file name, which reviewers of a lock do not look at."""
    written = wheel.split("-")[1] if "-" in wheel else ""
    if written == version:
        return True
    # Spelt in another way, as few are: only they pay for the import.
    from packaging.version import InvalidVersion, Version

    try:
        return Version(written.replace("_", "-")) == Version(version)
    except InvalidVersion:
        return False


_TOOL_KEYS = {
    "format",
    "stack",
    "description",
    "parents",
    "inputs",
    "airflow-version",
    "python-version",
    "base",
    "base-lock",
    "parent-lock",
    "constraints",
    "resolver",
    "created",
    "platforms",
    "compression",
    "plan",
    "files",
}
