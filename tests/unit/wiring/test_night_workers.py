"""Workers without a common folder have the same locks when their task begins: by digest, from the service, or not at all."""

from __future__ import annotations

import datetime as dt
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from msgspec.structs import replace

from builder.digest import Digest
from builder.errors import DigestMismatchError, InvalidInputError, LedgerUnavailableError, MissingBlobError
from builder.ledger.events import Locked
from builder.ledger.model import NewDocument, NewEntry
from builder.nightly.journal import Ended
from builder.nightly.model import Begun, Result, Step, StepDone
from builder.project import Project, open_project
from builder.service.ledger import RemoteLedger
from builder.service.nights import RemoteNights
from builder.wiring.night_workers import HandedLocks, HandingWork, locks_of, nodes_below
from tests.support.ledgers import ALICE, make_ledger
from tests.support.lock_world import AIRFLOW_STACK, CHILD_STACK, make_project
from tests.support.service import AppCaller, open_app

DAY = dt.datetime.now(dt.UTC).strftime("%Y%m%d")
NIGHT, SECOND, THIRD, FOURTH = (f"{DAY}.{number}" for number in range(1, 5))
CORE = "pylock.core.toml"
BASE = "base.trixie.toml"


@dataclass(frozen=True, kw_only=True)
class Worker:
    project: Project
    handed: HandedLocks

    def write(self, name: str, text: str) -> str:
        self.project.save_lock(self.project.locks_folder / name, text.encode())
        return str(Digest.of(text.encode()))

    def read(self, name: str) -> str:
        path = self.project.locks_folder / name
        return path.read_text() if path.exists() else ""

    def check_out(self, name: str, text: str) -> None:
        """Have a folder as git gives it: with nothing in it that was handed to it."""
        shutil.rmtree(self.project.root / "build", ignore_errors=True)
        self.write(name, text)

    def begin(self, night: str = NIGHT) -> Begun:
        begun = self.handed.beginning(
            lambda name: Begun(
                night=name, at=1, by="DAG", bases={"core": "trixie", "child": "trixie"}, parents={"child": "core"}
            ),
        )(night)
        with self.handed.shelf.journal(night) as write:
            write(begun)
        self.handed.offer(self.handed.shelf.read(night))
        return begun


@dataclass(frozen=True, kw_only=True)
class Team:
    one: Worker
    other: Worker
    ledger: RemoteLedger
    shelf: RemoteNights
    caller: AppCaller

    def record(self, text: str, base: str, *, stack: str = "core") -> None:
        locked = Locked(
            stack=stack,
            lock=str(Digest.of(text.encode())),
            base="trixie",
            base_lock=str(Digest.of(base.encode())),
            airflow="3.3.2",
        )
        documents = [NewDocument(data=text.encode()), NewDocument(data=base.encode())]
        self.ledger.append([NewEntry(event=locked, documents=documents)], ALICE)


@pytest.fixture
def team(tmp_path: Path) -> Iterator[Team]:
    make_ledger(tmp_path / "ledger.db")
    first = make_project(tmp_path / "one", core=AIRFLOW_STACK, child=CHILD_STACK)
    shutil.copytree(first.root, tmp_path / "other")
    with open_app(tmp_path / "ledger.db", tmp_path / "nights") as caller:
        shelf, ledger = RemoteNights(caller), RemoteLedger(caller)

        def worker(project: Project) -> Worker:
            return Worker(project=project, handed=HandedLocks(project=project, shelf=shelf, ledger=ledger))

        yield Team(
            one=worker(first), other=worker(open_project(tmp_path / "other")), ledger=ledger, shelf=shelf, caller=caller
        )


class Locking:
    """A NightWork whose locks are a text."""

    def __init__(self, worker: Worker, text: str, result: Result = Result.DONE) -> None:
        self._worker, self._text, self._result = worker, text, result

    def do(self, node: str, step: Step) -> StepDone:
        key = self._worker.write(CORE, self._text)
        return StepDone(node=node, step=step, result=self._result, key=key)

    def stands(self, done: StepDone) -> bool:
        return bool(done.key)


def end(team: Team, name: str = NIGHT) -> None:
    with team.shelf.journal(name) as write:
        write(Ended(ended=1))


def lock_core(worker: Worker, text: str, name: str = NIGHT) -> StepDone:
    night = worker.handed.shelf.read(name)
    done = HandingWork(work=Locking(worker, text), handed=worker.handed, night=night).do("stack:core", Step.LOCK)
    with worker.handed.shelf.journal(name) as write:
        write(done)
    return done


def test_what_one_locked_the_other_has_before_its_task(team: Team) -> None:
    team.one.write(CORE, "old")
    team.one.begin()
    team.other.handed.prepare(team.shelf.read(NIGHT), "stack:child")
    assert team.other.read(CORE) == "old"
    lock_core(team.one, "new")
    team.other.handed.prepare(team.shelf.read(NIGHT), "stack:child")
    assert team.other.read(CORE) == "new"
    assert locks_of(team.shelf.read(NIGHT))[CORE] == str(Digest.of(b"new"))


def test_a_task_has_what_it_stands_on_and_no_more(team: Team) -> None:
    team.one.write("pylock.child.toml", "child")
    team.one.write("constraints.core.txt", "constraints")
    team.one.write(CORE, "core")
    team.one.begin()
    team.other.handed.prepare(team.shelf.read(NIGHT), "stack:core")
    assert (team.other.read(CORE), team.other.read("constraints.core.txt")) == ("core", "constraints")
    assert team.other.read("pylock.child.toml") == ""
    begun = team.shelf.read(NIGHT).begun
    assert nodes_below(begun, "stack:child") == ("stack:child", "stack:core", "base:trixie")
    assert nodes_below(begun, "base:trixie") == ("base:trixie",)


def test_a_worker_with_other_stacks_is_refused(team: Team) -> None:
    team.one.begin()
    (team.other.project.stacks_folder / "core/stack.toml").write_text(AIRFLOW_STACK.replace("alpha", "beta"))
    with pytest.raises(InvalidInputError, match="same commit"):
        team.other.handed.prepare(team.shelf.read(NIGHT), "stack:core")


def test_a_night_begins_with_what_the_one_before_left_though_it_is_in_nobodys_git(team: Team) -> None:
    for worker in (team.one, team.other):
        worker.write(CORE, "committed")
    team.one.begin()
    lock_core(team.one, "of the first night")
    end(team)
    team.other.begin(SECOND)
    assert team.other.read(CORE) == "of the first night"
    lock_core(team.other, "of the second night", SECOND)
    end(team, SECOND)
    # A checkout as fresh as on the first night, and a worker that was left behind then, begin alike.
    team.one.begin(THIRD)
    assert team.one.read(CORE) == "of the second night"
    end(team, THIRD)
    team.other.check_out(CORE, "committed")
    team.other.begin(FOURTH)
    assert team.other.read(CORE) == "of the second night"


@pytest.mark.parametrize("change", ["made by hand", "reverted to what once was", ""])
def test_a_lock_that_a_person_changed_since_stays(team: Team, change: str) -> None:
    team.one.write(CORE, "committed")
    team.one.begin()
    lock_core(team.one, "of the night")
    end(team)
    if change:
        team.other.write(CORE, change)
    begun = team.other.begin(SECOND)
    assert team.other.read(CORE) == change
    assert begun.locks.get(CORE, "") == (str(Digest.of(change.encode())) if change else "")


def test_a_revert_of_what_was_committed_stays(team: Team) -> None:
    team.one.write(CORE, "good")
    team.one.begin()
    lock_core(team.one, "bad")
    end(team)
    # What the night left is committed, and the next night begins with it; then it is reverted.
    team.other.check_out(CORE, "bad")
    team.other.begin(SECOND)
    end(team, SECOND)
    team.other.check_out(CORE, "good")
    team.other.begin(THIRD)
    assert team.other.read(CORE) == "good"


def test_a_build_of_somebody_does_not_steer_the_night(team: Team) -> None:
    team.one.write(CORE, "committed")
    team.record("of a branch", "base of a branch")
    team.one.begin()
    assert team.one.read(CORE) == "committed"


def test_a_stack_that_was_taken_away_gets_no_lock_again(team: Team) -> None:
    team.one.begin()
    lock_core(team.one, "of the night")
    end(team)
    shutil.rmtree(team.one.project.stacks_folder / "core")
    team.one.project.stack_lock_path("core").unlink()
    team.one.begin(SECOND)
    assert team.one.read(CORE) == ""


def test_one_that_begins_again_hands_on_what_a_kill_kept_back(team: Team) -> None:
    team.one.write(CORE, "old")
    begun = team.one.handed.beginning(lambda name: Begun(night=name, at=1, by="DAG"))(NIGHT)
    with team.shelf.journal(NIGHT) as write:
        write(begun)
    with pytest.raises(MissingBlobError, match="nowhere"):
        team.other.handed.prepare(team.shelf.read(NIGHT), "stack:core")
    team.one.handed.offer(team.shelf.read(NIGHT))
    team.other.handed.prepare(team.shelf.read(NIGHT), "stack:core")
    assert team.other.read(CORE) == "old"


def test_a_file_that_is_another_is_refused_and_nothing_is_written(team: Team, tmp_path: Path) -> None:
    team.one.write(CORE, "true")
    team.one.begin()
    name = str(Digest.of(b"true")).replace(":", "-")
    with pytest.raises(LedgerUnavailableError, match="is not what it is named for"):
        team.shelf.keep(NIGHT, name, b"forged")
    (tmp_path / "nights" / NIGHT / name).write_bytes(b"forged")
    with pytest.raises(DigestMismatchError):
        team.other.handed.prepare(team.shelf.read(NIGHT), "stack:core")
    assert team.other.read(CORE) == ""


@pytest.mark.parametrize("name", ["../stacks/core/stack.toml", "pylock.core.toml/../../x", "README.md"])
def test_a_name_that_is_no_lock_is_never_written(team: Team, name: str) -> None:
    begun = team.one.begin()
    forged = replace(begun, locks={name: str(Digest.of(b"x"))})
    night = replace(team.shelf.read(NIGHT), begun=forged)
    before = sorted(team.other.project.root.rglob("*"))
    with pytest.raises(InvalidInputError, match="is no lock"):
        team.other.handed.restore(night)
    assert sorted(team.other.project.root.rglob("*")) == before


def test_all_is_as_it_was_when_it_is_restored_and_as_it_is_when_it_is_brought(team: Team) -> None:
    team.one.write(CORE, "old")
    team.one.begin()
    lock_core(team.one, "new")
    night = team.shelf.read(NIGHT)
    team.other.write("pylock.child.toml", "made meanwhile")
    team.other.handed.restore(night)
    assert (team.other.read(CORE), team.other.read("pylock.child.toml")) == ("old", "")
    team.other.handed.bring(night, ["stack:core"])
    assert team.other.read(CORE) == "new"


def test_a_lock_that_failed_is_handed_to_nobody(team: Team) -> None:
    team.one.write(CORE, "old")
    team.one.begin()
    work = HandingWork(
        work=Locking(team.one, "half", Result.FAILED), handed=team.one.handed, night=team.shelf.read(NIGHT)
    )
    assert "files" not in work.do("stack:core", Step.LOCK).facts
