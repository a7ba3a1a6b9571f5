"""Names of stacks and bases, and the nearest known name for a wrong one."""

from __future__ import annotations

import re
from collections.abc import Iterable
from difflib import get_close_matches
from pathlib import PurePosixPath

from builder.errors import StackError

RESERVED = {
    "bases": "stacks/bases/ holds something else",
    "export": "`airflow-kubler lock export` is a command; take another name",
    "import": "`airflow-kubler lock import` is a command; take another name",
    "db": "`airflow-kubler scan db` is a command; take another name",
    "vex": "stacks/vex/ holds waivers",
}
"""Names that no stack may have, and why."""
_NAME = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*\Z")


def is_name(text: str) -> bool:
    """Tell whether a text may name a stack or a base: it becomes a part of pylock.<name>.toml, so no dots."""
    return len(text) <= 64 and text not in RESERVED and _NAME.match(text) is not None


def check_name(text: str, *, context: str) -> StackError | None:
    """Find what is wrong with a name, None where nothing is."""
    if is_name(text):
        return None
    if text in RESERVED:
        return StackError(f"{text!r} cannot name a stack", context=context, hint=RESERVED[text])
    return StackError(
        f"{text[:80]!r} cannot name a stack or a base",
        context=context,
        hint="use lower-case letters and digits, with single hyphens between, at most 64 characters",
    )


def nearest(name: str, known: Iterable[str], noun: str) -> str:
    """Make the hint for an unknown name: the nearest known one, else all of them, else nothing."""
    names = sorted(known)
    near = get_close_matches(name, names, n=1)
    if near:
        return f"did you mean {near[0]!r}?"
    return f"known {noun}s: {', '.join(names)}" if names else ""


def is_path_below(text: str) -> bool:
    """Tell whether a path leads to something below the folder that it is relative to."""
    path = PurePosixPath(text)
    return not path.is_absolute() and ".." not in path.parts and "\\" not in text and str(path) not in {"", "."}
