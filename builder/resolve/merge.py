"""Makes one lock's candidates of the resolutions of all its platforms. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from builder.lock.model import BuiltWheel, LockedCandidate, LockedFile
from builder.platform import Platform
from builder.resolve.model import ChosenWheel, Resolution, ResolvedCandidate
from builder.snapshot.model import DEFAULT_INDEX


@dataclass(slots=True, kw_only=True)
class _Gathered:
    """What the platforms say of one candidate."""

    wheels: dict[str, LockedFile] = field(default_factory=dict)
    times: list[str] = field(default_factory=list)
    dependencies: set[str] = field(default_factory=set)
    index: str | None = None
    built: BuiltWheel | None = None


def merge_resolutions(
    resolutions: Sequence[Resolution],
    *,
    wheels: Sequence[ChosenWheel],
    files: Mapping[str, LockedFile],
    asked_by: Mapping[str, Sequence[str]],
    parent: Sequence[LockedCandidate] = (),
    tested: Mapping[str, str] | None = None,
) -> tuple[LockedCandidate, ...]:
    """Merge platforms' resolutions into candidates, by project and version.

    Args:
        resolutions: one for each platform.
        wheels: of all candidates that no parent has locked.
        files: of these wheels, by name.
        asked_by: by project, the stacks that ask for it, as `stack:<name>`.
        parent: candidates of the parent's lock, whose wheels and times are kept.
        tested: by project, the version that the constraints name.
    """
    held = {(item.project, item.version): item for item in parent}
    chosen = {(wheel.project, wheel.version, wheel.platform.name): wheel for wheel in wheels}
    gathered: dict[tuple[str, str], _Gathered] = {}
    for platform, candidate in _iter_all(resolutions):
        key = candidate.project, candidate.version
        item = gathered.setdefault(key, _Gathered())
        item.dependencies.update(candidate.dependencies)
        inherited = held.get(key)
        if inherited is not None and platform.name in inherited.wheels:
            item.wheels[platform.name] = inherited.wheels[platform.name]
            item.times += [inherited.upload_time] if inherited.upload_time else []
            item.index, item.built = inherited.index, inherited.built
        else:
            wheel = chosen[candidate.project, candidate.version, platform.name]
            item.wheels[platform.name] = files[wheel.offered.name]
            item.times += [wheel.offered.upload_time] if wheel.offered.upload_time else []
            item.index = wheel.index if wheel.index != DEFAULT_INDEX else None
            item.built = wheel.built
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
            tested=(tested or {}).get(project),
            index=item.index,
            built=item.built,
        )
        for (project, version), item in sorted(gathered.items())
    )


def _iter_all(resolutions: Sequence[Resolution]) -> Iterator[tuple[Platform, ResolvedCandidate]]:
    for resolution in resolutions:
        for candidate in resolution.candidates:
            yield resolution.platform, candidate
