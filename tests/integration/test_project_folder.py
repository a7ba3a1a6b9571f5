"""Wheels in a folder of the project: locked, fetched and kept apart from indexes, whoever's settings hold."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from builder.digest import Digest
from tests.support.index_project import STACK, IndexProject, make_index_project
from tests.support.index_server import Index, Said, make_wheel, serve

HERE = '[[indexes]]\nname = "here"\nfolder = "dists"\n'
RESERVED = f'{HERE}reserved = ["acme-*"]\n'
WHEEL = "acme_tools-1.0-py3-none-any.whl"
FIRST, SECOND = (make_wheel("acme-tools", "1.0", (needed,)) for needed in ("alpha", "beta"))


@pytest.fixture
def index() -> Iterator[Index]:
    """An index with Airflow, and two projects that the wheels ask for."""
    made = Index()
    for project, version in (("apache-airflow", "3.3.2"), ("alpha", "1.0"), ("beta", "1.0")):
        made.offer(project, version)
    with serve(made) as served:
        yield served


@pytest.fixture
def project(tmp_path: Path, index: Index) -> IndexProject:
    """A project that asks for what lies in its own folder."""
    made = make_index_project(tmp_path, [("default", index)])
    (made.folder / "dists").mkdir()
    (made.folder / "dists" / WHEEL).write_bytes(FIRST)
    made.ask_for("acme-tools", indexes=RESERVED)
    return made


def locked(project: IndexProject) -> tuple[str, str | None]:
    """Read the hash of the locked wheel, and the index that it is from."""
    [candidate] = [one for one in project.lock.candidates if one.project == "acme-tools"]
    return candidate.wheels["linux/amd64"].sha256.hex, candidate.index


def test_a_wheel_of_the_folder_is_locked_by_hash_and_no_path_of_the_machine(project: IndexProject) -> None:
    data = project.relock()
    assert locked(project) == (Digest.of(FIRST).hex, "here")
    assert project.versions() == {"acme-tools": "1.0", "alpha": "1.0"}
    assert str(project.folder).encode() not in data
    assert b"file:" not in data
    assert "stack finance: fresh" in project.run("lock", "--check").stdout


def test_whoever_locks_and_wherever_gives_the_same_lock(project: IndexProject, index: Index, tmp_path: Path) -> None:
    first = project.relock()
    links = tmp_path / "links"
    links.mkdir()
    for number, settings in enumerate(
        (
            {"PIP_INDEX_URL": index.simple},
            {"PIP_INDEX_URL": index.simple, "PIP_FIND_LINKS": str(links)},
            {"UV_DEFAULT_INDEX": index.simple, "UV_FIND_LINKS": str(links), "UV_INDEX_STRATEGY": "unsafe-best-match"},
        )
    ):
        (tmp_path / str(number)).mkdir()
        other = replace(make_index_project(tmp_path / str(number), [("default", index)]), settings=settings)
        for part in ("dists", "stacks"):
            shutil.copytree(project.folder / part, other.folder / part, dirs_exist_ok=True)
        assert other.relock() == first


def test_a_namesake_on_an_index_is_never_taken(project: IndexProject, index: Index) -> None:
    index.offer("acme-tools", "9.0")
    project.relock()
    assert locked(project) == (Digest.of(FIRST).hex, "here")
    assert "acme-tools" not in index.projects_asked()


def test_without_its_file_a_reserved_name_is_to_be_had_nowhere(project: IndexProject, index: Index) -> None:
    index.offer("acme-tools", "9.0")
    (project.folder / "dists" / WHEEL).unlink()
    assert "no index has a project acme-tools" in project.run("lock", STACK, status=1).flat


def test_a_folder_that_is_not_there_is_told(project: IndexProject) -> None:
    project.ask_for("acme-tools", indexes=RESERVED.replace("dists", "gone"))
    said = project.run("lock", STACK, status=4).flat
    assert "the folder of index 'here' is not there" in said
    assert "take it out of stacks/indexes.toml, or make the folder" in said


def test_a_wheel_that_is_replaced_under_its_name_is_another_one(project: IndexProject) -> None:
    first = project.relock()
    assert project.relock() == first
    (project.folder / "dists" / WHEEL).write_bytes(SECOND)
    project.relock()
    assert locked(project) == (Digest.of(SECOND).hex, "here")
    assert project.versions() == {"acme-tools": "1.0", "beta": "1.0"}


def test_rules_of_time_hold_for_indexes_and_not_for_the_folder(project: IndexProject, index: Index) -> None:
    index.offer("alpha", "2.0", said=Said(uploaded="2999-01-01T00:00:00Z"))
    project.ask_for("acme-tools", rules='[resolution]\nas-of = 2026-06-01\ncooldown = "7d"\n')
    project.relock()
    assert project.versions() == {"acme-tools": "1.0", "alpha": "1.0"}


def test_fetch_takes_the_very_bytes_that_are_locked_from_the_folder(project: IndexProject, tmp_path: Path) -> None:
    project.relock()
    elsewhere = project.with_home(tmp_path / "another")
    (project.folder / "dists" / WHEEL).write_bytes(SECOND)
    said = elsewhere.run("fetch", STACK, "--json", status=4).stdout
    assert WHEEL in said
    (project.folder / "dists" / WHEEL).write_bytes(FIRST)
    elsewhere.run("fetch", STACK)
    [name] = (project.folder / "locks/files").rglob(WHEEL)
    assert name.read_bytes() == FIRST


def test_a_snapshot_answers_for_the_folder_too(project: IndexProject) -> None:
    first = project.relock()
    [taken] = project.snapshots()
    project.lock_path.unlink()
    (project.folder / "dists" / WHEEL).unlink()
    assert project.relock("--snapshot", taken["id"]) == first


@pytest.mark.parametrize("strategy", ["first-index", "unsafe-best-match"])
def test_a_wheel_that_is_replaced_in_a_find_links_folder_is_another_one_too(
    project: IndexProject, tmp_path: Path, strategy: str
) -> None:
    links = tmp_path / "links"
    links.mkdir()
    (project.folder / "stacks/indexes.toml").unlink()
    settled = project.with_settings(UV_FIND_LINKS=str(links), UV_INDEX_STRATEGY=strategy)
    for wheel, needed in ((FIRST, "alpha"), (SECOND, "beta")):
        (links / WHEEL).write_bytes(wheel)
        settled.relock()
        assert locked(settled)[0] == Digest.of(wheel).hex
        assert settled.versions() == {"acme-tools": "1.0", needed: "1.0"}
