"""Accept the divergences that a stack needs: write them into its stack.toml, so that it locks."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Sequence

from builder.project import Project
from builder.resolve.core import Budget
from builder.resolve.problem import Solved
from builder.stack.graph import build_order, effective_stack
from builder.usecase.diverge import Proposal, accept, expiry, propose
from builder.usecase.lock import lock_stacks, open_stack
from builder.usecase.lock_check import check_locks
from builder.usecase.lock_model import LockOptions, LockTools


def accept_divergences(
    project: Project,
    tools: LockTools,
    names: Sequence[str],
    *,
    expires: dt.date | None,
    budget: Callable[[], Budget],
    options: LockOptions | None = None,
) -> dict[str, Proposal]:
    """Write a smallest set of divergences for each stack that does not resolve under its constraints.

    Args:
        project: the folder of stacks and locks.
        tools: what touches the outside.
        names: stacks; parents whose lock is missing or stale are locked first.
        expires: until when the divergences hold; None for as long as proposed ones do.
        budget: makes the budget of the search for the proof that nothing smaller does, one for each stack.
        options: how the stacks are to be locked then.

    Returns:
        By stack, what was written; stacks that resolve as they are, and those that no divergence helps, are absent.
    """
    accepted: dict[str, Proposal] = {}
    for name in (name for name in build_order(project.load_stacks()) if name in names):
        _lock_parents(project, tools, name)
        session = open_stack(project, tools, name, options=options)
        if isinstance(session.solver.solve(session.problem), Solved):
            continue
        until = expires or expiry(session.now)
        found = propose(session, budget=budget(), expires=until)
        if found is None:
            continue
        accept(project, name, found.divergences)
        tools.say(f"{name}: {len(found.divergences)} divergences accepted until {until.isoformat()}")
        accepted[name] = found
    return accepted


def _lock_parents(project: Project, tools: LockTools, name: str) -> None:
    """Lock what a stack stands on, where that has no fresh lock: its pins decide what has to give way."""
    parents = effective_stack(project.load_stacks(), name).parents
    states = check_locks(project, parents) if parents else ()
    if any(state.reasons for state in states if state.kind == "stack"):
        lock_stacks(project, tools, parents[:1])
