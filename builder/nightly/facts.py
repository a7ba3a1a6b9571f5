"""What steps may say of themselves, by name: journals come from other machines too, and reports are made of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

import msgspec

from builder.errors import InvalidInputError

_Count = Annotated[int, msgspec.Meta(ge=0, le=1 << 53)]


class Moved(msgspec.Struct, frozen=True, kw_only=True):
    """A version that is another."""

    name: str
    before: str
    """Empty for one that is new."""
    after: str
    """Empty for one that is gone."""


class Way(msgspec.Struct, frozen=True, kw_only=True):
    """What would meet a rule."""

    rule: str
    way: str


class Channel(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a channel."""

    channel: str
    lacks: tuple[str, ...] = ()
    ways: tuple[Way, ...] = ()


class Facts(msgspec.Struct, frozen=True, kw_only=True):
    """All that reports read; what else a step says, newer programs know."""

    moves: tuple[Moved, ...] = ()
    digest: str = ""
    lock: str = ""
    size_bytes: _Count = 0
    pull_bytes: _Count = 0
    counts: Mapping[str, _Count] = {}
    fixed: tuple[str, ...] = ()
    new: tuple[str, ...] = ()
    channels: tuple[Channel, ...] = ()
    files: Mapping[str, str] = {}
    segments: str = ""


def check_facts(facts: Mapping[str, Any], where: str) -> None:
    """Refuse facts that are of another form than reports read; raises InvalidInputError."""
    if not facts:
        return
    try:
        msgspec.convert(facts, type=Facts)
    except msgspec.ValidationError as error:
        raise InvalidInputError(f"is damaged: {error}", context=f"{where}: facts") from error
