"""What of a stack has newer releases: those that would come, and what blocks the others."""

from __future__ import annotations

from dataclasses import dataclass

from packaging.version import Version

from builder.resolve.core import Budget
from builder.resolve.problem import Kind, Solved
from builder.usecase.behind import Blockers, newest_after
from builder.usecase.stack_session import StackSession

_PROVIDER = "apache-airflow-providers-"


@dataclass(frozen=True, slots=True, kw_only=True)
class Outdated:
    """A candidate that is not the newest."""

    project: str
    current: str
    reachable: str
    """What `lock --upgrade` would bring; the current version where that is all."""
    newest: str
    steps: str
    blocker: str
    """What keeps the newest away; empty where `lock --upgrade` brings it."""


def find_outdated(session: StackSession, *, everything: bool, budget: Budget) -> tuple[Outdated, ...]:
    """Find newer releases of what a stack has, by project.

    Args:
        session: of a stack with a lock.
        everything: look at all candidates, not only at what is asked for and at Airflow's providers.
        budget: of resolutions that look for blockers.

    Raises:
        ResolutionError: the stack does not resolve at all.
    """
    problem = session.problem.preferring(())
    solved = session.solver.solve(problem)
    if not isinstance(solved, Solved):
        raise solved.error
    reachable = solved.versions()
    current = {row.project: row.version for row in session.previous.candidates} if session.previous else reachable
    asked = {demand.project for demand in problem.of_kind(Kind.ASKED)}
    names = [name for name in sorted(current) if everything or name in asked or name.startswith(_PROVIDER)]
    session.view.prefetch(names)
    blockers = Blockers(problem, solved, session.view, session.solver, budget)
    found = []
    for name in names:
        newest = newest_after(name, current, session.view)
        if newest is None:
            continue
        comes = reachable.get(name, current[name])
        blocked = Version(comes) < Version(newest)
        look = blockers.look_at(name, newest, always=True) if blocked else None
        found.append(
            Outdated(
                project=name,
                current=current[name],
                reachable=comes,
                newest=newest,
                steps=look.steps if look else "",
                blocker=(look.blocker or "not looked for: the budget is spent") if look else "",
            )
        )
    return tuple(found)
