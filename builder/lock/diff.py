"""What differs between two locks: candidates, Debian packages, and what stands in their heads. Pure.

A candidate that platforms have in several versions counts once, by all of them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum

from packaging.version import InvalidVersion, Version

from builder.lock.model import BaseLock, LockedCandidate, LockedFile, StackLock


class ChangeKind(StrEnum):
    """How something differs."""

    ADDED = "added"
    REMOVED = "removed"
    UP = "up"
    DOWN = "down"
    REBUILT = "rebuilt"
    """The same version, another file."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CandidateChange:
    """A project that the two locks have differently."""

    project: str
    kind: ChangeKind
    before: str
    """Version; several, where platforms differ, with commas; empty where it was not there."""
    after: str
    step: str
    """The first part of the version that moved: `major`, `minor`, `patch` or `other`; empty where none did."""
    size_before: int
    """Bytes of the largest wheel over the platforms; 0 where there is none."""
    size_after: int
    wanted_by: tuple[str, ...]
    """Who wants it: after, or before where it was removed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DebChange:
    """A Debian package that the two base locks have differently."""

    package: str
    kind: ChangeKind
    before: str
    after: str
    size_before: int
    size_after: int


@dataclass(frozen=True, slots=True, kw_only=True)
class HeadChange:
    """Something said once for the whole lock."""

    name: str
    """As `airflow-version`."""
    before: str
    after: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LockDiff:
    """What differs between two locks."""

    head: tuple[HeadChange, ...]
    candidates: tuple[CandidateChange, ...]
    """By project."""
    debs: tuple[DebChange, ...]
    """By package; empty too where a base lock was not at hand."""
    unchanged: int
    """Projects that both have alike."""
    size_before: int
    """Bytes of all wheels, the largest over the platforms for each project."""
    size_after: int

    def of_kind(self, *kinds: ChangeKind) -> tuple[CandidateChange, ...]:
        """List changes of these kinds, by project."""
        return tuple(change for change in self.candidates if change.kind in kinds)

    @property
    def is_empty(self) -> bool:
        """Whether nothing that goes into an image differs."""
        return not (self.head or self.candidates or self.debs)


def diff_locks(
    before: StackLock, after: StackLock, *, bases: tuple[BaseLock | None, BaseLock | None] = (None, None)
) -> LockDiff:
    """Compare two locks, of one stack or of two, and their bases' where both are at hand."""
    old, new = _by_project(before.candidates), _by_project(after.candidates)
    changes = [_compare(project, old.get(project, ()), new.get(project, ())) for project in sorted(old | new)]
    found = tuple(change for change in changes if change)
    return LockDiff(
        head=tuple(_iter_head(before, after)),
        candidates=found,
        debs=tuple(_iter_debs(bases[0], bases[1])) if bases[0] and bases[1] else (),
        unchanged=sum(1 for change in changes if change is None),
        size_before=sum(_size(rows) for rows in old.values()),
        size_after=sum(_size(rows) for rows in new.values()),
    )


def step_of(before: str, after: str) -> str:
    """Name the first part of a version that moved.

    >>> step_of("1.2.3", "1.3")
    'minor'
    """
    try:
        old, new = Version(before), Version(after)
    except InvalidVersion:
        return "other"
    if old.epoch != new.epoch:
        return "major"
    width = max(len(old.release), len(new.release), 3)
    pairs = zip(_padded(old.release, width), _padded(new.release, width), strict=True)
    place = next((position for position, (one, two) in enumerate(pairs) if one != two), None)
    if place is None:
        return "other"
    return ("major", "minor")[place] if place < 2 else "patch"


def _padded(release: tuple[int, ...], width: int) -> tuple[int, ...]:
    return release + (0,) * (width - len(release))


def _by_project(candidates: Iterable[LockedCandidate]) -> dict[str, tuple[LockedCandidate, ...]]:
    found: dict[str, tuple[LockedCandidate, ...]] = {}
    for candidate in candidates:
        found[candidate.project] = (*found.get(candidate.project, ()), candidate)
    return found


def _compare(
    project: str, before: tuple[LockedCandidate, ...], after: tuple[LockedCandidate, ...]
) -> CandidateChange | None:
    kind, old, new = _kind(before, after), _versions(before), _versions(after)
    if kind is None:
        return None
    return CandidateChange(
        project=project,
        kind=kind,
        before=old,
        after=new,
        step=step_of(_newest(before), _newest(after)) if kind in {ChangeKind.UP, ChangeKind.DOWN} else "",
        size_before=_size(before),
        size_after=_size(after),
        wanted_by=tuple(sorted({who for candidate in after or before for who in candidate.wanted_by})),
    )


def _kind(before: tuple[LockedCandidate, ...], after: tuple[LockedCandidate, ...]) -> ChangeKind | None:
    if not before:
        return ChangeKind.ADDED
    if not after:
        return ChangeKind.REMOVED
    old, new = _wheels(before), _wheels(after)
    if _versions(before) == _versions(after):
        same = all(old[platform][1].sha256 == new[platform][1].sha256 for platform in old.keys() & new.keys())
        return None if same else ChangeKind.REBUILT
    return ChangeKind.UP if _sort_key(_newest(before)) <= _sort_key(_newest(after)) else ChangeKind.DOWN


def _wheels(candidates: tuple[LockedCandidate, ...]) -> Mapping[str, tuple[str, LockedFile]]:
    return {
        platform: (candidate.version, file) for candidate in candidates for platform, file in candidate.wheels.items()
    }


def _versions(candidates: tuple[LockedCandidate, ...]) -> str:
    return ", ".join(sorted((candidate.version for candidate in candidates), key=_sort_key))


def _newest(candidates: tuple[LockedCandidate, ...]) -> str:
    return max((candidate.version for candidate in candidates), key=_sort_key)


def _sort_key(version: str) -> Version:
    try:
        return Version(version)
    except InvalidVersion:
        return Version("0")


def _size(candidates: tuple[LockedCandidate, ...]) -> int:
    return max((file.size for candidate in candidates for file in candidate.wheels.values()), default=0)


def _iter_head(before: StackLock, after: StackLock) -> Iterator[HeadChange]:
    # What a lock says of itself, but for the resolver and digests of files that are compared themselves.
    for name, old, new in (
        ("airflow-version", before.airflow_version, after.airflow_version),
        ("python-version", before.python_version, after.python_version),
        ("base", before.base, after.base),
        ("platforms", *(", ".join(platform.name for platform in lock.platforms) for lock in (before, after))),
        ("compression", before.compression, after.compression),
        ("constraints", *(str(lock.constraints or "none") for lock in (before, after))),
        ("files", *(_files(lock) for lock in (before, after))),
    ):
        if old != new:
            yield HeadChange(name=name, before=old, after=new)


def _files(lock: StackLock) -> str:
    return ", ".join(f"{path} ({file.sha256.hex[:12]})" for path, file in lock.files) or "none"


@dataclass(frozen=True, slots=True)
class _Package:
    """A Debian package of a base, made of debs or an image."""

    version: str
    identity: str
    """Of its deb; of one in an image, nothing but the version is known."""
    size: int


def _iter_debs(before: BaseLock, after: BaseLock) -> Iterator[DebChange]:
    old, new = _packages(before), _packages(after)
    for package in sorted(old | new):
        one, two = old.get(package, ()), new.get(package, ())
        versions = tuple(", ".join(sorted({found.version for found in packages})) for packages in (one, two))
        if {found.identity for found in one} == {found.identity for found in two}:
            continue
        yield DebChange(
            package=package,
            kind=_deb_kind(*versions),
            before=versions[0],
            after=versions[1],
            size_before=max((found.size for found in one), default=0),
            size_after=max((found.size for found in two), default=0),
        )


def _packages(base: BaseLock) -> dict[str, tuple[_Package, ...]]:
    found: dict[str, tuple[_Package, ...]] = {}
    for deb in base.debs:
        package = _Package(deb.version, deb.file.sha256.hex, deb.file.size)
        found[deb.package] = (*found.get(deb.package, ()), package)
    for name, version in sorted({(*text.partition("=")[::2],) for image in base.images for text in image.packages}):
        found[name] = (*found.get(name, ()), _Package(version, version, 0))
    return found


def _deb_kind(before: str, after: str) -> ChangeKind:
    if not before or not after:
        return ChangeKind.REMOVED if before else ChangeKind.ADDED
    if before == after:
        return ChangeKind.REBUILT
    from debian.debian_support import version_compare

    older = version_compare(before.rsplit(", ", maxsplit=1)[-1], after.rsplit(", ", maxsplit=1)[-1]) <= 0
    return ChangeKind.UP if older else ChangeKind.DOWN
