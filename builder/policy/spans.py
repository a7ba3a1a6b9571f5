"""Spans of time, as stacks/channels.toml writes them: days or hours."""

from __future__ import annotations

import re
from typing import Final

from builder.stack.table import Table

_SPAN: Final = re.compile(r"(0|[1-9][0-9]{0,3})(h|d)\Z")
_SECONDS: Final = {"h": 3600, "d": 86_400}


def read_span(row: Table, key: str) -> int | None:
    """Read a span in seconds; None, with an issue noted, where it is none."""
    hint = 'write days or hours in quotes, as "7d" or "12h"; "0d" for none'
    text = row.text(key, hint=hint)
    if text is None:
        return None
    if not (found := _SPAN.match(text)):
        row.wrong(key, f"{text[:80]!r} is no span of time", hint=hint)
        return None
    return int(found[1]) * _SECONDS[found[2]]
