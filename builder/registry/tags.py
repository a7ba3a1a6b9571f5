"""Tags: immutable ones of the form `<stack>-<yyyymmdd>.<n>`, and all others, which are channels and move.

The number has two digits, so that tags of a stack sort the same as text and as numbers, oldest first.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from builder.digest import Digest
from builder.errors import InvalidInputError
from builder.registry.model import check_tag

_IMMUTABLE: Final = re.compile(r"(?P<stack>[a-z0-9]+(?:-[a-z0-9]+)*)-(?P<day>[0-9]{8})\.(?P<number>[0-9]{1,9})\Z")
_ATTACHED: Final = re.compile(r"sha256-[0-9a-f]{64}(?:\.[a-z]+)?\Z")
_MOST_A_DAY: Final = 99


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class ImmutableTag:
    """A tag that stands for one image for ever; sorts by stack, then age.

    >>> str(ImmutableTag(stack="core", day="20261124", number=7))
    'core-20261124.07'
    """

    stack: str
    day: str
    """As `20261124`, in UTC."""
    number: int
    """From 1, on that day."""

    def __str__(self) -> str:
        return f"{self.stack}-{self.day}.{self.number:02}"


def parse_immutable(tag: str) -> ImmutableTag | None:
    """Read a tag; None for a channel.

    >>> parse_immutable("core-py311-20261124.02")
    ImmutableTag(stack='core-py311', day='20261124', number=2)
    >>> parse_immutable("prod")
    """
    found = _IMMUTABLE.match(tag)
    if found is None:
        return None
    return ImmutableTag(stack=found["stack"], day=found["day"], number=int(found["number"]))


def is_attached(tag: str) -> bool:
    """Tell a tag by which what refers to a manifest is found, as `sha256-<hex>` or cosign's `sha256-<hex>.sig`."""
    return _ATTACHED.match(tag) is not None


def is_referrers_list(tag: str) -> bool:
    """Tell an attached tag that stands for a list of referrers, which is the one without a word at its end."""
    return is_attached(tag) and "." not in tag


def subject_of(tag: str) -> Digest:
    """Read what an attached tag is attached to.

    >>> str(subject_of("sha256-" + "0" * 64 + ".sig"))[:12]
    'sha256:00000'
    """
    return Digest(tag.removeprefix("sha256-")[:64])


def of_stack(tags: Iterable[str], stack: str) -> tuple[str, ...]:
    """List a stack's immutable tags, newest first."""
    found = [(parsed, tag) for tag in tags if (parsed := parse_immutable(tag)) and parsed.stack == stack]
    return tuple(tag for _, tag in sorted(found, reverse=True))


def next_tag(tags: Iterable[str], stack: str, day: str) -> str:
    """Give the tag after all that a stack has on a day.

    Raises:
        InvalidInputError: the day is full, or the name makes no tag.
    """
    numbers = [
        parsed.number for tag in tags if (parsed := parse_immutable(tag)) and (parsed.stack, parsed.day) == (stack, day)
    ]
    tag = str(ImmutableTag(stack=stack, day=day, number=max(numbers, default=0) + 1))
    if max(numbers, default=0) >= _MOST_A_DAY:
        raise InvalidInputError(
            f"{stack} has {_MOST_A_DAY} tags of {day} already",
            context=tag,
            hint="push with --tag and a name of your own",
        )
    if parse_immutable(check_tag(tag)) is None:
        raise InvalidInputError("is no tag of a stack", context=tag, hint="push with --tag and --no-dated")
    return tag
