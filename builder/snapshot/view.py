"""What a stack may see of the world: pages under its rules, for the loopback server and for choosing wheels."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from packaging.version import InvalidVersion, Version

from builder.digest import Digest
from builder.errors import BuilderError, PackageIndexError
from builder.lock.model import BuiltWheel, LockedFile
from builder.snapshot.model import OfferedFile, WheelBuilder
from builder.snapshot.pages import iter_version_files, parse_canonical_page
from builder.snapshot.rules import (
    Selected,
    ViewRules,
    file_version,
    is_for_linux,
    is_plain,
    places_for,
    rules_key,
    select,
    virtual_wheel_name,
)
from builder.snapshot.world import World, WorldPage

HOST = "index.invalid"
"""No host has this name (RFC 2606): a resolver that leaves out the proxy reaches nothing."""

_TRIES_BEFORE_READING_ON = 2
_MOST_AHEAD = 24
"""Versions read ahead at a time, while a resolver goes back through a project's releases."""


@dataclass(frozen=True, slots=True, kw_only=True)
class VersionFiles:
    """The wheels of one version that a stack may have."""

    index: str
    wheels: tuple[OfferedFile, ...]
    built: BuiltWheel | None = None
    """How the only wheel comes to be, where the index has none."""


class IndexView:
    """The world under one stack's rules. Safe in several threads.

    Args:
        world: pages and metadata.
        rules: what of them the stack may have.
        builder: builds wheels of sdists; None where none can be.
        likely: of one version's wheels those that resolvers will ask about.
    """

    def __init__(
        self,
        world: World,
        rules: ViewRules,
        builder: WheelBuilder | None = None,
        likely: Callable[[Sequence[OfferedFile]], Iterable[OfferedFile]] = tuple,
    ) -> None:
        self._world = world
        self._rules = rules
        self._builder = builder
        self._likely = likely
        self._selected: dict[str, Selected | None] = {}
        self._tried: dict[str, int] = {}
        self._seen: set[str] = set()
        self._failure: BuilderError | None = None
        self._lock = threading.Lock()

    @property
    def rules(self) -> ViewRules:
        """What holds here."""
        return self._rules

    def under(self, rules: ViewRules) -> IndexView:
        """Look at the same world under other rules."""
        view = IndexView(self._world, rules, self._builder, self._likely)
        view._seen = self._seen
        return view

    def failure(self) -> BuilderError | None:
        """Tell the first thing that went wrong while a resolver asked: that is the truth, whatever it made of it."""
        return self._failure

    def note_failure(self, error: BuilderError) -> None:
        """Keep what went wrong; the first stays."""
        with self._lock:
            self._failure = self._failure or error

    def seen(self) -> Mapping[str, Mapping[str, Digest | None]]:
        """Tell which pages were looked at so far: by index and project, the page's digest, None where it has none."""
        found: dict[str, dict[str, Digest | None]] = {}
        for project in sorted(self._seen):
            places = places_for(project, self._world.indexes, self._rules)
            for index, digest in self._world.answers(project, places):
                found.setdefault(index, {})[project] = digest
        return found

    def prefetch(self, projects: Sequence[str]) -> None:
        """Ask for the pages of projects side by side."""
        self._seen.update(projects)
        self._world.prefetch(projects, lambda project: places_for(project, self._world.indexes, self._rules))

    def entity_tag(self, project: str) -> str | None:
        """Name the state of a project's page under the rules; None where no index has the project."""
        page = self._page(project)
        if page is None:
            return None
        key = rules_key(project, page.index, self._rules, self._world.day, self._built_if_named(page))
        return f'"{page.digest.hex[:20]}{key}"'

    def served_page(self, project: str) -> bytes | None:
        """Make the page that resolvers get, PEP 691 JSON with PEP 658 metadata for each file; None where absent."""
        selected = self.selected(project)
        if selected is None:
            return None
        files = [_entry(project, file, file.name) for file in selected.wheels]
        for sdist in selected.sdists:
            version = file_version(sdist.name)
            if version is not None:
                files.append(_entry(project, sdist, virtual_wheel_name(project, version), key=self._rules.builder_key))
        self._read_ahead(project, selected)
        page = {"meta": {"api-version": "1.1"}, "name": project, "files": files}
        return json.dumps(page, separators=(",", ":")).encode()

    def served_metadata(self, project: str, name: str) -> bytes | None:
        """Read the METADATA of a file by the name it is served under; None where the project has no such file."""
        selected = self.selected(project)
        version = file_version(name)
        if selected is None or version is None:
            return None
        for wheel in selected.wheels:
            if wheel.name == name:
                self._read_on(project, selected, version)
                return self._world.metadata(wheel)
        for sdist in selected.sdists:
            if file_version(sdist.name) == version:
                return self._build(project, str(version), sdist)[0]
        return None

    def selected(self, project: str) -> Selected | None:
        """Apply the rules to a project's page; None where no index has the project."""
        with self._lock:
            if project in self._selected:
                return self._selected[project]
        page = self._page(project)
        parsed = parse_canonical_page(self._world.read(page)) if page else None
        found = select(parsed, self._rules, self._world.day) if parsed else None
        with self._lock:
            self._selected[project] = found
        return found

    def versions(self, project: str) -> tuple[str, ...]:
        """List the versions that the rules allow, newest first; empty where no index has the project."""
        selected = self.selected(project)
        files = (*selected.wheels, *selected.sdists) if selected else ()
        found = {version for file in files if (version := file_version(file.name))}
        return tuple(str(version) for version in sorted(found, reverse=True))

    def metadata(self, file: OfferedFile) -> bytes:
        """Read a wheel's METADATA."""
        return self._world.metadata(file)

    def files(self, project: str, version: str) -> VersionFiles | None:
        """List the wheels of one version; a wheel that has to be built is built. None where there is no such version."""
        page = self._page(project)
        if page is None:
            return None
        if self._rules.cutoff(page.index, self._world.day) is None:
            # The whole page need not be judged: it is read only as far as this version goes.
            found = iter_version_files(self._world.read(page), project, version)
            wheels = tuple(file for file in found if file.name.endswith(".whl") and file.yanked is None)
            if any(is_for_linux(file.name) for file in wheels):
                return VersionFiles(index=page.index, wheels=wheels)
        wanted, selected = Version(version), self.selected(project)
        wheels = tuple(file for file in (selected.wheels if selected else ()) if file_version(file.name) == wanted)
        if any(is_for_linux(file.name) for file in wheels):
            return VersionFiles(index=page.index, wheels=wheels)
        for sdist in selected.sdists if selected else ():
            if file_version(sdist.name) == wanted:
                _, wheel, built = self._build(project, version, sdist)
                offered = OfferedFile(
                    name=wheel.name,
                    url=sdist.url,
                    sha256=wheel.sha256.hex,
                    size=wheel.size,
                    upload_time=sdist.upload_time,
                )
                return VersionFiles(index=page.index, wheels=(offered,), built=built)
        return VersionFiles(index=page.index, wheels=wheels) if wheels else None

    def _read_ahead(self, project: str, selected: Selected) -> None:
        """Ask for the metadata that a resolver asks for next: of the versions that something names, else of the newest."""
        by_version = _by_version(selected)
        named = self._rules.named.get(project, frozenset())
        wanted = [version for version in by_version if str(version) in named]
        newest = max(by_version, key=lambda version: (not version.is_prerelease, version), default=None)
        for version in wanted or ([newest] if newest else []):
            for wheel in self._likely(by_version[version]):
                self._world.expect(wheel)

    def _read_on(self, project: str, selected: Selected, version: Version) -> None:
        """Ask for the metadata of older versions, where a resolver has begun to go back through them one by one."""
        with self._lock:
            tried = self._tried[project] = self._tried.get(project, 0) + 1
        if tried < _TRIES_BEFORE_READING_ON:
            return
        by_version = _by_version(selected)
        older = sorted((other for other in by_version if other < version), reverse=True)
        for other in older[: min(tried * 2, _MOST_AHEAD)]:
            for wheel in self._likely(by_version[other]):
                self._world.expect(wheel)

    def _built_if_named(self, page: WorldPage) -> list[str]:
        """List the named versions without a wheel. Others are offered anyway: their names shall not make a page another."""
        named = self._rules.named.get(page.project) if self._rules.sdists else None
        if not named:
            return []
        if self._rules.cutoff(page.index, self._world.day) is not None:
            return list(named)
        data = self._world.read(page)
        return [version for version in named if not self._has_wheel(data, page.project, version)]

    def _has_wheel(self, data: bytes, project: str, version: str) -> bool:
        try:
            files = iter_version_files(data, project, version)
            return any(is_for_linux(file.name) and is_plain(file, self._rules) for file in files)
        except InvalidVersion:
            return False

    def _page(self, project: str) -> WorldPage | None:
        self._seen.add(project)
        return self._world.page(project, places_for(project, self._world.indexes, self._rules))

    def _build(self, project: str, version: str, sdist: OfferedFile) -> tuple[bytes, LockedFile, BuiltWheel]:
        if self._builder is None:
            raise PackageIndexError(
                f"{project} {version} has an sdist only, and nothing here builds it", context=sdist.name
            )
        built = self._builder.build(project, version, sdist)
        return built.metadata, built.wheel, built.record


def _by_version(selected: Selected) -> dict[Version, list[OfferedFile]]:
    found: dict[Version, list[OfferedFile]] = {}
    for wheel in selected.wheels:
        version = file_version(wheel.name)
        if version is not None:
            found.setdefault(version, []).append(wheel)
    return found


def _entry(project: str, file: OfferedFile, name: str, *, key: str = "") -> dict[str, object]:
    """Describe a file to a resolver. The address names the bytes, so what is cached under it holds for ever."""
    content = file.sha256 if file.sha256 and not key else Digest.of(f"{file.known_as}|{key}".encode()).hex
    entry: dict[str, object] = {
        "filename": name,
        "url": f"http://{HOST}/files/{project}/{content[:16]}/{name}",
        "hashes": {"sha256": file.sha256} if file.sha256 and not key else {},
        "core-metadata": True,
    }
    if file.size is not None and not key:
        entry["size"] = file.size
    if file.requires_python:
        entry["requires-python"] = file.requires_python
    if file.upload_time:
        entry["upload-time"] = file.upload_time
    return entry
