"""Divergences as text of stack.toml: written below what a person wrote, every byte of which stays. Pure.

And whether they still hold: on its last day a divergence does, the day after it does not.
"""

from __future__ import annotations

import datetime as dt
import tomllib
from collections.abc import Iterable, Sequence
from dataclasses import replace

from builder.canonical import quote_toml
from builder.errors import BuilderError, StackError
from builder.stack.model import Divergence
from builder.stack.reader import parse_stack


def expired(divergences: Iterable[Divergence], today: dt.date) -> tuple[Divergence, ...]:
    """List those whose last day is over."""
    return tuple(divergence for divergence in divergences if divergence.expires < today)


def render_divergences(divergences: Sequence[Divergence]) -> str:
    """Write entries as stack.toml has them, with an empty line between."""
    return "\n".join(_render(divergence) for divergence in divergences)


def append_divergences(text: str, divergences: Sequence[Divergence], *, name: str, file: str) -> str:
    """Add entries at the end of a stack.toml; nothing of what is there changes.

    Args:
        text: of the file, as it can be read.
        divergences: of projects for which the file has none.
        name: the stack's.
        file: how errors name the file.

    Raises:
        StackError: the entries cannot stand at the end, as where `divergences = [...]` is an inline array.
    """
    before = parse_stack(text.encode(), name=name, file=file)
    end = "\r\n" if "\r\n" in text else "\n"
    entries = render_divergences(divergences)
    after = text + ("" if text.endswith("\n") or not text else end) + (end + entries.replace("\n", end))
    try:
        tomllib.loads(after)
    except tomllib.TOMLDecodeError as error:
        raise StackError(
            "has its divergences in one inline array, where no entry can be appended",
            context=f"{file}: divergences",
            hint=f"write them as [[divergences]], and add:\n{entries}",
        ) from error
    try:
        parsed = parse_stack(after.encode(), name=name, file=file)
    except BuilderError as error:
        raise StackError(
            f"cannot take these entries: {error}", context=f"{file}: divergences", hint=f"edit it by hand:\n{entries}"
        ) from error
    if parsed != replace(before, divergences=(*before.divergences, *divergences)):
        raise StackError(
            "would mean something else", context=f"{file}: divergences", hint=f"edit it by hand:\n{entries}"
        )
    return after


def _render(divergence: Divergence) -> str:
    fields = {
        "project": divergence.project,
        "specifier": divergence.specifier,
        "reason": divergence.reason,
        "owner": divergence.owner,
    }
    lines = ["[[divergences]]", *(f"{key} = {quote_toml(value)}" for key, value in fields.items())]
    return "".join(f"{line}\n" for line in (*lines, f"expires = {divergence.expires.isoformat()}"))
