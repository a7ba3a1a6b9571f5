"""Locks of a night in git: a patch that applies, a commit of locks alone, nothing of other people's."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from builder.errors import InvalidInputError, ToolError
from builder.store.git_locks import open_git_folder
from builder.wiring.night_git import PATCH, NightGit
from tests.support.made_up_nights import make_full_night
from tests.support.tools import require_tool

SUMMARY = make_full_night().summary()
NIGHT = "20261130.1"


def git(root: Path, *args: str, check: bool = True) -> str:
    done = subprocess.run(
        ["git", "-C", str(root), *args], capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL
    )
    assert not check or done.returncode == 0, done.stderr
    return done.stdout.strip() if check else f"{done.returncode}"


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project in a folder of a clone, with a lock that is committed, and wheels that nobody ignores."""
    require_tool("git")
    for name in ("GIT_CONFIG_GLOBAL", "GIT_CONFIG_SYSTEM"):
        monkeypatch.setenv(name, "/dev/null")
    top = tmp_path / "top"
    locks = top / "project/locks"
    (locks / "files/aa").mkdir(parents=True)
    (locks / "files/aa/a.whl").write_bytes(b"wheel")
    (locks / "pylock.core.toml").write_text("core 1\n")
    (locks / "pylock.gone.toml").write_text("gone\n")
    (top / "README.md").write_text("one\n")
    git(tmp_path, "init", "--quiet", "--initial-branch=main", str(top))
    git(top, "config", "user.name", "Alice")
    git(top, "config", "user.email", "alice@example.org")
    git(top, "add", "README.md", "project/locks/*.toml")
    git(top, "commit", "--quiet", "-m", "first")
    return top


def night(root: Path, *, commit: bool = False, branch: str = "") -> NightGit:
    folder = root.parent / "nights" / NIGHT
    return NightGit(locks=root / "project/locks", folder=folder, commit=commit or bool(branch), branch=branch)


def change(root: Path) -> None:
    locks = root / "project/locks"
    (locks / "pylock.core.toml").write_text("core 2\n")
    (locks / "pylock.new name.toml").write_bytes(b"new\r\n\xff\0")
    (locks / "pylock.gone.toml").unlink()


def run(one: NightGit, root: Path) -> tuple[str, list[str]]:
    said: list[str] = []
    one.begin(print, again=False)
    change(root)
    return one.end(SUMMARY, said.append), said


def test_a_patch_of_locks_applies_to_what_was_there_before(root: Path) -> None:
    name, said = run(night(root), root)
    assert (name, said) == ("", [])
    patch = root.parent / "nights" / NIGHT / PATCH
    other = root.parent / "other"
    git(root.parent, "clone", "--quiet", str(root), str(other))
    git(other, "apply", "--check", str(patch))
    git(other, "apply", str(patch))
    for path in (root / "project/locks").glob("*.toml"):
        assert (other / "project/locks" / path.name).read_bytes() == path.read_bytes()
    assert not (other / "project/locks/pylock.gone.toml").exists()
    assert b"a.whl" not in patch.read_bytes()


def test_changes_of_before_the_night_are_not_in_its_patch(root: Path) -> None:
    (root / "project/locks/pylock.mine.toml").write_text("mine\n")
    run(night(root), root)
    patch = (root.parent / "nights" / NIGHT / PATCH).read_text(errors="replace")
    assert "mine" not in patch
    assert "core 2" in patch


def test_a_commit_is_of_locks_alone_and_leaves_all_else_as_it_was(root: Path) -> None:
    (root / "README.md").write_text("staged\n")
    git(root, "add", "README.md")
    (root / "README.md").write_text("not staged\n")
    before = git(root, "rev-parse", "HEAD")
    name, said = run(night(root, commit=True), root)
    assert name == git(root, "rev-parse", "main") == git(root, "rev-parse", "HEAD")
    assert git(root, "rev-parse", "HEAD^") == before
    assert git(root, "show", "--name-only", "--format=%an <%ae>").split("\n") == [
        "Alice <alice@example.org>",
        "",
        "project/locks/pylock.core.toml",
        "project/locks/pylock.gone.toml",
        "project/locks/pylock.new name.toml",
    ]
    assert git(root, "status", "--porcelain", "--untracked-files=no") == "MM README.md"
    message = git(root, "log", "-1", "--format=%B")
    assert message.startswith("Night 20261130.1: 4 failed, ")
    assert "## Changed" in message
    assert said == [f"committed {name[:12]}"]


def test_wheels_that_git_ignores_are_no_trouble(root: Path) -> None:
    (root / ".gitignore").write_text("files/\n")
    name, _ = run(night(root, commit=True), root)
    assert git(root, "show", "--name-only", "--format=", name).count("pylock") == 3
    assert git(root, "status", "--porcelain") == "?? .gitignore"


def test_a_commit_on_a_branch_moves_nothing_that_is_checked_out(root: Path) -> None:
    before = git(root, "rev-parse", "HEAD")
    name, said = run(night(root, branch="nightly/{night}"), root)
    assert git(root, "rev-parse", f"refs/heads/nightly/{NIGHT}") == name
    assert git(root, "symbolic-ref", "HEAD") == "refs/heads/main"
    assert git(root, "rev-parse", "HEAD") == before
    assert git(root, "diff", "--cached", "--name-only") == ""
    assert git(root, "diff", "--name-only", "main", name).count("pylock") == 3
    assert said == [f"committed {name[:12]} on nightly/{NIGHT}"]


def test_locks_with_changes_of_others_are_refused_before_anything_is_done(root: Path) -> None:
    (root / "project/locks/pylock.core.toml").write_text("mine\n")
    with pytest.raises(InvalidInputError, match="holds changes that are not committed: ") as caught:
        night(root, commit=True).begin(print, again=False)
    assert "stash" in caught.value.hint
    night(root).begin(print, again=False)


def test_a_night_that_goes_on_has_the_changes_of_its_first_half_too(root: Path) -> None:
    night(root).begin(print, again=False)
    (root / "project/locks/pylock.core.toml").write_text("half\n")
    one = night(root, commit=True)
    one.begin(print, again=True)
    (root / "project/locks/pylock.more.toml").write_text("more\n")
    name = one.end(SUMMARY, lambda _: None)
    assert git(root, "show", "--name-only", "--format=", name).count("pylock") == 2


def test_a_night_whose_beginning_nobody_noted_is_not_committed(root: Path) -> None:
    with pytest.raises(InvalidInputError, match="how locks stood"):
        night(root, commit=True).begin(print, again=True)


def test_nothing_new_is_no_commit(root: Path) -> None:
    one, said = night(root, commit=True), list[str]()
    one.begin(print, again=False)
    assert one.end(SUMMARY, said.append) == ""
    assert said == ["locks are as they were: nothing to commit"]
    assert (one.folder / PATCH).read_bytes() == b""


@pytest.mark.parametrize("branch", ["main", "a..b", "-x", "refs/../x", "a b"])
def test_a_branch_that_cannot_be_made_is_refused_before_the_night(root: Path, branch: str) -> None:
    with pytest.raises(InvalidInputError, match=r"is a branch already|cannot name a branch"):
        night(root, branch=branch).begin(print, again=False)


def test_a_branch_that_moved_in_the_night_is_not_taken_back(root: Path) -> None:
    one = night(root, branch="bot")
    one.begin(print, again=False)
    change(root)
    git(root, "branch", "bot")
    with pytest.raises(ToolError, match="git: "):
        one.end(SUMMARY, lambda _: None)
    assert git(root, "rev-parse", "bot") == git(root, "rev-parse", "main")


def test_who_commits_must_be_known_before_the_night(root: Path) -> None:
    git(root, "config", "--unset", "user.email")
    with pytest.raises(InvalidInputError, match="does not know whose") as caught:
        night(root, commit=True).begin(print, again=False)
    assert "user.email" in caught.value.hint


def test_amid_a_merge_only_a_branch_is_committed_on(root: Path) -> None:
    (root / ".git/MERGE_HEAD").write_text(git(root, "rev-parse", "HEAD") + "\n")
    with pytest.raises(InvalidInputError, match="amid something: MERGE_HEAD"):
        night(root, commit=True).begin(print, again=False)
    night(root, branch="bot").begin(print, again=False)


def test_where_git_is_not_there_is_no_patch_and_no_commit(root: Path, tmp_path: Path) -> None:
    locks = tmp_path / "plain/locks"
    locks.mkdir(parents=True)
    one = NightGit(locks=locks, folder=tmp_path / "night", commit=False, branch="")
    one.begin(print, again=False)
    assert one.end(SUMMARY, lambda _: None) == ""
    assert not (tmp_path / "night").exists()
    with pytest.raises(InvalidInputError, match="git does not keep these locks"):
        NightGit(locks=locks, folder=tmp_path / "night", commit=True, branch="").begin(print, again=False)
    (root / ".gitignore").write_text("locks\n")
    assert open_git_folder(root / "project/locks") is not None, "what is tracked is not ignored"


def test_before_the_first_commit_there_is_a_patch_and_no_commit(tmp_path: Path, root: Path) -> None:
    del root
    top = tmp_path / "young"
    git(tmp_path, "init", "--quiet", str(top))
    with pytest.raises(InvalidInputError, match="no commit here yet"):
        NightGit(locks=top / "locks", folder=tmp_path / "n2", commit=True, branch="").begin(print, again=False)
    one = NightGit(locks=top / "locks", folder=tmp_path / "night", commit=False, branch="")
    one.begin(print, again=False)
    (top / "locks").mkdir()
    (top / "locks/pylock.core.toml").write_text("core\n")
    one.end(SUMMARY, lambda _: None)
    git(top, "apply", "--check", "--reverse", str(tmp_path / "night" / PATCH))


def test_git_that_fails_costs_the_patch_and_no_night(root: Path) -> None:
    one, said = night(root), list[str]()
    one.begin(said.append, again=False)
    change(root)
    tree = git(root, "rev-parse", "HEAD^{tree}")
    (root / ".git/objects" / tree[:2] / tree[2:]).unlink()
    assert one.end(SUMMARY, said.append) == ""
    night(root).begin(said.append, again=False)
    assert [line.partition(": git: ")[0] for line in said] == [
        "there is no locks.patch",
        "there will be no locks.patch",
    ]
    with pytest.raises(ToolError, match="git: "):
        night(root, commit=True).begin(print, again=False)


def test_hooks_are_not_run(root: Path) -> None:
    hook = root / ".git/hooks/pre-commit"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text("#!/bin/sh\necho x >>project/locks/pylock.core.toml\nexit 1\n")
    hook.chmod(0o755)
    name, _ = run(night(root, commit=True), root)
    assert git(root, "show", f"{name}:project/locks/pylock.core.toml") == "core 2"
