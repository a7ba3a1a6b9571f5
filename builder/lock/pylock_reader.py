"""The parts of a stack's lock, read by key: each issue is noted, and what is wrong reads as something empty."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from builder.lock.fields import Fields
from builder.lock.model import LockedCandidate, LockedFile, PlannedLayer, StackLock
from builder.lock.pylock_rules import read_built, read_divergences, read_index_rules, read_resolution
from builder.lock.pylock_writer import CREATED_BY, TOOL, known_platforms, wheel_path
from builder.platform import PLATFORMS, Platform

_MAX_EPOCH = 1 << 36
"""Seconds since the epoch: the year 4147, which every calendar here can still write."""
_PROJECT = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*\Z")
_SEPARATORS = re.compile(r"[-_.]+")
_WHEEL = re.compile(r"[A-Za-z0-9_.+!-]+\.whl\Z")


class StackLockReader:
    """Reads the parts of a lock; what is wrong goes to the fields it reads by."""

    def __init__(self, read: Fields) -> None:
        self._read = read

    def lock(
        self, values: Mapping[str, Any], ours: Mapping[str, Any], candidates: tuple[LockedCandidate, ...] | None = None
    ) -> StackLock:
        """Read the whole; where its candidates were read already, the rest."""
        top = {"lock-version", "environments", "requires-python", "created-by", "packages", "tool"}
        self._read.known(values, top, "")
        self._read.known(values["tool"], {TOOL}, "tool.")
        where = f"tool.{TOOL}."
        self._read.known(ours, _TOOL_KEYS, where)
        if values.get("created-by") != CREATED_BY:
            self._read.wrong("created-by", f"must be {CREATED_BY!r}")
        platforms = self.platforms(ours, where)
        held = self._candidates(values, platforms) if candidates is None else candidates
        lock = self._make(ours, where, platforms, held)
        planned = sorted(project for layer in lock.plan for project in layer.projects)
        if planned != sorted({candidate.project for candidate in lock.candidates}):
            self._read.wrong(f"{where}plan", "does not hold every project of the lock once")
        return lock

    def _make(
        self,
        ours: Mapping[str, Any],
        where: str,
        platforms: tuple[Platform, ...],
        candidates: tuple[LockedCandidate, ...],
    ) -> StackLock:
        return StackLock(
            stack=self._read.text(ours, "stack", where),
            description=self._read.text(ours, "description", where),
            parents=self._read.texts(ours, "parents", where),
            inputs=self._read.digest(ours, "inputs", where),
            airflow_version=self._read.text(ours, "airflow-version", where),
            python_version=self._python_version(ours, where),
            base=self._read.text(ours, "base", where),
            base_lock=self._read.digest(ours, "base-lock", where),
            parent_lock=self._read.digest(ours, "parent-lock", where) if "parent-lock" in ours else None,
            constraints=self._read.digest(ours, "constraints", where) if "constraints" in ours else None,
            resolver=self._read.text(ours, "resolver", where),
            created=self._read.number(ours, "created", where, below=_MAX_EPOCH),
            platforms=platforms,
            compression=self._read.text(ours, "compression", where),
            candidates=candidates,
            plan=tuple(self._layer(row, key) for row, key in self._read.tables(ours, "plan", where)),
            files=tuple(self._stack_file(row, key) for row, key in self._read.tables(ours, "files", where)),
            divergences=read_divergences(self._read, ours, where),
            resolution=read_resolution(self._read, ours, where),
            index_rules=read_index_rules(self._read, ours, where),
        )

    def _candidates(self, values: Mapping[str, Any], platforms: tuple[Platform, ...]) -> tuple[LockedCandidate, ...]:
        rows = self._read.tables(values, "packages", "")
        candidates = tuple(self.candidate(row, key, platforms) for row, key in rows)
        seen: set[tuple[str, str]] = set()
        for candidate, (_, key) in zip(candidates, rows, strict=True):
            for platform in candidate.wheels:
                if (candidate.project, platform) in seen:
                    self._read.wrong(f"{key}name", f"{candidate.project!r} stands twice for {platform}")
                seen.add((candidate.project, platform))
        if list(candidates) != sorted(candidates, key=lambda candidate: (candidate.project, candidate.version)):
            self._read.wrong("packages", "are not in order")
        return candidates

    def candidate(self, row: Mapping[str, Any], key: str, platforms: tuple[Platform, ...]) -> LockedCandidate:
        """Read one of its packages."""
        self._read.known(row, {"name", "version", "marker", "dependencies", "wheels", "tool"}, key)
        tool = row.get("tool")
        ours = tool.get(TOOL) if isinstance(tool, dict) else None
        if not isinstance(ours, dict):
            self._read.wrong(f"{key}tool.{TOOL}", "is missing")
            ours = {}
        where = f"{key}tool.{TOOL}."
        self._read.known(ours, {"wanted-by", "upload-time", "tested", "index", "built", "wheels"}, where)
        project = self._read.text(row, "name", key)
        if project and not _PROJECT.match(project):
            self._read.wrong(f"{key}name", f"is not a normalised name: {project[:80]!r}")
        version = self._read.text(row, "version", key)
        files = [self._wheel(wheel, at, project, version) for wheel, at in self._read.tables(row, "wheels", key)]
        dependencies = [self._read.text(item, "name", at) for item, at in self._read.tables(row, "dependencies", key)]
        return LockedCandidate(
            project=project,
            version=version,
            wheels=self._wheels_by_platform(ours, where, files, platforms),
            dependencies=tuple(dict.fromkeys(dependencies)),
            wanted_by=self._read.texts(ours, "wanted-by", where),
            upload_time=self._read.optional_text(ours, "upload-time", where),
            tested=self._read.optional_text(ours, "tested", where),
            index=self._read.optional_text(ours, "index", where),
            built=read_built(self._read, ours, where) if "built" in ours else None,
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
                self._read.wrong(f"{where}wheels", f"{name[:40]!r} or its number is not in this lock")
        if not found:
            self._read.wrong(f"{where}wheels", "no platform has a wheel")
        return found

    def _wheel(self, row: Mapping[str, Any], key: str, project: str, version: str) -> LockedFile:
        self._read.known(row, {"name", "path", "size", "hashes"}, key)
        hashes = row.get("hashes")
        file = LockedFile(
            name=self._read.text(row, "name", key),
            size=self._read.number(row, "size", key),
            sha256=self._read.hex(hashes if isinstance(hashes, dict) else {}, "sha256", f"{key}hashes."),
        )
        if not _WHEEL.match(file.name):
            self._read.wrong(f"{key}name", f"is not the name of a wheel: {file.name[:80]!r}")
        elif _SEPARATORS.sub("-", file.name.partition("-")[0]).lower() != project:
            self._read.wrong(f"{key}name", f"is no wheel of {project[:80]!r}")
        elif not _is_of_version(file.name, version):
            self._read.wrong(f"{key}name", f"is no wheel of {project[:80]} {version[:80]}")
        elif row.get("path") != wheel_path(file):
            self._read.wrong(f"{key}path", "must be files/<sha256>/<name>")
        return file

    def _stack_file(self, row: Mapping[str, Any], key: str) -> tuple[str, LockedFile]:
        self._read.known(row, {"path", "name", "size", "sha256"}, key)
        path = self._read.text(row, "path", key)
        parts = path.split("/")
        whiteout = any(part.startswith(".wh.") for part in parts)
        if not {"", ".", ".."}.isdisjoint(parts) or whiteout or not path.isprintable():
            self._read.wrong(f"{key}path", f"is not a plain path in the image: {path[:80]!r}")
        return path, LockedFile(
            name=self._read.text(row, "name", key),
            size=self._read.number(row, "size", key),
            sha256=self._read.hex(row, "sha256", key),
        )

    def _layer(self, row: Mapping[str, Any], key: str) -> PlannedLayer:
        self._read.known(row, {"name", "stack", "projects"}, key)
        return PlannedLayer(
            name=self._read.text(row, "name", key),
            stack=self._read.text(row, "stack", key),
            projects=self._read.texts(row, "projects", key),
        )

    def platforms(self, ours: Mapping[str, Any], where: str) -> tuple[Platform, ...]:
        """Read what it is for."""
        names = self._read.texts(ours, "platforms", where)
        for name in names:
            if name not in PLATFORMS:
                self._read.wrong(f"{where}platforms", f"unknown platform {name[:40]!r}")
        if not names or list(names) != sorted(set(names)):
            self._read.wrong(f"{where}platforms", "must be sorted, none twice, at least one")
        return known_platforms(names)

    def _python_version(self, ours: Mapping[str, Any], where: str) -> str:
        version = self._read.text(ours, "python-version", where)
        if re.fullmatch(r"\d+\.\d+\.\d+", version):
            return version
        self._read.wrong(f"{where}python-version", "must be three numbers, as 3.13.5")
        return "0.0.0"


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
    "divergences",
    "resolution",
    "indexes",
    "plan",
    "files",
}
