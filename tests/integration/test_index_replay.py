"""What `lock` asks of an index the second time, and that it gives the same bytes: again, elsewhere, and from a snapshot."""

from __future__ import annotations

import hashlib
import shutil
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from builder.lock.base import parse_base_lock
from builder.wiring.stores import make_file_store
from tests.conftest import Kubler, fetch_files
from tests.support.index_project import STACK, IndexProject, make_index_project
from tests.support.index_server import Index, PageStyle, Said, serve
from tests.support.sdists import make_backend_sdist

PROJECTS = {"apache-airflow", "alpha", "beta"}


@pytest.fixture
def index() -> Iterator[Index]:
    """An index as PyPI is one: sizes, hashes, times, and metadata beside the files; `alpha` needs `beta`."""
    with serve(make_index(Said(metadata=True))) as served:
        yield served


@pytest.fixture
def project(tmp_path: Path, index: Index) -> IndexProject:
    """A project that asks for `alpha`."""
    return ask(make_index_project(tmp_path, [("default", index)]))


def make_index(said: Said, style: PageStyle | None = None) -> Index:
    """Make an index that says so much of its files."""
    made = Index(style=style or PageStyle())
    made.offer("apache-airflow", "3.3.2", said=said)
    made.offer("alpha", "1.0", "beta>=1", said=said)
    made.offer("beta", "1.0", said=said)
    made.offer("beta", "1.5", said=said)
    return made


def ask(project: IndexProject) -> IndexProject:
    """Write the stack."""
    project.ask_for("alpha")
    return project


def statuses(index: Index, kind: str) -> Counter[int]:
    """Count the answers below a folder of the index."""
    return Counter(status for path, status in index.answered if path.startswith(f"/{kind}/"))


@pytest.mark.parametrize("style", [PageStyle(), PageStyle(max_age_s=60), PageStyle(max_age_s=60, etag=True)])
def test_a_second_lock_asks_nothing_while_pages_are_fresh(
    project: IndexProject, index: Index, style: PageStyle
) -> None:
    index.style = style
    first = project.relock()
    assert index.projects_asked() == PROJECTS
    index.forget()
    assert project.relock() == first
    assert project.relock("--upgrade") == first
    project.lock_path.unlink()
    assert project.relock() == first
    assert index.asked == []


@pytest.mark.parametrize(("etag", "status"), [(True, 304), (False, 200)])
def test_a_stale_page_costs_one_question_and_with_an_entity_tag_a_conditional_one(
    project: IndexProject, index: Index, *, etag: bool, status: int
) -> None:
    index.style = PageStyle(max_age_s=0, etag=etag)
    first = project.relock()
    for _ in range(2):
        index.forget()
        assert project.relock() == first
        assert Counter(index.answered) == Counter((f"/simple/{name}/", status) for name in PROJECTS)
    index.forget()
    index.offer("beta", "1.6", said=Said(metadata=True))
    project.run("lock", STACK, "--upgrade")
    assert project.versions() == {"alpha": "1.0", "beta": "1.6"}
    assert statuses(index, "simple") == ({304: 2, 200: 1} if etag else {200: 3})


def test_refresh_asks_for_each_page_once(project: IndexProject, index: Index) -> None:
    index.style = PageStyle(max_age_s=3600, etag=True)
    first = project.relock()
    index.forget()
    assert project.relock("--refresh") == first
    assert Counter(index.answered) == Counter((f"/simple/{name}/", 304) for name in PROJECTS)


@pytest.mark.parametrize("said", [Said(metadata=True), Said(), Said(sized=False), Said(sized=False, metadata=True)])
def test_metadata_is_never_fetched_twice(tmp_path: Path, said: Said) -> None:
    with serve(make_index(said, PageStyle(max_age_s=0))) as index:
        project = ask(make_index_project(tmp_path, [("default", index)]))
        first = project.relock()
        asked = Counter(path for path, _ in index.answered if path.startswith("/files/"))
        if said.metadata and said.sized:
            assert all(path.endswith(".whl.metadata") for path in asked)
            assert set(asked.values()) == {1}
        assert project.relock() == first
        assert project.relock("--refresh", "--upgrade") == first
        project.lock_path.unlink()
        assert project.relock() == first
        assert Counter(path for path, _ in index.answered if path.startswith("/files/")) == asked


@pytest.mark.parametrize(
    ("said", "style"),
    [
        (Said(sized=False), PageStyle()),
        (Said(hashed=False, metadata=True), PageStyle()),
        (Said(hashed=False, sized=False), PageStyle()),
        (Said(hashed=False, sized=False), PageStyle(html=True)),
        (Said(), PageStyle(html=True)),
    ],
)
def test_what_a_mirror_does_not_say_is_found_out(tmp_path: Path, said: Said, style: PageStyle) -> None:
    with serve(make_index(said, style)) as index:
        project = ask(make_index_project(tmp_path, [("default", index)]))
        first = project.relock()
        assert project.versions() == {"alpha": "1.0", "beta": "1.5"}
        for candidate in project.lock.candidates:
            for file in candidate.wheels.values():
                data = index.files[candidate.project][file.name]
                assert (file.size, file.sha256.hex) == (len(data), hashlib.sha256(data).hexdigest())
        assert project.relock("--refresh") == first


def test_mirrors_that_say_more_or_less_give_the_same_candidates(tmp_path: Path) -> None:
    found = set()
    for number, said in enumerate((Said(metadata=True), Said(), Said(hashed=False, sized=False))):
        with serve(make_index(said)) as index:
            found.add(ask(make_index_project(tmp_path / str(number), [("default", index)])).relock())
    assert len(found) == 1


def test_locking_again_without_change_changes_no_byte(project: IndexProject) -> None:
    first = project.relock()
    before = {path: path.read_bytes() for path in project.files() if path.is_relative_to(project.folder)}
    for options in ([], ["--refresh"], ["--upgrade"], ["--upgrade-package", "beta"]):
        assert project.relock(*options) == first
    assert {path: path.read_bytes() for path in project.files() if path.is_relative_to(project.folder)} == before


def test_folder_time_zone_language_and_hash_seed_leave_no_trace(tmp_path: Path, index: Index) -> None:
    found = set()
    for name, settings in {
        "here": {"TZ": "UTC", "LC_ALL": "C", "PYTHONHASHSEED": "0", "LANG": "C"},
        "ein anderer Ort": {"TZ": "Pacific/Kiritimati", "LC_ALL": "tr_TR.UTF-8", "PYTHONHASHSEED": "4242"},
        "ü": {"TZ": "America/St_Johns", "LANG": "de_DE.UTF-8", "PYTHONUTF8": "1", "COLUMNS": "40"},
    }.items():
        project = make_index_project(tmp_path / name, [("default", index)]).with_settings(**settings)
        project.ask_for("alpha", rules='[resolution]\ncooldown = "1d"\nas-of = 2026-06-01\n')
        found.add(project.relock())
    assert len(found) == 1


@pytest.mark.parametrize("said", [Said(metadata=True), Said(), Said(sized=False), Said(hashed=False, sized=False)])
def test_a_snapshot_gives_the_same_lock_without_the_index(tmp_path: Path, said: Said) -> None:
    with serve(make_index(said)) as index:
        project = ask(make_index_project(tmp_path, [("default", index)]))
        first = project.relock()
        (snapshot,) = project.snapshots()
        index.offer("beta", "1.6")
        index.style = PageStyle(max_age_s=0)
        assert project.relock("--refresh", "--upgrade") != first
        assert len(project.snapshots()) == 2
    project.lock_path.unlink()
    assert project.relock("--snapshot", snapshot["id"]) == first
    assert project.relock("--snapshot", snapshot["id"][:8], "--upgrade") == first
    assert project.relock("--snapshot", "latest", "--upgrade") != first


@pytest.mark.parametrize("said", [Said(metadata=True), Said(), Said(sized=False), Said(hashed=False, sized=False)])
def test_a_packed_snapshot_gives_the_same_lock_on_an_empty_cache(tmp_path: Path, said: Said) -> None:
    packed = tmp_path / "night.tar"
    with serve(make_index(said)) as index:
        project = ask(make_index_project(tmp_path, [("default", index)]))
        first = project.relock()
        project.run("snapshot", "pack", "latest", packed)
    other = project.with_home(tmp_path / "other")
    assert "3 projects, 3 wheels" in other.run("snapshot", "unpack", packed).stdout
    assert other.relock("--snapshot", "latest") == first
    other.lock_path.unlink()
    assert other.relock("--snapshot", "latest") == first
    shutil.rmtree(other.home)
    assert "no snapshot" in other.with_home(other.home).run("lock", STACK, "--snapshot", "latest", status=3).stderr


def test_what_a_snapshot_does_not_hold_is_an_error(project: IndexProject, index: Index) -> None:
    project.relock()
    index.offer("gamma", "1.0")
    index.forget()
    project.ask_for("alpha", "gamma")
    said = project.run("lock", STACK, "--snapshot", "latest", status=4)
    assert "the snapshot does not say whether index 'default' has gamma" in said.stderr
    assert index.asked == []


@pytest.fixture
def with_debs(project: IndexProject, kubler: Kubler) -> IndexProject:
    """The same project, with the base's debs in its cache: builds run in a root folder made of them."""
    fetch_files(kubler, "core")
    base = parse_base_lock((project.folder / "locks/base.trixie.toml").read_bytes(), file="base")
    for deb in base.debs:
        name = deb.file.sha256.hex
        target = project.cache / "files/sha256" / name[:2] / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.symlink_to(make_file_store().path(deb.file.sha256))
    return project


@pytest.mark.slow
@pytest.mark.network
@pytest.mark.parametrize("said", [Said(metadata=True), Said(hashed=False, sized=False)])
def test_a_snapshot_gives_the_same_lock_of_a_stack_with_an_sdist_on_an_empty_cache(
    with_debs: IndexProject, index: Index, tmp_path: Path, said: Said
) -> None:
    project, packed = with_debs, tmp_path / "night.tar"
    index.offer("maker", "1.0", said=said)
    index.add("demo-1.0.tar.gz", make_backend_sdist("import maker", requires="maker>=1"), said)
    project.ask_for("alpha", "demo==1.0")
    first = project.relock()
    (demo,) = (candidate for candidate in project.lock.candidates if candidate.project == "demo")
    assert demo.built
    assert [(name, version) for name, version, _ in demo.built.requires] == [("maker", "1.0")]
    assert project.relock("--refresh") == first
    project.run("snapshot", "pack", "latest", packed)
    index.offer("maker", "2.0", said=said)
    project.lock_path.unlink()
    assert project.relock("--refresh") != first
    # Nothing may come from there any more: everything is refused.
    index.login = "nobody:knows"
    project.lock_path.write_bytes(first)
    other = project.with_home(tmp_path / "other")
    other.run("snapshot", "unpack", packed)
    index.forget()
    for user in (project, other):
        oldest = user.snapshots()[-1]["id"]
        assert user.relock("--snapshot", oldest) == first
        user.lock_path.unlink()
        assert user.relock("--snapshot", oldest) == first
        assert user.relock("--snapshot", oldest, "--upgrade") == first
    assert index.asked == []
