"""What a scanner must list, by the locks: not one package more or less, or it has not seen the image that was built."""

from __future__ import annotations

from collections.abc import Iterable
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Final

from packaging.utils import canonicalize_name

from builder.errors import ScanError
from builder.lock.model import BaseLock, StackLock
from builder.platform import Platform
from builder.scan.report import Report
from builder.wheel.install import site_packages

Named = tuple[str, str]
"""Name and version."""
OS_CLASS: Final = "os-pkgs"
PYTHON_TYPE: Final = "python-pkg"
_MOST_SHOWN: Final = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """What is in one platform of an image, by its locks."""

    debs: frozenset[Named]
    distributions: frozenset[Named]
    """Projects, normalised."""
    site: str
    """The folder of installed distributions, with a slash at its end."""


def expect(lock: StackLock, base: BaseLock, platform: Platform) -> Expected:
    """List what a platform's image holds."""
    image = base.image_for(platform)
    if image is not None:
        parted = (text.partition("=") for text in image.packages)
        debs = frozenset((name, version) for name, _, version in parted)
    else:
        debs = frozenset((deb.package, deb.version) for deb in base.debs if platform in deb.platforms)
    candidates = lock.candidates_for(platform)
    return Expected(
        debs=debs,
        distributions=frozenset((candidate.project, candidate.version) for candidate in candidates),
        site=f"{site_packages(lock.python_version.rpartition('.')[0])}/",
    )


def is_installed(path: str, site: str) -> bool:
    """Tell a distribution's own metadata, directly in site-packages, from that of a copy within another one."""
    return path.startswith(site) and path.count("/") == site.count("/") + 1 and path.endswith(".dist-info/METADATA")


def check_lists(report: Report, expected: Expected, *, ours: AbstractSet[str]) -> None:
    """Hold what a report lists against the locks.

    Args:
        report: of an image.
        expected: by the locks.
        ours: diff_ids of layers that are no part of the image: the canary's.

    Raises:
        ScanError: with what is missing, and what is too much.
    """
    debs = {
        (package.name, package.full_version)
        for result in report.results
        if result.class_ == OS_CLASS
        for package in result.packages
        if package.layer.diff_id not in ours
    }
    distributions = {
        (canonicalize_name(package.name), package.version)
        for result in report.results
        if result.type == PYTHON_TYPE
        for package in result.packages
        if is_installed(package.file_path, expected.site) and package.layer.diff_id not in ours
    }
    _compare("Debian packages", debs, expected.debs)
    _compare("distributions", distributions, expected.distributions)


def _compare(what: str, listed: AbstractSet[Named], expected: AbstractSet[Named]) -> None:
    missing, more = expected - listed, listed - expected
    if not missing and not more:
        return
    parts = [f"it misses {_show(missing)}"] if missing else []
    parts += [f"it has {_show(more)}"] if more else []
    raise ScanError(
        f"the scanner lists {len(listed)} {what} where the lock has {len(expected)}: {', '.join(parts)}",
        hint="it has not seen the image that was built, or not all of it",
    )


def _show(named: Iterable[Named]) -> str:
    shown = [f"{name} {version}" for name, version in sorted(named)]
    more = f" and {len(shown) - _MOST_SHOWN} more" if len(shown) > _MOST_SHOWN else ""
    return ", ".join(shown[:_MOST_SHOWN]) + more
