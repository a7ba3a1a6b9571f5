"""What a database says of versions that mend a weakness, as specifiers: one for each branch of releases. Pure.

A database names the first good version of each branch, as `2.2.28, 3.2.13, 4.0.4`. What lies between two of them may be weak again: from
the beginning of the next one's branch up to it. So a version mends where it is at least one of them, and before the branch of
the next begins.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence

from packaging.version import InvalidVersion, Version


def mending_specifiers(installed: str, fixed_in: Iterable[str]) -> tuple[str, ...]:
    """List specifiers of versions that mend, the nearest branch first.

    Args:
        installed: the weak version.
        fixed_in: first good versions, as the database names them; those that Python cannot read are passed over.

    >>> mending_specifiers("3.2.5", ["2.2.28", "3.2.13", "4.0.4"])
    ('>=3.2.13,<4', '>=4.0.4')
    >>> mending_specifiers("2.19.0", ["2.20.0"])
    ('>=2.20.0',)
    """
    try:
        weak = Version(installed)
    except InvalidVersion:
        return ()
    good = [version for version in _versions(fixed_in) if version > weak]
    if not good:
        return ()
    ends = [*(_branch_of(later, version) for version, later in itertools.pairwise(good)), ""]
    return tuple(f">={version}{f',<{end}' if end else ''}" for version, end in zip(good, ends, strict=True))


def _versions(texts: Iterable[str]) -> Sequence[Version]:
    found = set()
    for text in texts:
        try:
            found.add(Version(text))
        except InvalidVersion:
            continue
    return sorted(found)


def _branch_of(version: Version, before: Version) -> str:
    """Name where the branch of a version begins: at its major, or at its minor where the one before has the same major."""
    if version.major != before.major:
        return str(version.major)
    if version.minor != before.minor:
        return f"{version.major}.{version.minor}"
    return str(version)
