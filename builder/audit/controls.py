"""The matrix of controls: which of the export's files answer which control of which framework."""

from __future__ import annotations

import tomllib
from functools import cache
from importlib.resources import files

from builder.audit.model import Control


@cache
def read_controls() -> tuple[Control, ...]:
    """Read controls.toml, in its order."""
    rows = tomllib.loads(files("builder.audit").joinpath("controls.toml").read_text("utf-8"))["controls"]
    return tuple(
        Control(
            framework=row["framework"],
            id=row["id"],
            title=row["title"],
            shows=row["shows"],
            files=tuple(row["files"]),
            topics=tuple(row.get("topics", ())),
            not_here=row["not-here"],
        )
        for row in rows
    )
