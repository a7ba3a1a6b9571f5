from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from builder.errors import StackError
from builder.project import open_project
from builder.resolve.core import Budget
from builder.resolve.problem import Solved
from builder.resolve.relax import Proof
from builder.stack.model import Divergence
from builder.usecase.diverge import Proposal, accept, find_droppable, propose
from tests.support.made_up_session import Asked, made_up_session
from tests.support.memory_snapshots import MadeUpUpstream

EXPIRES = dt.date(2027, 3, 31)
PLENTY = Budget(solves=200)


def _world() -> MadeUpUpstream:
    made = MadeUpUpstream()
    made.offer("apache-airflow", "3.3.2")
    made.offer("client", "1.0", "protobuf<5")
    made.offer("client", "2.0", "protobuf>=5")
    for version in ("4.25.3", "5.26.0", "5.29.1"):
        made.offer("protobuf", version)
    made.offer("dbt-core", "1.9.4", "protobuf>=5,<6", "client")
    return made


def _divergence(project: str, specifier: str) -> Divergence:
    return Divergence(project=project, specifier=specifier, reason="told", owner="team:etl", expires=EXPIRES)


def _propose(folder: Path, requirements: Sequence[str], tested: Mapping[str, str]) -> Proposal | None:
    with made_up_session(folder, _world(), Asked(requirements=requirements, tested=tested)) as session:
        return propose(session, budget=PLENTY, expires=EXPIRES)


def _droppable(
    folder: Path, requirements: Sequence[str], tested: Mapping[str, str], *rows: Divergence
) -> Sequence[str]:
    asked = Asked(requirements=requirements, tested=tested, divergences=rows)
    with made_up_session(folder, _world(), asked) as session:
        stated = replace(session.stacks["finance"], divergences=rows)
        solved = session.solver.solve(session.problem)
        assert isinstance(solved, Solved)
        return find_droppable(replace(session, stacks={"finance": stated}), solved)


def test_a_proposal_names_who_needs_each_step(tmp_path: Path) -> None:
    found = _propose(tmp_path, ["dbt-core==1.9.4"], {"protobuf": "4.25.3", "client": "1.0"})
    assert found is not None
    assert [(row.project, row.specifier, row.reason) for row in found.divergences] == [
        ("client", "==2.0", "the tested client 1.0 needs protobuf<5, here protobuf is 5.26.0"),
        ("protobuf", "==5.26.0", "dbt-core 1.9.4 needs protobuf<6,>=5 and client 2.0 needs protobuf>=5"),
    ]
    assert {(row.owner, row.expires) for row in found.divergences} == {("team:finance-data", EXPIRES)}
    assert found.proof is Proof.LEAST


def test_a_stack_that_asks_for_another_version_itself_is_the_reason(tmp_path: Path) -> None:
    found = _propose(tmp_path, ["protobuf>=5"], {"protobuf": "4.25.3"})
    assert found is not None
    assert [row.reason for row in found.divergences] == ["stack finance asks for protobuf>=5"]


def test_a_tested_version_whose_wheels_do_not_fit_is_the_reason(tmp_path: Path) -> None:
    world = _world()
    world.offer("old", "1.0", requires_python="<3.10")
    world.offer("old", "2.0")
    with made_up_session(tmp_path, world, Asked(requirements=["old"], tested={"old": "1.0"})) as session:
        found = propose(session, budget=PLENTY, expires=EXPIRES)
    assert found is not None
    assert [row.reason for row in found.divergences] == ["no wheel of the tested old 1.0 fits linux/amd64"]


def test_nothing_is_proposed_without_constraints_or_without_need(tmp_path: Path) -> None:
    assert _propose(tmp_path, ["protobuf>=6"], {}) is None
    assert _propose(tmp_path, ["protobuf"], {"protobuf": "4.25.3"}) is None


def test_a_needed_divergence_is_not_droppable(tmp_path: Path) -> None:
    row = _divergence("protobuf", "==5.26.0")
    assert _droppable(tmp_path, ["protobuf>=5"], {"protobuf": "4.25.3"}, row) == ()


@pytest.mark.parametrize(
    ("requirements", "tested", "row"),
    [
        pytest.param(["protobuf"], {"protobuf": "4.25.3"}, ("protobuf", "==5.26.0"), id="it resolves as tested"),
        pytest.param(["protobuf<5"], {"protobuf": "4.25.3"}, ("protobuf", "<5"), id="the tested version was chosen"),
        pytest.param(["protobuf"], {"client": "1.0"}, ("client", "==2.0"), id="nothing chooses the project"),
        pytest.param(["protobuf"], {"client": "1.0"}, ("protobuf", "<6"), id="untested and the same without it"),
    ],
)
def test_a_divergence_that_changes_nothing_needed_is_droppable(
    tmp_path: Path, requirements: Sequence[str], tested: Mapping[str, str], row: tuple[str, str]
) -> None:
    assert _droppable(tmp_path, requirements, tested, _divergence(*row)) == (row[0],)


def test_a_bound_outside_the_tested_set_stays_where_it_holds_something_back(tmp_path: Path) -> None:
    row = _divergence("protobuf", "<5.29")
    assert _droppable(tmp_path, ["protobuf"], {"client": "1.0"}, row) == ()


def test_divergences_that_are_needed_one_instead_of_the_other_are_not_both_droppable(tmp_path: Path) -> None:
    world = _world()
    world.offer("either", "1.0")
    world.offer("either", "2.0")
    world.offer("plugin", "1.0", "protobuf<5", "either>=2")
    world.offer("plugin", "2.0", "protobuf>=5", "either<2")
    tested = {"protobuf": "4.25.3", "either": "1.0"}
    rows = (_divergence("protobuf", "==5.26.0"), _divergence("either", "==2.0"))
    world.offer("plugin", "3.0", "protobuf>=5", "either>=2")
    asked = Asked(requirements=["plugin"], tested=tested, divergences=rows)
    with made_up_session(tmp_path, world, asked) as session:
        stated = replace(session, stacks={"finance": replace(session.stacks["finance"], divergences=rows)})
        solved = session.solver.solve(session.problem)
        assert isinstance(solved, Solved)
        assert find_droppable(stated, solved) == ("protobuf",)


def test_accepted_divergences_stand_in_the_file_below_what_was_there(tmp_path: Path) -> None:
    path = tmp_path / "stacks/finance/stack.toml"
    path.parent.mkdir(parents=True)
    text = '# ours\ndescription = "For tests"\nextends = "core"\n'
    path.write_text(text, encoding="utf-8")
    path.chmod(0o640)
    row = _divergence("protobuf", "==5.26.0")
    project = open_project(tmp_path)
    accept(project, "finance", [row])
    assert path.read_text(encoding="utf-8").startswith(text)
    assert project.load_stack("finance").divergences == (row,)
    assert path.stat().st_mode & 0o777 == 0o640


def test_a_file_that_cannot_be_added_to_stays_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "stacks/finance/stack.toml"
    path.parent.mkdir(parents=True)
    text = 'description = "For tests"\nextends = "core"\ndivergences = []\n'
    path.write_text(text, encoding="utf-8")
    with pytest.raises(StackError):
        accept(open_project(tmp_path), "finance", [_divergence("protobuf", "==5.26.0")])
    assert path.read_text(encoding="utf-8") == text
    assert [child.name for child in path.parent.iterdir()] == ["stack.toml"]
