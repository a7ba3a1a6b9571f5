"""What the files of an image give away: rights to write, and the set-id bits. Pure.

Read from layers, not asked of a running container: engines take set-id bits away when they unpack, registries do not.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from builder.entry import EntryKind
from builder.image.base_tree import Node
from builder.image.contract import AIRFLOW_UID, WRITABLE_FOLDERS
from builder.testing.model import MOST_LINES, Case, Status

NAME: Final = "modes"
_SET_IDS: Final = {0o4000: "setuid", 0o2000: "setgid"}
_STICKY: Final = 0o1000
_EXPECTED: Final = frozenset({*WRITABLE_FOLDERS, "etc/passwd"})
"""An uid that the image does not know gets its entry in /etc/passwd, which group 0 may write to."""


def judge_modes(nodes: Mapping[str, Node], allowed: Iterable[str], seconds: float) -> Case:
    """Judge all paths of an image.

    Args:
        nodes: paths without a leading slash, links not followed.
        allowed: paths that may be as they are.
        seconds: how long reading took.
    """
    known = {*allowed}
    found = [f"/{path} {problem}" for path, node in sorted(nodes.items()) if (problem := _problem(path, node, known))]
    lines = found if len(found) <= MOST_LINES else [*found[: MOST_LINES - 1], f"and {len(found) - MOST_LINES + 1} more"]
    status = Status.FAILED if found else Status.PASSED
    return Case(name=NAME, status=status, seconds=seconds, reason="\n".join(lines))


def _problem(path: str, node: Node, allowed: set[str]) -> str:
    if node.kind is EntryKind.SYMLINK or path in allowed:
        return ""
    set_ids = [word for bit, word in _SET_IDS.items() if node.mode & bit]
    if set_ids:
        return f"is {' and '.join(set_ids)} (mode {node.mode:04o}, owner {node.uid}:{node.gid})"
    if path not in _EXPECTED and _is_writable(node):
        return f"is writable for the image's user (mode {node.mode:04o}, owner {node.uid}:{node.gid})"
    return ""


def _is_writable(node: Node) -> bool:
    """Tell whether user 50000 with group 0, or any other user, may write; folders as /tmp are sticky.

    What belongs to the user counts with any mode: its owner may change that.
    """
    if node.kind is EntryKind.DIRECTORY and node.mode & _STICKY:
        return False
    return node.uid == AIRFLOW_UID or bool(node.gid == 0 and node.mode & 0o020) or bool(node.mode & 0o002)
