from __future__ import annotations

from pathlib import Path

import pytest

from builder.digest import Digest
from builder.errors import IssuesError, LockStaleError, ResolutionError, StackError
from builder.lock.model import StackLock
from builder.lock.pylock import parse_stack_lock
from builder.platform import AMD64, ARM64
from builder.project import Project
from builder.usecase.lock import ReadBefore, lock_bases, lock_stacks
from builder.usecase.lock_check import check_locks, load_fresh_lock
from builder.usecase.lock_heads import LockHead, LockHeads
from builder.usecase.lock_model import LockOptions
from tests.support.lock_world import AIRFLOW_STACK, CHILD_STACK, World, make_project, read_versions


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return make_project(tmp_path, core=AIRFLOW_STACK, etl=CHILD_STACK)


def read(project: Project, stack: str) -> StackLock:
    return parse_stack_lock(project.stack_lock_path(stack).read_bytes(), file=stack)


def stale(project: Project, *names: str) -> dict[str, tuple[str, ...]]:
    return {state.name: state.reasons for state in check_locks(project, names) if state.reasons}


def edit(path: Path, old: str, new: str) -> None:
    path.write_text(path.read_text(encoding="utf-8").replace(old, new), encoding="utf-8")


def test_all_stacks_and_bases_are_locked_parents_first(project: Project, world: World) -> None:
    report = lock_stacks(project, world.tools(project))
    assert report.bases == ("trixie",)
    assert [change.stack for change in report.stacks] == ["core", "etl"]
    assert [change.count("added") for change in report.stacks] == [2, 3]
    assert report.stale == ()
    assert stale(project) == {}
    assert world.said == [
        "locking base trixie",
        "locking core for linux/amd64 and linux/arm64",
        "locking etl for linux/amd64 and linux/arm64",
    ]


def test_the_resolver_is_asked_for_the_bases_python_and_the_stacks_airflow(project: Project, world: World) -> None:
    lock_stacks(project, world.tools(project), ["core"])
    assert sorted(request.platform for request in world.requests) == [AMD64, ARM64]
    request = world.requests[0]
    assert (request.python_version, request.glibc) == ("3.13.5", "2.41")
    assert request.requirements == ("apache-airflow==3.3.2", "alpha")
    assert request.label == "stacks/core/stack.toml"


def test_the_same_inputs_give_the_same_bytes(project: Project, world: World) -> None:
    lock_stacks(project, world.tools(project))
    first = project.stack_lock_path("etl").read_bytes()
    report = lock_stacks(project, world.tools(project))
    assert project.stack_lock_path("etl").read_bytes() == first
    assert not any(change.changed for change in report.stacks)
    assert report.bases == ()
    assert world.bases_locked == ["trixie"]


def test_a_child_keeps_its_parents_pins_files_and_layers(project: Project, world: World) -> None:
    lock_stacks(project, world.tools(project))
    world.older |= set(world.offers.items())
    world.offers |= {"alpha": "2.0", "beta": "2.0"}
    lock_stacks(project, world.tools(project), ["etl"])
    assert read_versions(project, "etl") == {"apache-airflow": "3.3.2", "alpha": "1.0", "beta": "1.0"}
    lock_stacks(project, world.tools(project), ["etl"], LockOptions(upgrade=True))
    assert read_versions(project, "etl") == {"apache-airflow": "3.3.2", "alpha": "1.0", "beta": "2.0"}
    core, etl = read(project, "core"), read(project, "etl")
    assert etl.plan[: len(core.plan)] == core.plan
    assert etl.parent_lock == Digest.of(project.stack_lock_path("core").read_bytes())
    held = {candidate.project: candidate.wheels for candidate in etl.candidates}
    assert all(held[candidate.project] == candidate.wheels for candidate in core.candidates)


def test_parents_without_a_fresh_lock_are_locked_along(project: Project, world: World) -> None:
    report = lock_stacks(project, world.tools(project), ["etl"])
    assert [change.stack for change in report.stacks] == ["core", "etl"]
    edit(project.root / "stacks/core/stack.toml", '"alpha"', '"alpha", "beta"')
    report = lock_stacks(project, world.tools(project), ["etl"])
    assert [change.stack for change in report.stacks] == ["core", "etl"]
    assert [change.stack for change in lock_stacks(project, world.tools(project), ["etl"]).stacks] == ["etl"]


def test_children_left_out_are_told_to_be_stale(project: Project, world: World) -> None:
    lock_stacks(project, world.tools(project))
    world.offers["alpha"] = "2.0"
    options = LockOptions(upgrade_packages=frozenset({"alpha"}))
    report = lock_stacks(project, world.tools(project), ["core"], options)
    assert report.stale == ("etl",)
    assert [(move.project, move.before, move.after) for move in report.stacks[0].moves] == [("alpha", "1.0", "2.0")]
    assert stale(project) == {"etl": ("parent core was locked again",)}


def test_a_base_locked_again_makes_its_stacks_stale_where_it_moved(project: Project, world: World) -> None:
    lock_stacks(project, world.tools(project))
    assert lock_bases(project, world.tools(project), ["trixie"]).stale == ()
    world.release_date += 86_400
    report = lock_bases(project, world.tools(project), ["trixie"])
    assert (report.bases, report.stale) == (("trixie",), ("core", "etl"))
    assert stale(project, "core") == {"core": ("base trixie was locked again",)}


def test_a_base_is_stale_when_its_file_changed(project: Project, world: World) -> None:
    lock_stacks(project, world.tools(project))
    edit(project.root / "stacks/bases/trixie.toml", '    "sed",\n', '    "sed",\n    "gawk",\n')
    found = stale(project, "core")
    assert found["trixie"] == ("stacks/bases/trixie.toml changed",)
    assert found["core"] == ("base trixie is stale",)


def test_who_wants_what_is_kept(project: Project, world: World) -> None:
    world.offers["gamma"] = "1.0"
    world.requires = {"beta": ("alpha", "gamma")}
    lock_stacks(project, world.tools(project))
    wanted = {candidate.project: candidate.wanted_by for candidate in read(project, "etl").candidates}
    assert wanted == {
        "alpha": ("beta", "stack:core"),
        "apache-airflow": ("stack:core",),
        "beta": ("stack:etl",),
        "gamma": ("beta",),
    }


def test_a_lock_is_dated_by_what_it_holds(project: Project, world: World) -> None:
    lock_stacks(project, world.tools(project))
    assert read(project, "core").created == world.release_date
    world.times = {"beta": "2026-01-02T03:04:05Z"}
    lock_stacks(project, world.tools(project))
    assert read(project, "core").created == world.release_date
    assert read(project, "etl").created == 1_767_323_045


def test_places_of_files_are_remembered_and_not_locked(project: Project, world: World) -> None:
    lock_stacks(project, world.tools(project), ["core"])
    name = "alpha-1.0-py3-none-any.whl"
    assert world.remembered[Digest.of(name.encode())] == (f"https://default.example/files/{name}",)
    text = project.stack_lock_path("core").read_text(encoding="utf-8")
    assert "example" not in text


def test_airflow_that_moved_is_refused_and_nothing_written(project: Project, world: World) -> None:
    world.offers["apache-airflow"] = "3.3.3"
    with pytest.raises(ResolutionError, match=r"apache-airflow came out as 3\.3\.3, while the stack names 3\.3\.2"):
        lock_stacks(project, world.tools(project))
    assert not project.locks_folder.exists()


def test_a_child_that_fails_leaves_all_locks_as_they_were(project: Project, world: World) -> None:
    lock_stacks(project, world.tools(project))
    before = {path.name: path.read_bytes() for path in project.locks_folder.iterdir()}
    world.older.add(("alpha", "1.0"))
    world.offers["alpha"] = "2.0"
    del world.offers["beta"]
    with pytest.raises((KeyError, ResolutionError)):
        lock_stacks(project, world.tools(project), (), LockOptions(upgrade=True))
    assert {path.name: path.read_bytes() for path in project.locks_folder.iterdir()} == before


def test_a_damaged_lock_is_made_again(project: Project, world: World) -> None:
    lock_stacks(project, world.tools(project))
    good = project.stack_lock_path("core").read_bytes()
    project.stack_lock_path("core").write_bytes(b"<<<<<<< HEAD\n" + good)
    assert "cannot be read" in stale(project, "core")["core"][0]
    lock_stacks(project, world.tools(project), ["core"])
    assert project.stack_lock_path("core").read_bytes() == good


def test_files_of_a_stack_are_locked_and_kept(project: Project, world: World) -> None:
    for stack, path, text in (("core", "opt/a", "core"), ("core", "opt/b", "core"), ("etl", "opt/b", "etl")):
        file = project.root / "stacks" / stack / "files" / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
    tools = world.tools(project)
    lock_stacks(project, tools)
    found = {path: tools.files.read(file).decode() for path, file in read(project, "etl").files}
    assert found == {"opt/a": "core", "opt/b": "etl"}
    (project.root / "stacks/etl/files/opt/b").write_text("new", encoding="utf-8")
    assert stale(project) == {"etl": ("files/ changed",)}


def test_a_constraints_file_binds_but_for_divergences(tmp_path: Path, world: World) -> None:
    text = AIRFLOW_STACK.replace('"none"', '"constraints.txt"')
    text += (
        '[[divergences]]\nproject = "Beta"\nspecifier = "<3"\nreason = "r"\nowner = "team:x"\nexpires = 2027-03-31\n'
    )
    project = make_project(tmp_path, core=text)
    constraints = tmp_path / "stacks/core/constraints.txt"
    constraints.write_text("# generated\n\nalpha==1.0  # pinned\nbeta==2.0\n", encoding="utf-8")
    lock_stacks(project, world.tools(project))
    assert world.requests[0].constraints == ("alpha==1.0", "beta<3")
    assert read(project, "core").constraints == Digest.of(constraints.read_bytes())
    constraints.write_text("alpha==1.0\n", encoding="utf-8")
    assert stale(project) == {"core": ("the constraints changed",)}


def test_a_constraints_file_with_anything_else_is_refused(tmp_path: Path, world: World) -> None:
    project = make_project(tmp_path, core=AIRFLOW_STACK.replace('"none"', '"constraints.txt"'))
    (tmp_path / "stacks/core/constraints.txt").write_text("-r other.txt\n", encoding="utf-8")
    with pytest.raises(
        IssuesError, match=r"stacks/core/constraints\.txt: line 1: '-r other.txt' is no project==version"
    ):
        lock_stacks(project, world.tools(project))


def test_without_the_fetched_constraints_nothing_is_locked(tmp_path: Path, world: World) -> None:
    project = make_project(tmp_path, core=AIRFLOW_STACK.replace('"none"', '"official"'))
    with pytest.raises(StackError, match="is not there") as caught:
        lock_stacks(project, world.tools(project))
    assert caught.value.context == "locks/constraints.3.3.2-py3.13.txt"
    assert world.requests == []


def test_an_unknown_stack_is_refused(project: Project, world: World) -> None:
    with pytest.raises(StackError, match="no stack 'ectl'"):
        lock_stacks(project, world.tools(project), ["ectl"])


def test_a_fresh_lock_is_read_and_a_stale_one_refused(project: Project, world: World) -> None:
    with pytest.raises(LockStaleError, match="it has no lock"):
        load_fresh_lock(project, "etl")
    lock_stacks(project, world.tools(project))
    lock, base = load_fresh_lock(project, "etl")
    assert (lock.stack, base.name) == ("etl", "trixie")
    edit(project.root / "stacks/etl/stack.toml", '"beta"', '"beta<2"')
    with pytest.raises(LockStaleError, match=r"stack etl: stack\.toml") as caught:
        load_fresh_lock(project, "etl")
    assert caught.value.hint == "airflow-kubler lock etl"


class CountedHeads(LockHeads):
    """Heads that count how often a lock is asked about."""

    def __init__(self) -> None:
        super().__init__()
        self.files: list[str] = []

    def read(self, data: bytes, digest: Digest, *, file: str) -> LockHead:
        self.files.append(file)
        return super().read(data, digest, file=file)


def test_who_locks_stack_after_stack_reads_the_files_of_all_stacks_once(project: Project, world: World) -> None:
    known = ReadBefore(stacks=project.load_stacks(), heads=LockHeads())
    (project.stacks_folder / "etl" / "stack.toml").write_text("no TOML", encoding="utf-8")
    assert lock_stacks(project, world.tools(project), ["core"], known=known).stacks[0].changed
    with pytest.raises(IssuesError, match="TOML"):
        lock_stacks(project, world.tools(project), ["core"])


def test_of_other_locks_only_those_of_parents_are_looked_at(tmp_path: Path, world: World) -> None:
    project = make_project(tmp_path / "many", core=AIRFLOW_STACK, etl=CHILD_STACK, other=CHILD_STACK)
    lock_stacks(project, world.tools(project))
    heads = CountedHeads()
    known = ReadBefore(stacks=project.load_stacks(), heads=heads)
    for name in ("core", "etl", "other"):
        assert not lock_stacks(project, world.tools(project), [name], known=known).stacks[0].changed
    assert set(heads.files) == {"locks/pylock.core.toml"}


def test_a_parent_that_was_locked_again_meanwhile_is_looked_at_anew(project: Project, world: World) -> None:
    lock_stacks(project, world.tools(project))
    known = ReadBefore(stacks=project.load_stacks(), heads=LockHeads())
    lock_stacks(project, world.tools(project), ["etl"], known=known)
    edit(project.stack_lock_path("core"), "alpha", "omega")
    report = lock_stacks(project, world.tools(project), ["etl"], known=known)
    assert [change.stack for change in report.stacks] == ["core", "etl"]
