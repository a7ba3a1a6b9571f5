"""examples/builder: what the program is packed into is a function of its content, and the rest follows the shipped stacks."""

from __future__ import annotations

import io
import os
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path
from typing import Any

import pytest

from tests.support.tools import ROOT, give_up

EXAMPLE = ROOT / "examples/builder"
SDIST = "airflow_kubler-0.1.0.zip"
ADDED = {"debian-archive-keyring", "git", "gpgv"}
"""Debian packages that a night runs."""


def git(folder: Path, *words: str) -> str:
    who = {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1"}
    for part in ("AUTHOR", "COMMITTER"):
        who |= {f"GIT_{part}_NAME": "x", f"GIT_{part}_EMAIL": "x@example.org"}
    argv = ["git", "-C", str(folder), *words]
    return subprocess.run(argv, env={**os.environ, **who}, check=True, capture_output=True, text=True).stdout


def pack(clone: Path, folder: Path, *, status: int = 0, umask: int = -1, **variables: str) -> str:
    argv = [sys.executable, str(clone / "examples/builder/pack.py"), str(folder)]
    environment = {**os.environ, **variables}
    done = subprocess.run(argv, env=environment, umask=umask, capture_output=True, text=True, check=False)
    assert done.returncode == status, done.stderr
    return done.stderr


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """A clone of this project as it is committed, with this very pack.py."""
    if not (ROOT / ".git").exists():
        give_up("what is committed is packed, and this is no clone")
    folder = tmp_path / "clone"
    git(tmp_path, "clone", "--quiet", "--shared", str(ROOT), str(folder))
    (folder / "examples/builder").mkdir(parents=True, exist_ok=True)
    (folder / "examples/builder/pack.py").write_bytes((EXAMPLE / "pack.py").read_bytes())
    return folder


def test_same_content_is_the_same_bytes_wherever_whenever_and_by_whomever_it_is_packed(
    clone: Path, tmp_path: Path
) -> None:
    pack(ROOT, tmp_path / "here")
    (clone / "docs/new.md").write_text("A page.\n")
    git(clone, "add", "docs/new.md")
    git(clone, "commit", "--quiet", "--date=2001-01-01T00:00:00Z", "--message=a page is no part of the program")
    (clone / "builder/cli/root.py").write_text("what is not committed is not packed")
    (tmp_path / "home").mkdir()
    (tmp_path / "home/.gitconfig").write_text("[tar]\n\tumask = 0077\n[core]\n\tautocrlf = false\n")
    pack(clone, tmp_path / "there", umask=0o077, TZ="Pacific/Auckland", HOME=str(tmp_path / "home"))
    first, second = ((tmp_path / part / SDIST).read_bytes() for part in ("here", "there"))
    assert first == second


def test_another_program_is_another_sdist_in_place_of_the_one_before(clone: Path, tmp_path: Path) -> None:
    folder = tmp_path / "dists"
    pack(clone, folder)
    before = (folder / SDIST).read_bytes()
    (folder / "airflow_kubler-0.0.1.zip").write_bytes(b"old")
    (clone / "builder/py.typed").write_text("changed\n")
    git(clone, "commit", "--quiet", "--all", "--message=change")
    pack(clone, folder)
    assert [path.name for path in folder.iterdir()] == [SDIST]
    assert (folder / SDIST).read_bytes() != before


def test_the_sdist_holds_all_that_the_program_is_and_what_links_lead_to(tmp_path: Path) -> None:
    if not (ROOT / ".git").exists():
        give_up("what is committed is packed, and this is no clone")
    pack(ROOT, tmp_path)
    with zipfile.ZipFile(io.BytesIO((tmp_path / SDIST).read_bytes())) as archive:
        names = {name.partition("/")[2] for name in archive.namelist()}
        assert (
            archive.read("airflow_kubler-0.1.0/builder/bases/trixie.toml")
            == git(ROOT, "show", "HEAD:stacks/bases/trixie.toml").encode()
        )
    committed = git(ROOT, "ls-tree", "-r", "--name-only", "HEAD", "builder", "pyproject.toml").split()
    assert set(committed) - {"builder/bases"} <= names


def test_a_link_that_leads_to_what_is_not_packed_is_told(clone: Path, tmp_path: Path) -> None:
    (clone / "builder/astray").symlink_to("../docs")
    git(clone, "add", "builder/astray")
    git(clone, "commit", "--quiet", "--message=link")
    assert pack(clone, tmp_path / "dists", status=1) == (
        "builder/astray leads to docs, which is not packed: add it to PARTS\n"
    )


def read(path: str) -> dict[str, Any]:
    return tomllib.loads((ROOT / path).read_text())


def test_its_base_is_trixie_with_what_a_night_runs() -> None:
    shipped, ours = read("stacks/bases/trixie.toml"), read("examples/builder/stacks/bases/trixie-builder.toml")
    assert set(ours["debian"].pop("roots")) == {*shipped["debian"].pop("roots"), *ADDED}
    assert ours["debian"] == shipped["debian"]
    assert ours["python"] == shipped["python"]
    assert [cut for cut in ours["cuts"] if cut in shipped["cuts"]] == shipped["cuts"]
    assert [file for file in ours["files"] if file in shipped["files"]] == shipped["files"]
    assert [file["path"] for file in ours["files"] if file not in shipped["files"]] == [
        "etc/gitconfig",
        "srv/stacks",
        "srv/cache",
    ]


def test_it_holds_the_airflow_and_the_providers_of_core() -> None:
    shipped, ours = read("stacks/core/stack.toml"), read("examples/builder/stacks/builder/stack.toml")
    assert ours["airflow"] == shipped["airflow"]
    providers = {text for text in shipped["plugins"]["requirements"] if text.startswith("apache-airflow-")}
    assert providers <= set(ours["plugins"]["requirements"])


BASES = ("$(addprefix --base ,$(BUILDER_BASES))", "--base trixie-builder")


def test_its_page_tells_what_make_does() -> None:
    recipe = (ROOT / "Makefile").read_text().partition("\nbuilder:")[2].partition("\n\n")[0].splitlines()[1:]
    said = "\n".join(line.strip() for line in recipe)
    for name, value in (("$(BIN)/", ""), ("$(KUBLER)", "airflow-kubler"), ("$(BUILDER)", "examples/builder"), BASES):
        said = said.replace(name, value)
    block = (EXAMPLE / "README.md").read_text().split("```sh\n")[2].partition("```")[0]
    assert [line.partition("#")[0].rstrip() for line in block.splitlines()] == said.splitlines()
