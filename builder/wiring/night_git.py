"""Locks of a night in git: a patch in the night's folder wherever git is, a commit where one is wanted.

How locks stood is noted before the night's first step, so that a night that was killed and gone on with has the same patch.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

import msgspec

if TYPE_CHECKING:
    from builder.nightly.summary import NightSummary
    from builder.store.git_locks import GitFolder

PATCH: Final = "locks.patch"
_BEFORE: Final = "locks-before.json"
_NIGHT: Final = "{night}"


class _Before(msgspec.Struct, frozen=True, kw_only=True):
    tree: str
    """As git names it."""
    dirty: tuple[str, ...]
    """What was not committed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NightGit:
    """Git beside a night."""

    locks: Path
    folder: Path
    """The night's."""
    commit: bool
    branch: str
    """A new one to commit on; empty for the one that is checked out."""

    def begin(self, say: Callable[[str], None], *, again: bool) -> None:
        """Note how locks stand, before anything is done.

        Args:
            say: told where there will be no patch.
            again: the night goes on: it was noted then.

        Raises:
            InvalidInputError: a commit is wanted, and would hold other people's changes or cannot be made.
            ToolError: a commit is wanted, and git fails.
        """
        from builder.errors import ToolError

        git = self._open()
        before = self._load() if again else None
        if git is not None and not again:
            try:
                before = _Before(tree=git.snapshot(), dirty=git.dirty())
            except ToolError as error:
                if self.commit:
                    raise
                say(f"there will be no {PATCH}: {error.message}")
        if self.commit:
            _check(git, before, self._branch)
        if before is not None and not again:
            from builder.atomic import replacing

            self.folder.mkdir(parents=True, exist_ok=True)
            with replacing(self.folder / _BEFORE, mode=0o644, durable=True) as stream:
                stream.write(msgspec.json.encode(before))

    def end(self, summary: NightSummary, say: Callable[[str], None]) -> str:
        """Write the patch, and commit where that is wanted and locks changed; returns the commit's name, or nothing.

        Raises:
            ToolError: a commit is wanted, and git refuses.
        """
        from builder.errors import ToolError
        from builder.nightly.markdown import render_message

        git, before = self._open(), self._load()
        if git is None or before is None:
            return ""
        try:
            tree, patch = self._write_patch(git, before)
        except ToolError as error:
            if self.commit:
                raise
            say(f"there is no {PATCH}: {error.message}")
            return ""
        if not self.commit:
            return ""
        if not patch:
            say("locks are as they were: nothing to commit")
            return ""
        name = git.commit(tree, render_message(summary), self._branch)
        say(f"committed {name[:12]}{f' on {self._branch}' if self._branch else ''}")
        return name

    def _write_patch(self, git: GitFolder, before: _Before) -> tuple[str, bytes]:
        from builder.atomic import replacing

        tree = git.snapshot()
        patch = git.patch(before.tree, tree)
        with replacing(self.folder / PATCH, mode=0o644) as stream:
            stream.write(patch)
        return tree, patch

    @property
    def _branch(self) -> str:
        return self.branch.replace(_NIGHT, self.folder.name)

    def _open(self) -> GitFolder | None:
        from builder.store.git_locks import open_git_folder

        return open_git_folder(self.locks)

    def _load(self) -> _Before | None:
        path = self.folder / _BEFORE
        try:
            return msgspec.json.decode(path.read_bytes(), type=_Before)
        except (FileNotFoundError, msgspec.MsgspecError):
            return None


def _check(git: GitFolder | None, before: _Before | None, branch: str) -> None:
    from builder.errors import InvalidInputError

    if git is None:
        hint = "run it in a clone of the project, or without --commit"
        raise InvalidInputError("git does not keep these locks", context="locks", hint=hint)
    if before is None:
        hint = "run it without --commit, or begin with --anew"
        raise InvalidInputError("nobody knows how locks stood when this night began", context="locks", hint=hint)
    if before.dirty:
        more = f" and {len(before.dirty) - 3} more" if len(before.dirty) > 3 else ""
        raise InvalidInputError(
            f"holds changes that are not committed: {', '.join(before.dirty[:3])}{more}",
            context="locks",
            hint="commit or stash them first: else they would be taken for the night's",
        )
    git.check_ready(branch)
