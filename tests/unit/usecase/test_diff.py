from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner

from builder.cli.diff_view import comparison_to_dict, render_markdown, render_text
from builder.cli.root import root
from builder.digest import Digest
from builder.errors import InvalidInputError
from builder.lock.base import parse_base_lock
from builder.lock.pylock import dump_stack_lock
from builder.project import Project
from builder.usecase.diff import Comparison, Side, compare_sides, open_side
from tests.support.stack_locks import make_candidate, make_lock
from tests.support.tools import ROOT

BASE = ROOT / "locks/base.trixie.toml"


def no_revision(revision: str, path: str) -> bytes | None:
    del revision, path
    return None


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """A project with the locks of two stacks, on a shipped base."""
    (tmp_path / "locks").mkdir()
    (tmp_path / "stacks").mkdir()
    (tmp_path / "locks/base.trixie.toml").write_bytes(BASE.read_bytes())
    base_lock = Digest.of(BASE.read_bytes())
    one = make_lock(make_candidate("alpha", "1.0"), make_candidate("beta", "1.0"), base_lock=base_lock)
    two = make_lock(make_candidate("alpha", "1.1"), make_candidate("beta", "1.0"), base_lock=base_lock)
    (tmp_path / "locks/pylock.one.toml").write_bytes(dump_stack_lock(replace(one, stack="one")))
    (tmp_path / "locks/pylock.two.toml").write_bytes(dump_stack_lock(replace(two, stack="two")))
    return Project(root=tmp_path)


def compare(project: Project, one: str = "one", two: str = "two") -> Comparison:
    return compare_sides(open_side(project, one, no_revision), open_side(project, two, no_revision))


def test_a_layer_is_pulled_again_only_where_its_content_differs(project: Project) -> None:
    found = compare(project)
    assert [(pull.platform.name, len(pull.layers), pull.held) for pull in found.pulls] == [
        ("linux/amd64", 1, 3),
        ("linux/arm64", 1, 3),
    ]
    assert found.pulls[0].measured == "estimate"
    wheels = [candidate.wheels["linux/amd64"].size for candidate in found.after.lock.candidates]
    assert found.pulls[0].size == sum(wheels)


def test_another_python_moves_every_layer_of_distributions(project: Project) -> None:
    side = open_side(project, "one", no_revision)
    base = parse_base_lock(BASE.read_bytes(), file="base")
    newer = Side(label="x", lock=side.lock, digest=side.digest, base=replace(base, python_version="3.13.6"))
    pulled = {layer.name for layer in compare_sides(side, newer).pulls[0].layers}
    assert {"etl-one", "python"} <= pulled
    assert "base" not in pulled


def test_without_the_base_lock_of_the_lock_nothing_is_said_of_layers(project: Project) -> None:
    (project.root / "locks/base.trixie.toml").write_bytes(BASE.read_bytes().replace(b"3.13.5", b"3.13.6", 1))
    found = compare(project)
    assert found.pulls == ()
    assert "what a node pulls again is unknown" in render_text(found)


def test_sides_are_stacks_files_and_revisions(project: Project) -> None:
    data = (project.root / "locks/pylock.one.toml").read_bytes()
    files = {("v1", "locks/pylock.two.toml"): data, ("v1", "locks/base.trixie.toml"): BASE.read_bytes()}

    def revision(commit: str, path: str) -> bytes | None:
        return files.get((commit, path))

    for text in ("one", str(project.root / "locks/pylock.one.toml"), "two@v1", "v1:locks/pylock.two.toml"):
        side = open_side(project, text, revision)
        assert (side.label, side.digest, side.lock.stack) == (text, Digest.of(data), "one")
        assert side.base is not None
    with pytest.raises(InvalidInputError, match="names no lock"):
        open_side(project, "two@v2", revision)


def test_markdown_has_a_row_for_each_change(project: Project) -> None:
    text = render_markdown(compare(project))
    assert text.startswith("### `one` → `two`\n\n1 moved; 1 unchanged;")
    assert "| `alpha` | 1.0 | 1.1 | up minor |" in text


def test_json_names_locks_changes_and_pulls(project: Project) -> None:
    value = comparison_to_dict(compare(project))
    assert value["differs"] is True
    assert [(row["project"], row["kind"], row["step"]) for row in value["candidates"]] == [("alpha", "up", "minor")]
    assert value["pulls"][0]["measured"] == "estimate"


def test_the_exit_code_tells_a_difference_only_when_asked(project: Project) -> None:
    def run(*args: str) -> int:
        return CliRunner().invoke(root, ["--project", str(project.root), "diff", *args]).exit_code

    assert run("one", "two") == 0
    assert run("one", "two", "--exit-code") == 1
    assert run("one", "one", "--exit-code") == 0
    assert run("one", "three") == 3
