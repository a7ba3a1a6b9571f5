"""What is installed in a container, held against the lock of its image: the differences are what was done to it since.

What it cannot see: a distribution whose RECORD was written anew with its files, bytecode put in place of the image's own, and
anything where the container's Python itself was replaced. For those there is only the image's digest, and a new pod.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from packaging.version import InvalidVersion, Version

from builder.drift.listing import UNLISTED_BY_FREEZE, Installed, Listing
from builder.drift.model import Severity
from builder.lock.model import StackLock

ADDED: Final = "distribution added"
REMOVED: Final = "distribution removed"
OTHER_VERSION: Final = "distribution changed"
PATCHED: Final = "files changed"
STRAYS: Final = "files added"
REINSTALLED: Final = "distribution put in anew"

_OUR_INSTALLER: Final = "airflow-kubler"
_SHOWN: Final = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """Something that is not as the lock says."""

    kind: str
    severity: Severity
    what: str
    project: str = ""


def compare_listing(listing: Listing, lock: StackLock, *, platform: str = "") -> tuple[Difference, ...]:
    """Find what is installed otherwise than the lock says, by project.

    Args:
        listing: what the container says.
        lock: of the image that it runs.
        platform: of the container, as `linux/amd64`; else what the listing says, else any that the lock has.
    """
    wanted = _versions(lock, platform or listing.platform)
    required = _versions(lock, platform or listing.platform, everywhere=True)
    found: dict[str, list[Installed]] = {}
    for one in listing.installed:
        found.setdefault(one.project, []).append(one)
    unlisted = UNLISTED_BY_FREEZE if listing.form == "freeze" else frozenset()
    rows: list[Difference] = []
    for project in sorted({*wanted, *found}):
        rows += _compare_project(project, found.get(project, ()), wanted.get(project, frozenset()))
        if project not in found and project in required and project not in unlisted:
            what = f"{project} {_join(wanted[project])} is in the lock, and not installed"
            rows.append(Difference(kind=REMOVED, severity=Severity.HIGH, what=what, project=project))
    return (*rows, *_strays(listing, frozenset(f"/{path.lstrip('/')}" for path, _ in lock.files)))


def _versions(lock: StackLock, platform: str, *, everywhere: bool = False) -> Mapping[str, frozenset[str]]:
    """Map projects to the versions that a platform, or any of them, installs.

    Args:
        lock: names them.
        platform: empty for any.
        everywhere: only those that each such platform installs.
    """
    platforms = [one.name for one in lock.platforms if platform in {"", one.name}] or [
        one.name for one in lock.platforms
    ]
    found: dict[str, set[str]] = {}
    where: dict[str, set[str]] = {}
    for candidate in lock.candidates:
        on = {name for name in platforms if name in candidate.wheels}
        if on:
            found.setdefault(candidate.project, set()).add(candidate.version)
            where.setdefault(candidate.project, set()).update(on)
    return {
        project: frozenset(versions)
        for project, versions in found.items()
        if not everywhere or len(where[project]) == len(platforms)
    }


def _compare_project(project: str, found: Sequence[Installed], wanted: frozenset[str]) -> Iterator[Difference]:
    known = {_normal(version) for version in wanted}
    for one in found:
        where = f" in {one.place}" if one.place else ""
        origin = f" from {one.address}" if one.address else f" by {one.installer}" if one.installer else ""
        if not wanted:
            what = f"{project} {one.version or '(of no version)'} is not in the lock{origin and f', put there{origin}'}{where}"
            yield Difference(kind=ADDED, severity=Severity.HIGH, what=what, project=project)
            continue
        if _normal(one.version) not in known:
            what = f"{project} is {one.version or 'of no version'}, the lock has {_join(wanted)}{origin and f'; put there{origin}'}"
            yield Difference(kind=OTHER_VERSION, severity=Severity.HIGH, what=what, project=project)
        elif one.address or (one.installer and one.installer != _OUR_INSTALLER):
            what = f"{project} {one.version} is not the one of the image: put there{origin}"
            yield Difference(kind=REINSTALLED, severity=Severity.HIGH, what=what, project=project)
        if one.changed or one.missing:
            parts = [("changed", one.changed), ("missing", one.missing)]
            said = "; ".join(f"{word}: {_list(files, 0)}" for word, files in parts if files)
            more = f"; and {one.more_changed} more" if one.more_changed else ""
            what = f"files of {project} {one.version} are not as its RECORD says: {said}{more}"
            yield Difference(kind=PATCHED, severity=Severity.HIGH, what=what, project=project)


def _strays(listing: Listing, of_the_stack: frozenset[str]) -> Iterable[Difference]:
    strays = [path for path in listing.strays if path not in of_the_stack]
    if strays:
        what = f"no distribution names {_list(strays, listing.more_strays)}"
        yield Difference(kind=STRAYS, severity=Severity.HIGH, what=what)


def _list(files: Sequence[str], more: int) -> str:
    rest = max(0, len(files) - _SHOWN) + more
    return ", ".join(files[:_SHOWN]) + (f" and {rest} more" if rest > 0 else "")


def _join(versions: Iterable[str]) -> str:
    return " or ".join(sorted(versions))


def _normal(version: str) -> Version | str:
    try:
        return Version(version)
    except InvalidVersion:
        return version
