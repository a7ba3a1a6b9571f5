"""Makes one lock's candidates of the resolutions of all its platforms. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from builder.lock.model import LockedCandidate, LockedFile
from builder.platform import Platform
from builder.resolve.model import OfferedWheel, Resolution, ResolvedCandidate


@dataclass(frozen=True, slots=True, kw_only=True)
class ChosenWheel:
    """A wheel of the lock to be, and where it is on this machine at this time."""

    project: str
    version: str
    platform: Platform
    offered: OfferedWheel


@dataclass(slots=True, kw_only=True)
class _Gathered:
    """What the platforms say of one candidate."""

    wheels: dict[str, LockedFile] = field(default_factory=dict)
    times: list[str] = field(default_factory=list)
    dependencies: set[str] = field(default_factory=set)


def chosen_wheels(resolutions: Sequence[Resolution], parent: Sequence[LockedCandidate]) -> tuple[ChosenWheel, ...]:
    """List the wheels that no parent has locked, each url once; a parent's own wheels bind its children."""
    held = {(item.project, item.version, platform) for item in parent for platform in item.wheels}
    found: dict[str, ChosenWheel] = {}
    for platform, candidate in _iter_all(resolutions):
        if (candidate.project, candidate.version, platform.name) not in held:
            wheel = ChosenWheel(
                project=candidate.project, version=candidate.version, platform=platform, offered=candidate.wheel
            )
            found.setdefault(candidate.wheel.url, wheel)
    return tuple(found.values())


def merge_resolutions(
    resolutions: Sequence[Resolution],
    *,
    files: Mapping[str, LockedFile],
    asked_by: Mapping[str, Sequence[str]],
    parent: Sequence[LockedCandidate] = (),
) -> tuple[LockedCandidate, ...]:
    """Merge platforms' resolutions into candidates, by project and version.

    Args:
        resolutions: one for each platform.
        files: of the wheels that `chosen_wheels` lists, by url.
        asked_by: by project, the stacks that ask for it, as `stack:<name>`.
        parent: candidates of the parent's lock, whose wheels and times are kept.
    """
    held = {(item.project, item.version): item for item in parent}
    gathered: dict[tuple[str, str], _Gathered] = {}
    for platform, candidate in _iter_all(resolutions):
        key = candidate.project, candidate.version
        item = gathered.setdefault(key, _Gathered())
        item.dependencies.update(candidate.dependencies)
        inherited = held.get(key)
        if inherited is not None and platform.name in inherited.wheels:
            item.wheels[platform.name] = inherited.wheels[platform.name]
            item.times += [inherited.upload_time] if inherited.upload_time else []
        else:
            item.wheels[platform.name] = files[candidate.wheel.url]
            item.times += [candidate.wheel.upload_time] if candidate.wheel.upload_time else []
    wanted: dict[str, set[str]] = {project: set(names) for project, names in asked_by.items()}
    for (project, _), item in gathered.items():
        for dependency in item.dependencies:
            wanted.setdefault(dependency, set()).add(project)
    return tuple(
        LockedCandidate(
            project=project,
            version=version,
            wheels=dict(sorted(item.wheels.items())),
            dependencies=tuple(sorted(item.dependencies)),
            wanted_by=tuple(sorted(wanted.get(project, ()))),
            upload_time=max(item.times, default=None),
        )
        for (project, version), item in sorted(gathered.items())
    )


def _iter_all(resolutions: Sequence[Resolution]) -> Iterator[tuple[Platform, ResolvedCandidate]]:
    for resolution in resolutions:
        for candidate in resolution.candidates:
            yield resolution.platform, candidate
