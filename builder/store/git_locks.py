"""A folder of locks in git: how it stands, what changed in it, and commits of that alone.

- The user's index and what else he changed are left alone: trees are made in an index of our own.
- `files/` is never looked at: wheels are no locks, even where nobody told git to ignore them.
- A branch moves only from where it was looked at; hooks are not run, since they may write into files that are locked by digest.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from builder.errors import InvalidInputError, ToolError

_FILES: Final = "files"
_GOING_ON: Final = ("MERGE_HEAD", "REBASE_HEAD", "CHERRY_PICK_HEAD", "REVERT_HEAD")
_NONE: Final = "0" * 40


@dataclass(frozen=True, slots=True, kw_only=True)
class GitFolder:
    """A folder in a working tree of git."""

    folder: Path

    def dirty(self) -> tuple[str, ...]:
        """List files of the folder that are not as committed, new ones too."""
        told = self._git("status", "--porcelain", "-z", "--no-renames", "--untracked-files=all", "--", *self._paths)
        return tuple(sorted(os.fsdecode(row[3:]) for row in told.split(b"\0") if row))

    def head(self) -> str:
        """Name the commit that is checked out; empty where there is none yet."""
        found = self._run("rev-parse", "--verify", "--quiet", "HEAD^{commit}")
        return "" if found.returncode else found.stdout.decode().strip()

    def snapshot(self) -> str:
        """Write the folder as it is on disk, and all else as committed, as a tree; returns its name."""
        with TemporaryDirectory(prefix="airflow-kubler-") as room:
            index = {"GIT_INDEX_FILE": str(Path(room, "index"))}
            if self.head():
                self._git("read-tree", "HEAD", env=index)
            # Not by `add`, which refuses a folder whose `files/` is ignored, and one that is not there yet.
            listed = self._git(
                "ls-files", "-z", "--cached", "--others", "--exclude-standard", "--", self._paths[0], env=index
            )
            files = f"{self.folder.name}/{_FILES}/".encode()
            names = b"".join(name + b"\0" for name in listed.split(b"\0") if name and not name.startswith(files))
            self._git("update-index", "--add", "--remove", "-z", "--stdin", env=index, given=names)
            return self._git("write-tree", env=index).decode().strip()

    def patch(self, before: str, after: str) -> bytes:
        """Write what changed in the folder between two trees, as `git apply` takes it at the top of the working tree."""
        options = ("--binary", "--full-index", "--no-color", "--no-ext-diff", "--no-textconv", "--no-renames")
        return self._git("diff", *options, "--src-prefix=a/", "--dst-prefix=b/", before, after, "--", *self._paths)

    def check_ready(self, branch: str) -> None:
        """Check that a commit can be made.

        Args:
            branch: a new one; empty for the one that is checked out.

        Raises:
            InvalidInputError: git knows no author, has no commit yet, or is amid a merge; or the branch is there already.
        """
        where = str(self.folder)
        if not self.head():
            raise InvalidInputError("git has no commit here yet", context=where, hint="commit the project first")
        going = [name for name in _GOING_ON if not self._run("rev-parse", "--verify", "--quiet", name).returncode]
        if going and not branch:
            raise InvalidInputError(
                f"git is amid something: {going[0]}", context=where, hint="end it, or give --branch"
            )
        for who in ("GIT_AUTHOR_IDENT", "GIT_COMMITTER_IDENT"):
            if self._run("-c", "user.useConfigOnly=true", "var", who).returncode:
                hint = "git config user.name NAME; git config user.email ADDRESS"
                raise InvalidInputError("git does not know whose commits these are", context=where, hint=hint)
        if branch:
            self._check_branch(branch)

    def commit(self, tree: str, message: str, branch: str) -> str:
        """Commit a tree upon what is checked out; returns the commit's name.

        Args:
            tree: as of `snapshot`.
            message: of the commit, as it is.
            branch: a new one, on which nothing else changes; empty for the one that is checked out.

        Raises:
            ToolError: git refuses: somebody else moved the branch meanwhile, for one.
        """
        head = self.head()
        signed = self._run("config", "--type=bool", "--get", "commit.gpgSign").stdout.strip() == b"true"
        made = self._git(
            "commit-tree", *(("-S",) if signed else ()), "-p", head, "-F", "-", tree, given=message.encode()
        )
        name = made.decode().strip()
        note = "airflow-kubler nightly"
        if branch:
            self._git("update-ref", "-m", note, f"refs/heads/{branch}", name, _NONE)
            return name
        self._git("update-ref", "-m", note, "HEAD", name, head)
        # The index said what the commit before had: it would look as if the change were taken back.
        self._git("reset", "--quiet", "--", *self._paths)
        return name

    def _check_branch(self, branch: str) -> None:
        if self._run("check-ref-format", "--branch", branch).returncode:
            raise InvalidInputError("cannot name a branch", context=branch[:80], hint="as nightly/{night}")
        if not self._run("rev-parse", "--verify", "--quiet", f"refs/heads/{branch}").returncode:
            raise InvalidInputError(
                "is a branch already", context=branch[:80], hint="name a new one, as nightly/{night}"
            )

    @property
    def _paths(self) -> tuple[str, str]:
        """The folder without its files, told from the folder above."""
        name = self.folder.name
        return f":(literal){name}", f":(exclude,literal){name}/{_FILES}"

    def _git(self, *args: str, env: Mapping[str, str] | None = None, given: bytes = b"") -> bytes:
        done = self._run(*args, env=env, given=given)
        if done.returncode:
            said = done.stderr.decode(errors="replace").strip()
            raise ToolError(f"git: {said or f'exit status {done.returncode}'}", argv=["git", *args[:2]])
        return done.stdout

    def _run(
        self, *args: str, env: Mapping[str, str] | None = None, given: bytes = b""
    ) -> subprocess.CompletedProcess[bytes]:
        return _run_git(self.folder.parent, args, env or {}, given)


def open_git_folder(folder: Path) -> GitFolder | None:
    """Find git around a folder; None where there is none, git is not installed, or git is to ignore the folder."""
    try:
        found = _run_git(folder.parent, ("rev-parse", "--is-inside-work-tree"), {}, b"")
        if found.returncode or found.stdout.strip() != b"true":
            return None
        ignored = _run_git(folder.parent, ("check-ignore", "--quiet", folder.name), {}, b"")
    except ToolError:
        return None
    return None if ignored.returncode == 0 else GitFolder(folder=folder)


def _run_git(
    folder: Path, args: Sequence[str], env: Mapping[str, str], given: bytes
) -> subprocess.CompletedProcess[bytes]:
    argv = ["git", "-C", str(folder), *args]
    try:
        return subprocess.run(
            argv, check=False, capture_output=True, input=given, env={**os.environ, "LC_ALL": "C", **env}
        )
    except FileNotFoundError as error:
        raise ToolError(
            "git is not installed", argv=argv, hint="install it, or run nightly without --commit"
        ) from error
