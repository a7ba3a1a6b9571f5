"""The graph of a project's locks: each lock is read once, and again where what was kept of it is damaged."""

from __future__ import annotations

from pathlib import Path

import pytest

from builder.errors import LockStaleError
from builder.project import Project
from builder.store.artefacts import DirectoryArtefactStore
from builder.usecase.affected import load_graph
from builder.usecase.lock import lock_stacks
from tests.support.lock_world import AIRFLOW_STACK, CHILD_STACK, World, make_project


@pytest.fixture
def project(tmp_path: Path) -> Project:
    made = make_project(tmp_path / "project", core=AIRFLOW_STACK, child=CHILD_STACK)
    lock_stacks(made, World().tools(made))
    return made


@pytest.fixture
def artefacts(tmp_path: Path) -> DirectoryArtefactStore:
    return DirectoryArtefactStore(tmp_path / "cache", durable=False)


def kept(artefacts: DirectoryArtefactStore) -> dict[Path, int]:
    return {path: path.stat().st_ino for path in (artefacts.root / "artefacts/facts").glob("*/*")}


def test_the_graph_answers_from_locks(project: Project, artefacts: DirectoryArtefactStore) -> None:
    graph = load_graph(project, artefacts)
    assert graph.affected("project:beta").stacks == ("child",)
    assert graph.affected("project:alpha").stacks == ("core", "child")
    assert graph.affected("deb:bash").bases == ("trixie",)
    assert graph.affected("deb:bash").images == ("core", "child")


def test_a_lock_is_read_once(project: Project, artefacts: DirectoryArtefactStore) -> None:
    first = load_graph(project, artefacts)
    before = kept(artefacts)
    assert len(before) == 3
    assert load_graph(project, artefacts).stacks == first.stacks
    assert kept(artefacts) == before


@pytest.mark.parametrize("damage", [b"", b"{}\n", b"\x00" * 80 + b"\n"])
def test_what_was_kept_and_is_damaged_is_read_anew_and_put_right(
    project: Project, artefacts: DirectoryArtefactStore, damage: bytes
) -> None:
    first = load_graph(project, artefacts)
    before = kept(artefacts)
    whole = {path: path.read_bytes() for path in before}
    for path in before:
        path.chmod(0o644)
        path.write_bytes(damage)
    again = load_graph(project, artefacts)
    assert (again.stacks, again.bases) == (first.stacks, first.bases)
    assert {path: path.read_bytes() for path in before} == whole


def test_a_changed_lock_is_read_again(project: Project, artefacts: DirectoryArtefactStore) -> None:
    load_graph(project, artefacts)
    path = project.root / "stacks/core/stack.toml"
    path.write_text(path.read_text().replace("alpha", "gamma"))
    world = World(offers={"apache-airflow": "3.3.2", "alpha": "1.0", "beta": "1.0", "gamma": "3.0"})
    lock_stacks(project, world.tools(project))
    assert load_graph(project, artefacts).affected("project:gamma").versions == {"3.0": ("child", "core")}


def test_a_project_without_locks_says_what_to_do(tmp_path: Path, artefacts: DirectoryArtefactStore) -> None:
    with pytest.raises(LockStaleError, match="no stack has a lock"):
        load_graph(make_project(tmp_path / "empty"), artefacts)
