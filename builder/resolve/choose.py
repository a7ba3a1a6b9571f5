"""Chooses the wheel of each candidate that a platform's base will use."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from builder.errors import ResolutionError
from builder.lock.model import LockedCandidate
from builder.platform import Platform
from builder.resolve.model import ChosenWheel, Resolution
from builder.resolve.tags import choose_wheel
from builder.snapshot.view import VersionFiles

_HINT_WHEEL = "ask for a version that has wheels, or put a wheel on an index of yours: images are made from wheels only"


class FilesOfVersions(Protocol):
    """What offers wheels."""

    def files(self, project: str, version: str) -> VersionFiles | None:
        """List the wheels of one version; None where there is no such version."""


def choose_wheels(
    resolutions: Sequence[Resolution],
    offers: FilesOfVersions,
    *,
    label: str,
    python_version: str,
    glibc: str,
    parent: Sequence[LockedCandidate] = (),
) -> tuple[ChosenWheel, ...]:
    """Choose wheels of all candidates that no parent has locked: a parent's own wheels bind its children.

    Raises:
        ResolutionError: a candidate has no wheel that the base can use.
    """
    held = {(item.project, item.version, platform) for item in parent for platform in item.wheels}
    known: dict[tuple[str, str], VersionFiles | None] = {}
    found: list[ChosenWheel] = []
    for resolution in resolutions:
        for candidate in resolution.candidates:
            key = candidate.project, candidate.version
            if (*key, resolution.platform.name) in held:
                continue
            if key not in known:
                known[key] = offers.files(*key)
            wheel = _choose(key, known[key], resolution.platform, python_version=python_version, glibc=glibc)
            if wheel is None:
                raise ResolutionError(
                    f"{key[0]} {key[1]} has no wheel for Python {python_version} with glibc {glibc}",
                    context=f"{label} on {resolution.platform.name}",
                    hint=_HINT_WHEEL,
                )
            found.append(wheel)
    return tuple(found)


def _choose(
    key: tuple[str, str], files: VersionFiles | None, platform: Platform, *, python_version: str, glibc: str
) -> ChosenWheel | None:
    if files is None:
        return None
    names = [wheel.name for wheel in files.wheels]
    offered = choose_wheel(files.wheels, names, python_version=python_version, platform=platform, glibc=glibc)
    if offered is None:
        return None
    return ChosenWheel(
        project=key[0], version=key[1], platform=platform, index=files.index, offered=offered, built=files.built
    )
