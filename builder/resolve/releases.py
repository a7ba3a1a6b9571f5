"""What a base can have of what is offered, and in plain words why it cannot have the rest. Pure over what offers.

Reasons that a requirement fails by itself, whatever else is asked for: no index has the project; no version of it satisfies
the requirement; the stack's rules hold all of them back; they need another Python; their wheels do not fit the base.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from packaging.metadata import parse_email
from packaging.requirements import InvalidRequirement, Requirement
from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.utils import InvalidWheelFilename, canonicalize_name, parse_wheel_filename
from packaging.version import Version

from builder.platform import Platform
from builder.resolve.constraints import marker_environment
from builder.resolve.tags import rank_tags, wheel_rank
from builder.snapshot.model import OfferedFile
from builder.snapshot.rules import Dropped, Selected, file_version

_NEWEST = 3
"""So many versions are named where the one asked for is not there."""


class Offers(Protocol):
    """What indexes offer under a stack's rules."""

    def versions(self, project: str) -> tuple[str, ...]:
        """List the versions that the rules allow, newest first; empty where no index has the project."""

    def selected(self, project: str) -> Selected | None:
        """Tell which files the rules allow and which they hold back; None where no index has the project."""

    def metadata(self, file: OfferedFile) -> bytes:
        """Read a wheel's METADATA."""


class FaultKind(StrEnum):
    """Why a requirement fails by itself."""

    UNKNOWN = "unknown-project"
    VERSION = "no-such-version"
    HELD_BACK = "held-back"
    QUARANTINED = "quarantined"
    PYTHON = "another-python"
    WHEEL = "no-wheel"


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """A requirement that fails by itself."""

    kind: FaultKind
    requirement: str
    text: str
    """One sentence, without who asks."""
    versions: tuple[str, ...] = ()
    """Versions that would satisfy it, newest first, if not for the reason."""
    python: str = ""
    """What they require of Python, where that is the reason."""
    near: str = ""
    """The project that an unknown name may stand for."""

    @property
    def project(self) -> str:
        """The project it is about."""
        return canonicalize_name(Requirement(self.requirement).name)


class Catalogue:
    """What of the offers one platform of a base can have; reads each project once. For one thread.

    Args:
        offers: what there is.
        python_version: the base's, full.
        glibc: the base's.
        platform: the one platform.
    """

    def __init__(self, offers: Offers, *, python_version: str, glibc: str, platform: Platform) -> None:
        self.python_version = python_version
        self.glibc = glibc
        self.platform = platform
        self._offers = offers
        self._environment = marker_environment(python_version, platform)
        self._ranks = rank_tags(python_version, platform, glibc)
        self._usable: dict[str, tuple[str, ...]] = {}
        self._by_version: dict[str, dict[str, tuple[OfferedFile, ...]]] = {}
        self._requires: dict[tuple[str, str], tuple[Requirement, ...]] = {}

    def is_known(self, project: str) -> bool:
        """Tell whether any index has a project."""
        return self._offers.selected(project) is not None

    def versions(self, project: str) -> tuple[str, ...]:
        """List what the rules allow, newest first."""
        return self._offers.versions(project)

    def usable(self, project: str) -> tuple[str, ...]:
        """List what the rules allow and the base can use, newest first."""
        if project not in self._usable:
            files = self._files(project)
            self._usable[project] = tuple(
                version
                for version in self._offers.versions(project)
                if version not in files or any(self._fits(file) for file in files[version])
            )
        return self._usable[project]

    def satisfying(self, requirement: Requirement) -> tuple[str, ...]:
        """List what the base can use of a project and a requirement allows, newest first; final releases before others."""
        return allowed(requirement.specifier, self.usable(canonicalize_name(requirement.name)))

    def requires(self, project: str, version: str, extras: Iterable[str] = ()) -> tuple[Requirement, ...]:
        """Read what a version requires on this platform with these extras; nothing where it has no wheel."""
        key = project, version
        if key not in self._requires:
            files = self._files(project).get(version, ())
            fitting = [file for file in files if self._fits(file)] or list(files)
            self._requires[key] = tuple(_read_requirements(self._offers.metadata(fitting[0]))) if fitting else ()
        names = ("", *extras)
        return tuple(
            need
            for need in self._requires[key]
            if need.marker is None or any(need.marker.evaluate({**self._environment, "extra": name}) for name in names)
        )

    def all_requirements(self, project: str, version: str) -> tuple[Requirement, ...]:
        """Read what a version requires, whatever the platform and extras."""
        self.requires(project, version)
        return self._requires[project, version]

    def heeds(self, requirement: Requirement) -> bool:
        """Tell whether a requirement's marker holds on this platform."""
        return requirement.marker is None or requirement.marker.evaluate({**self._environment, "extra": ""})

    def fault_of(self, requirement: Requirement, near: str = "") -> Fault | None:
        """Find why a requirement fails by itself; None where it does not.

        Args:
            requirement: as someone states it.
            near: a known project that may be meant.
        """
        project = canonicalize_name(requirement.name)
        text = str(requirement)
        selected = self._offers.selected(project)
        if selected is None:
            meant = f" (did you mean {near}?)" if near else ""
            return Fault(
                kind=FaultKind.UNKNOWN, requirement=text, text=f"no index has a project {project}{meant}", near=near
            )
        if self.satisfying(requirement):
            return None
        offered = allowed(requirement.specifier, self._offers.versions(project))
        if offered:
            return self._misfit(requirement, project, offered)
        return self._held_back(requirement, project, selected) or _no_version(
            requirement, project, self.versions(project)
        )

    def _misfit(self, requirement: Requirement, project: str, versions: Sequence[str]) -> Fault:
        """Tell why the base cannot use versions that the rules allow."""
        newest, count = versions[0], len(versions)
        files = self._files(project)[newest]
        which = f"{project} {newest}" if count == 1 else f"{project} {newest}, the newest of {count} allowed,"
        pythons = [file.requires_python for file in files if not self._fits_python(file)]
        if pythons and len(pythons) == len(files):
            needs = pythons[0] or ""
            return Fault(
                kind=FaultKind.PYTHON,
                requirement=str(requirement),
                text=f"{which} needs Python {needs}; the base has {self.python_version}",
                versions=tuple(versions),
                python=needs,
            )
        return Fault(
            kind=FaultKind.WHEEL,
            requirement=str(requirement),
            text=f"{which} has no wheel for Python {self.python_version} and glibc {self.glibc} on "
            f"{self.platform.name}, only for {_render_tags(files)}",
            versions=tuple(versions),
        )

    def _held_back(self, requirement: Requirement, project: str, selected: Selected) -> Fault | None:
        """Tell which rule holds back all that would satisfy a requirement; None where nothing would."""
        by_version: dict[str, Dropped] = {}
        for dropped in selected.dropped:
            by_version.setdefault(dropped.version, dropped)
        versions = allowed(requirement.specifier, sorted(by_version, key=Version, reverse=True))
        if not versions:
            return None
        newest = by_version[versions[0]]
        count = len(versions) - 1
        others = f"; {count} other {'release is' if count == 1 else 'releases are'} held back too" if count else ""
        said = f": {newest.detail}" if newest.detail else ""
        texts = {
            "requires-python": f"{project} {newest.version} needs Python {newest.detail}; the base has {self.python_version}"
            f"{others}",
            "quarantined": f"{project} is quarantined on its index{said}",
            "yanked": f"{project} {newest.version} was yanked{said}{others}",
            "cooldown": f"{project} {newest.version} is held back by the cool-down ({newest.detail}){others}",
            "as-of": f"{project} {newest.version} is held back by as-of ({newest.detail}){others}",
            "sdist": f"{project} {newest.version} has no wheel, and building is switched off (resolution.sdists){others}",
        }
        kinds = {"quarantined": FaultKind.QUARANTINED, "requires-python": FaultKind.PYTHON}
        return Fault(
            kind=kinds.get(newest.rule, FaultKind.HELD_BACK),
            requirement=str(requirement),
            text=texts.get(
                newest.rule, f"{project} {newest.version} is held back by the rule {newest.rule}{said}{others}"
            ),
            versions=versions,
            python=newest.detail if newest.rule == "requires-python" else "",
        )

    def _files(self, project: str) -> dict[str, tuple[OfferedFile, ...]]:
        """Map each version to its wheels."""
        if project not in self._by_version:
            found: dict[str, list[OfferedFile]] = {}
            selected = self._offers.selected(project)
            for file in selected.wheels if selected else ():
                version = file_version(file.name)
                if version is not None:
                    found.setdefault(str(version), []).append(file)
            self._by_version[project] = {version: tuple(files) for version, files in found.items()}
        return self._by_version[project]

    def _fits(self, file: OfferedFile) -> bool:
        return self._fits_python(file) and wheel_rank(file.name, self._ranks) is not None

    def _fits_python(self, file: OfferedFile) -> bool:
        try:
            return SpecifierSet(file.requires_python or "").contains(self.python_version, prereleases=True)
        except InvalidSpecifier:
            return True


def allowed(specifier: SpecifierSet, versions: Sequence[str]) -> tuple[str, ...]:
    """List the versions that a specifier allows, in order; pre-releases only where there is nothing else."""
    fitting = [version for version in versions if specifier.contains(version, prereleases=True)]
    final = [version for version in fitting if not Version(version).is_prerelease]
    return tuple(fitting if specifier.prereleases else final or fitting)


def _no_version(requirement: Requirement, project: str, versions: Sequence[str]) -> Fault:
    newest = ", ".join(allowed(SpecifierSet(), versions)[:_NEWEST])
    there = f"the newest are {newest}" if newest else "it has no release that can be used"
    text = f"there is no {project} {requirement.specifier}: {there}"
    return Fault(kind=FaultKind.VERSION, requirement=str(requirement), text=text, versions=tuple(versions))


def _render_tags(files: Sequence[OfferedFile]) -> str:
    """Name what wheels are for, as `cp311, cp312 (macosx_11_0_arm64, win_amd64)`."""
    interpreters: set[str] = set()
    platforms: set[str] = set()
    for file in files:
        try:
            for tag in parse_wheel_filename(file.name)[3]:
                interpreters.add(tag.interpreter)
                platforms.add(tag.platform)
        except InvalidWheelFilename:
            continue
    shown = sorted(platforms)[:3]
    more = ", ..." if len(platforms) > len(shown) else ""
    return f"{', '.join(sorted(interpreters)[:4])} ({', '.join(shown)}{more})"


def _read_requirements(metadata: bytes) -> Iterable[Requirement]:
    """Read Requires-Dist; lines that no standard allows are left out, as resolvers do."""
    raw: Mapping[str, object] = parse_email(metadata)[0]
    lines = raw.get("requires_dist") or ()
    assert isinstance(lines, list | tuple)  # noqa: S101 - as parse_email promises
    for line in lines:
        try:
            yield Requirement(line)
        except InvalidRequirement:
            continue
