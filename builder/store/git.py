"""Reads files of git revisions, which are content-addressed too: bytes as they were committed, without a checkout."""

from __future__ import annotations

import subprocess
from pathlib import Path

from builder.errors import InvalidInputError, ToolError


def read_revision(root: Path, revision: str, path: str) -> bytes | None:
    """Read a file of a revision.

    Args:
        root: a folder in the working tree; `path` is relative to it.
        revision: as git names it: `HEAD~1`, a branch, a tag, a hash.
        path: the file.

    Returns:
        Its bytes; None where the revision does not have it.

    Raises:
        InvalidInputError: git knows no such revision here.
        ToolError: git is not installed.
    """
    found = _git(root, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{revision}^{{commit}}")
    if found.returncode:
        raise InvalidInputError(
            "is no revision of git here", context=revision, hint="name a commit, a branch or a tag, as HEAD~1"
        )
    commit = found.stdout.decode().strip()
    # `./`: relative to the folder, which may lie below the top of the working tree.
    shown = _git(root, "cat-file", "blob", f"{commit}:./{path}")
    return None if shown.returncode else shown.stdout


def _git(root: Path, *args: str) -> subprocess.CompletedProcess[bytes]:
    argv = ["git", "-C", str(root), *args]
    try:
        return subprocess.run(argv, check=False, capture_output=True)
    except FileNotFoundError as error:
        raise ToolError("git is not installed", argv=argv, hint="compare stacks or lock files instead") from error
