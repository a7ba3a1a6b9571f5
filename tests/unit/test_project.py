from pathlib import Path

import pytest

from builder.errors import InvalidInputError, IssuesError, SecretFoundError, StackError
from builder.project import Project, create_files, find_project, open_project
from builder.stack.graph import effective_stack
from builder.stack.model import IndexRule
from tests.support.secrets import LOOKS_LIKE_ONE

CORE = 'description = "x"\n[airflow]\nversion = "3.3.2"\n[base]\nname = "trixie"\n'
BASE = 'description = "x"\n[python]\nversion = "3.13"\n[debian]\nrelease = "trixie"\nsuites = ["trixie"]\nroots = ["bash"]\n'


@pytest.fixture
def project(tmp_path: Path) -> Project:
    create_files(tmp_path, {"stacks/core/stack.toml": CORE.encode(), "stacks/bases/trixie.toml": BASE.encode()})
    return open_project(tmp_path)


def test_the_nearest_folder_with_stacks_is_the_project(project: Project) -> None:
    assert find_project(project.root / "stacks" / "core") == project


def test_a_folder_without_stacks_is_no_project(tmp_path: Path) -> None:
    with pytest.raises(StackError) as caught:
        open_project(tmp_path)
    assert str(caught.value) == f"{tmp_path}: holds no folder stacks/\n  start one with: airflow-kubler init {tmp_path}"
    with pytest.raises(StackError) as caught:
        find_project(tmp_path)
    assert str(caught.value) == (
        f"{tmp_path}: neither this folder nor one above it holds stacks/\n"
        "  start one with: airflow-kubler init DIR, or name it with: airflow-kubler --project DIR ..."
    )


def test_stacks_and_bases_are_listed_by_name(project: Project) -> None:
    create_files(project.root, {"stacks/aws/stack.toml": b"", "stacks/notes/README.md": b""})
    assert project.stack_names() == ("aws", "core")
    assert project.base_names() == ("trixie",)


def test_locks_stand_where_pip_and_uv_look_for_them(project: Project) -> None:
    assert project.stack_lock_path("core") == project.root / "locks/pylock.core.toml"
    assert project.base_lock_path("trixie") == project.root / "locks/base.trixie.toml"
    assert project.files_folder == project.root / "locks/files"


def test_requirements_in_is_read_beside_stack_toml(project: Project) -> None:
    create_files(project.root, {"stacks/core/requirements.in": b"a>=1\n"})
    assert project.load_stack("core").requirements == ("a>=1",)


def test_issues_of_all_stacks_are_raised_once(project: Project) -> None:
    files = {
        "stacks/a/stack.toml": b"x = 1",
        "stacks/b/stack.toml": b"x =",
        "stacks/c/stack.toml": CORE.encode(),
        "stacks/c/requirements.in": b"\xff",
    }
    create_files(project.root, files)
    with pytest.raises(IssuesError) as caught:
        project.load_stacks()
    assert [issue.context.partition(":")[0] for issue in caught.value.issues] == [
        *["stacks/a/stack.toml"] * 4,
        "stacks/b/stack.toml",
        "stacks/c/requirements.in",
    ]


def test_names_that_locks_cannot_carry_are_refused_at_once(project: Project) -> None:
    create_files(project.root, {"stacks/Core.1/stack.toml": CORE.encode(), "stacks/bases/stack.toml": BASE.encode()})
    with pytest.raises(IssuesError) as caught:
        open_project(project.root)
    assert str(caught.value) == (
        "stacks/Core.1: 'Core.1' cannot name a stack or a base\n"
        "  use lower-case letters and digits, with single hyphens between, at most 64 characters\n"
        "stacks/bases: 'bases' cannot name a stack\n"
        "  stacks/bases/ holds something else"
    )


def test_an_unknown_stack_or_base_is_answered_with_the_nearest(project: Project) -> None:
    with pytest.raises(StackError) as caught:
        project.load_stack("../core")
    assert str(caught.value) == "stacks: no stack '../core'\n  did you mean 'core'?"
    with pytest.raises(StackError) as caught:
        project.load_base("bookworm")
    assert str(caught.value) == "stacks/bases: no base 'bookworm'\n  known bases: trixie"


def test_files_of_a_stack_are_read_sorted(project: Project) -> None:
    create_files(project.root, {f"stacks/core/files/{path}": path.encode() for path in ("b", "a/c", "a.b")})
    assert project.stack_files("core") == (("a.b", b"a.b"), ("a/c", b"a/c"), ("b", b"b"))


def test_a_stack_without_files_has_none(project: Project) -> None:
    assert project.stack_files("core") == ()


def test_links_among_files_are_refused(project: Project) -> None:
    create_files(project.root, {"stacks/core/files/a": b""})
    (project.root / "stacks/core/files/secret").symlink_to("/etc/passwd")
    (project.root / "stacks/core/files/folder").symlink_to("/etc")
    with pytest.raises(InvalidInputError) as caught:
        project.stack_files("core")
    assert str(caught.value) == (
        "stacks/core/files/folder: is a link\nstacks/core/files/secret: is a link\n  put the files themselves there"
    )


def test_a_secret_among_files_is_refused(project: Project) -> None:
    connection = LOOKS_LIKE_ONE["a password in an address"]
    create_files(project.root, {"stacks/core/files/a/b.cfg": f"[database]\nconnection = {connection}\n".encode()})
    with pytest.raises(SecretFoundError) as refused:
        project.stack_files("core")
    assert "stacks/core/files/a/b.cfg: holds what looks like a password in an address" in str(refused.value)


def test_a_link_in_place_of_files_is_refused(project: Project) -> None:
    (project.root / "stacks/core/files").symlink_to("/etc")
    with pytest.raises(StackError, match="stacks/core/files: is a link"):
        project.stack_files("core")


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("none", None),
        ("official", b"b==2\n"),
        ("https://x.example/c.txt", b"c==3\n"),
        ("c.txt", b"a==1\n"),
    ],
)
def test_constraints_are_read_from_the_stack_that_names_them(
    project: Project, value: str, expected: bytes | None
) -> None:
    core = CORE.replace('"3.3.2"', f'"3.3.2"\nconstraints = "{value}"')
    (project.root / "stacks/core/stack.toml").write_text(core)
    child = b'description = "x"\nextends = "core"\n'
    files = {
        "stacks/aws/stack.toml": child,
        "stacks/core/c.txt": b"a==1\n",
        "locks/constraints.3.3.2-py3.13.txt": b"b==2\n",
        "locks/constraints.core.txt": b"c==3\n",
    }
    create_files(project.root, files)
    assert project.load_constraints(effective_stack(project.load_stacks(), "aws")) == expected


def test_constraints_that_nobody_fetched_yet_are_named(project: Project) -> None:
    core = CORE.replace('"3.3.2"', '"3.3.2"\nconstraints = "official"')
    (project.root / "stacks/core/stack.toml").write_text(core)
    with pytest.raises(StackError) as caught:
        project.load_constraints(effective_stack(project.load_stacks(), "core"))
    assert str(caught.value) == (
        "locks/constraints.3.3.2-py3.13.txt: is not there\n  fetch it with: airflow-kubler lock core"
    )


def test_rules_of_indexes_are_read_where_they_are(project: Project) -> None:
    assert project.load_index_rules() == ()
    create_files(project.root, {"stacks/indexes.toml": b'[[indexes]]\nname = "internal"\nreserved = ["acme-*"]\n'})
    assert project.load_index_rules() == (IndexRule(name="internal", reserved=("acme-*",)),)


def test_folders_that_are_indexes_lie_below_the_project(project: Project) -> None:
    text = b'[[indexes]]\nname = "default"\ncooldown = "7d"\n[[indexes]]\nname = "here"\nfolder = "dists"\n'
    create_files(project.root, {"stacks/indexes.toml": text})
    assert project.index_folders() == (("here", project.root / "dists"),)


def test_constraints_outside_the_folder_of_the_stack_are_refused(project: Project) -> None:
    core = CORE.replace('"3.3.2"', '"3.3.2"\nconstraints = "c.txt"')
    (project.root / "stacks/core/stack.toml").write_text(core)
    (project.root / "stacks/core/c.txt").symlink_to("/etc/passwd")
    with pytest.raises(StackError) as caught:
        project.load_constraints(effective_stack(project.load_stacks(), "core"))
    assert str(caught.value) == (
        "stacks/core/stack.toml: airflow.constraints: no file 'c.txt' beside it\n"
        '  write "official", "none", an https address, or the path of a file in the folder of the stack'
    )


def test_nothing_is_overwritten_and_nothing_written_beside(tmp_path: Path) -> None:
    (tmp_path / "b").write_bytes(b"mine")
    with pytest.raises(IssuesError) as caught:
        create_files(tmp_path, {"a": b"", "b": b"theirs"})
    assert str(caught.value) == f"{tmp_path}/b: is there already\n  name another folder, or move these away"
    assert [(path.name, path.read_bytes()) for path in tmp_path.iterdir()] == [("b", b"mine")]
