"""Real conflicts against the real index: what is proposed is irreducible, and what is answered is short and true."""

from __future__ import annotations

import datetime as dt
import time
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from builder.resolve.conflict import LINE_WIDTH, MOST_LINES
from builder.resolve.core import Budget
from builder.resolve.problem import Kind, Solved, Unsolved
from builder.resolve.relax import smallest_relaxation
from builder.usecase.answer import explain_failure
from builder.usecase.diverge import propose
from builder.usecase.stack_session import StackSession
from builder.wiring.locks import make_search_budget
from tests.support.real_index import real_session

HERE = Path(__file__).parents[1]
SCENARIOS = sorted((HERE / "scenarios/conflicts").glob("*.toml"))

pytestmark = [pytest.mark.network, pytest.mark.slow]


@pytest.fixture(params=SCENARIOS, ids=[path.stem for path in SCENARIOS])
def session(request: pytest.FixtureRequest) -> Iterator[StackSession]:
    values = tomllib.loads(request.param.read_text(encoding="utf-8"))
    constraints = HERE / "data/constraints" / values["constraints"] if values["constraints"] else None
    with real_session(
        airflow=values["airflow"],
        python=values["python"],
        glibc=values["glibc"],
        constraints=constraints,
        requirements=values["requirements"],
    ) as opened:
        yield opened


def test_a_real_conflict_gets_a_short_answer_and_the_least_that_has_to_give_way(
    session: StackSession, record_property: Callable[[str, object], None]
) -> None:
    begun = time.perf_counter()

    def note(what: str, **counts: int) -> None:
        """Say how long it took up to here: it stands in the report, and is shown by -s."""
        seconds = f"{time.perf_counter() - begun:.1f} s"
        record_property(what, ", ".join([seconds, *(f"{count} {name}" for name, count in counts.items())]))
        print(f"\n{' '.join(session.stack.requirements)}: {what}: {seconds} {counts or ''}", end="")  # noqa: T201  for who measures

    failed = session.solver.solve(session.problem)
    assert isinstance(failed, Unsolved)
    note("failure")
    soft = session.problem.of_kind(Kind.TESTED)
    if soft:
        found = smallest_relaxation(session.problem, soft, session.solver, make_search_budget())
        assert not isinstance(found, Unsolved)
        note(f"{found.proof} relaxation", resolutions=found.solves, moved=len(found.relaxed))
        assert 0 < len(found.relaxed) <= found.moved_by_preference
        for demand in found.relaxed:
            others = [other for other in found.relaxed if other is not demand]
            assert isinstance(session.solver.solve(session.problem.without(others)), Unsolved), demand.text
        proposal = propose(session, budget=Budget(solves=200), expires=dt.date(2027, 1, 1))
        assert proposal is not None
        note("proposal", resolutions=proposal.solves)
        assert isinstance(proposal.solved, Solved)
    answer = explain_failure(session, failed)
    note("answer", fixes=len(answer.fixes))
    assert 1 <= len(answer.lines) <= MOST_LINES - 1
    assert all(len(line) <= LINE_WIDTH for line in answer.lines)
    assert answer.fixes
