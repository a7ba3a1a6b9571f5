"""The journal of a night as bytes: a line for its beginning, for each step that ended, and for its end.

Lines are appended and synced one by one. The last one may be cut short by a kill: then that step had not ended.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, TypeVar

import msgspec

from builder.errors import InvalidInputError
from builder.nightly.facts import check_facts
from builder.nightly.model import Begun, Night, StepDone

_T = TypeVar("_T")


class Ended(msgspec.Struct, frozen=True, kw_only=True):
    """The last line."""

    ended: Annotated[int, msgspec.Meta(ge=1, le=1 << 40)]
    """Seconds since the epoch."""


def dump_line(line: Begun | StepDone | Ended) -> bytes:
    """Write a line."""
    return msgspec.json.encode(line, order="deterministic") + b"\n"


def parse_journal(data: bytes, *, file: str) -> Night:
    """Read a journal; a last line without its end is left out. A step after the end, done again, begins the night again.

    Raises:
        InvalidInputError: it is none, or a line of it is damaged.
    """
    lines = data.split(b"\n")[:-1]
    if not lines:
        raise InvalidInputError("is empty", context=file, hint="delete its folder: a night is begun anew")
    begun = _parse(lines[0], Begun, f"{file}: line 1")
    steps: list[StepDone] = []
    ended = 0
    for number, line in enumerate(lines[1:], 2):
        if line.startswith(b'{"ended":'):
            ended = _parse(line, Ended, f"{file}: line {number}").ended
        else:
            steps.append(_step(line, f"{file}: line {number}"))
            ended = 0
    return Night(begun=begun, steps=tuple(steps), ended=ended)


def parse_line(data: bytes, *, where: str) -> Begun | StepDone | Ended:
    """Read one line, of whatever it is; raises InvalidInputError where it is of nothing."""
    names = _parse(data, dict[str, object], where).keys()
    if "ended" in names:
        return _parse(data, Ended, where)
    return _step(data, where) if "node" in names else _parse(data, Begun, where)


def whole_bytes(data: bytes) -> int:
    """Tell how long a journal is without a last line that was cut short."""
    return data.rfind(b"\n") + 1


def next_name(day: str, names: Iterable[str]) -> str:
    """Name a new night: the day, and one more than the last of the same day."""
    taken = [int(tail) for head, _, tail in (name.partition(".") for name in names) if head == day and tail.isdecimal()]
    return f"{day}.{max(taken, default=0) + 1}"


def _step(line: bytes, where: str) -> StepDone:
    done = _parse(line, StepDone, where)
    check_facts(done.facts, where)
    return done


def _parse(line: bytes, shape: type[_T], where: str) -> _T:
    try:
        return msgspec.json.decode(line, type=shape)
    except msgspec.MsgspecError as error:
        raise InvalidInputError(
            f"is damaged: {error}", context=where, hint="delete its folder: a night is begun anew"
        ) from error
