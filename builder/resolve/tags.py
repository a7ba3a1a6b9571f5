"""Which wheel a base uses: tags ranked as an installer on that base's CPython and glibc ranks them.

Pure: computed from version numbers, never from the Python that runs this.

Source: the binary distribution specification, PEP 600 (manylinux_x_y and its older names).
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Iterable, Mapping, Sequence
from typing import TypeVar

from packaging.tags import Tag, compatible_tags, cpython_tags
from packaging.utils import InvalidWheelFilename, parse_wheel_filename

from builder.errors import InvalidInputError
from builder.platform import Platform

_OLDEST_GLIBC = {"x86_64": 5, "aarch64": 17}
"""Minor version of the oldest manylinux that a machine has."""
_OLD_NAMES = {17: "manylinux2014", 12: "manylinux2010", 5: "manylinux1"}
_T = TypeVar("_T")


def platform_tags(platform: Platform, glibc: str) -> tuple[str, ...]:
    """List the platform tags of a machine, best first.

    `linux_x86_64` comes first, as packaging has it: a wheel so named was built for this very system. Then
    `manylinux_2_41_x86_64` downwards, each old name behind the new one that it stands for.
    """
    major, minor = _numbers(glibc, 2)
    if major != 2:
        raise InvalidInputError(f"glibc {glibc} is not a version that wheels are known for")
    tags = [f"linux_{platform.machine}"]
    for number in range(minor, _OLDEST_GLIBC[platform.machine] - 1, -1):
        tags.append(f"manylinux_2_{number}_{platform.machine}")
        if number in _OLD_NAMES and (number == 17 or platform.machine == "x86_64"):
            tags.append(f"{_OLD_NAMES[number]}_{platform.machine}")
    return tuple(tags)


@functools.lru_cache(maxsize=16)
def rank_tags(python_version: str, platform: Platform, glibc: str) -> Mapping[Tag, int]:
    """Rank every tag that a base accepts; 0 is best."""
    version = _numbers(python_version, 2)
    interpreter = f"cp{version[0]}{version[1]}"
    platforms = platform_tags(platform, glibc)
    ordered = [
        *cpython_tags(version, [interpreter], platforms),
        *compatible_tags(version, interpreter, platforms),
    ]
    return {tag: rank for rank, tag in reversed(list(enumerate(ordered)))}


def wheel_rank(name: str, ranks: Mapping[Tag, int]) -> tuple[int, tuple[int, str]] | None:
    """Rank a wheel by its file name, smaller is better; None where the base cannot use it or it is no wheel.

    Returns:
        The rank of its best tag, then its build tag so turned that a higher build is smaller.
    """
    try:
        _, _, build, tags = parse_wheel_filename(name)
    except InvalidWheelFilename:
        return None
    found = [ranks[tag] for tag in tags if tag in ranks]
    if not found:
        return None
    number, text = (build[0], build[1]) if build else (-1, "")
    return min(found), (-number, text)


def choose_wheel(
    wheels: Iterable[_T], names: Sequence[str], *, python_version: str, platform: Platform, glibc: str
) -> _T | None:
    """Choose the wheel that an installer would use; None where none fits. Ties go to the smaller name."""
    ranks = rank_tags(python_version, platform, glibc)
    known = _tag_texts(python_version, platform, glibc)
    ranked = [
        (rank, name, position, wheel)
        for position, (wheel, name) in enumerate(zip(wheels, names, strict=True))
        if _may_fit(name, known) and (rank := wheel_rank(name, ranks)) is not None
    ]
    return min(ranked, key=lambda item: item[:3])[3] if ranked else None


@functools.lru_cache(maxsize=16)
def _tag_texts(python_version: str, platform: Platform, glibc: str) -> frozenset[str]:
    return frozenset(map(str, rank_tags(python_version, platform, glibc)))


def _may_fit(name: str, known: frozenset[str]) -> bool:
    """Tell at a glance that a wheel is for others, as most of a version are; reading a name in full takes much longer."""
    _, *tags = name.removesuffix(".whl").lower().rsplit("-", 3)
    return any("-".join(tag) in known for tag in itertools.product(*(part.split(".") for part in tags)))


def _numbers(text: str, count: int) -> tuple[int, ...]:
    parts = text.split(".")[:count]
    if len(parts) != count or not all(part.isdecimal() for part in parts):
        raise InvalidInputError(f"not a version of at least {count} numbers: {text[:40]!r}")
    return tuple(int(part) for part in parts)
