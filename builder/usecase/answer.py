"""Answers a conflict: why, in at most five lines, and ways out that a resolution proved.

Steps:
1. What each requirement fails by alone is told first: a name that no index has, a version that is not there.
2. Else the knot is found: demands that cannot hold together, though without any one of them they could.
3. How they meet is read from metadata, and told with who makes them.
4. Ways out are tried, the least first; only those that resolve are shown.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from difflib import get_close_matches

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from builder.errors import PackageIndexError, ToolError
from builder.resolve.clash import find_clash
from builder.resolve.conflict import ConflictError, Fix
from builder.resolve.core import Budget, find_core
from builder.resolve.explain import explain_clash, explain_faults, render_demand
from builder.resolve.problem import AIRFLOW, Demand, Kind, Unsolved
from builder.resolve.releases import Catalogue, Fault, FaultKind
from builder.usecase.stack_session import StackSession
from builder.usecase.ways_out import iter_fault_fixes, iter_fixes

PROVIDER = "apache-airflow-providers-"
_CORE_SOLVES = 80
MOST_FIXES = 5
_OTHERWISE = {
    FaultKind.UNKNOWN: "correct the name, or name the index that has it in uv's or pip's settings",
    FaultKind.QUARANTINED: "leave it out: its index took it out of use, and no exception lets it through",
    FaultKind.PYTHON: "take a base with another Python, or leave it out",
    FaultKind.WHEEL: "take a base that its wheels fit, or put a wheel for this one on an index of yours",
}
"""What to do where nothing was found that resolves."""


def explain_failure(session: StackSession, answer: Unsolved) -> ConflictError:
    """Explain why a stack cannot be had, and find ways out.

    Raises:
        PackageIndexError: the index answered wrongly or not at all.
    """
    problem = session.problem
    catalogue = Catalogue(
        session.view, python_version=problem.python_version, glibc=problem.glibc, platform=answer.platform
    )
    derivation = answer.error.__cause__.stderr if isinstance(answer.error.__cause__, ToolError) else ""
    target = f"{answer.platform.name}, Python {problem.python_version}"
    faults = tuple(_iter_faults(session, catalogue))
    if faults:
        otherwise = _OTHERWISE.get(faults[0][1].kind, "")
        fixes = iter_fault_fixes(session, faults)
        return _make(session, target, explain_faults(faults), fixes, (), derivation, otherwise=otherwise)
    here = problem.on(answer.platform)
    soft = [demand for demand in here.demands if demand.kind is not Kind.AIRFLOW]
    core = find_core(here, soft, session.solver, Budget(solves=_CORE_SOLVES))
    knot = [*problem.of_kind(Kind.AIRFLOW), *core]
    clash = find_clash(knot, catalogue, answer.named) or find_clash(knot, catalogue)
    lines = explain_clash(core, clash, airflow=session.stack.airflow_version, wanted_by=_wanted_by(session))
    parts = [render_demand(demand) for demand in core]
    return _make(session, target, lines, iter_fixes(session, core), parts, derivation)


def _make(
    session: StackSession,
    target: str,
    lines: Sequence[str],
    fixes: Iterator[Fix],
    parts: Iterable[str],
    derivation: str,
    *,
    otherwise: str = "",
) -> ConflictError:
    found: list[Fix] = []
    untried = ""
    try:
        for fix in fixes:
            found.append(fix)
            if len(found) == MOST_FIXES:
                break
    except PackageIndexError as error:
        # The conflict is proved all the same; what an index, or a snapshot, does not say cannot be tried.
        untried = error.message
    return ConflictError(
        label=session.problem.label,
        target=target,
        lines=lines,
        fixes=found,
        parts=tuple(parts),
        derivation=derivation,
        otherwise=otherwise,
        untried=untried,
    )


def _iter_faults(session: StackSession, catalogue: Catalogue) -> Iterator[tuple[Demand, Fault]]:
    """Step 1."""
    for demand in session.problem.of_kind(Kind.AIRFLOW, Kind.ASKED):
        requirement = Requirement(demand.text)
        if not catalogue.heeds(requirement):
            continue
        near = "" if catalogue.is_known(demand.project) else nearest_project(demand.project, session, catalogue)
        fault = catalogue.fault_of(requirement, near=near)
        if fault is not None:
            yield demand, fault


def nearest_project(name: str, session: StackSession, catalogue: Catalogue) -> str:
    """Name the project that a wrong name may stand for: a tested, a locked one, or a provider that Airflow names itself."""
    locks = [lock for lock in (session.previous, session.parent) if lock]
    known = {*session.tested, *(row.project for lock in locks for row in lock.candidates)}
    if session.stack.airflow_version in catalogue.usable(AIRFLOW):
        needs = catalogue.all_requirements(AIRFLOW, session.stack.airflow_version)
        known |= {canonicalize_name(need.name) for need in needs}
    known -= {AIRFLOW, name}
    short = {project.removeprefix(PROVIDER): project for project in sorted(known)}
    near = get_close_matches(name, known, n=1, cutoff=0.8) or get_close_matches(_bare(name), short, n=1, cutoff=0.8)
    return short.get(near[0], near[0]) if near else ""


def _bare(name: str) -> str:
    """Leave out what people write before and behind a provider's name."""
    return re.sub(r"^(apache-)?(airflow-)?(providers?-)?|(-airflow)?-providers?$", "", name)


def _wanted_by(session: StackSession) -> Mapping[str, Sequence[str]]:
    if session.parent is None:
        return {}
    return {row.project: row.wanted_by for row in session.parent.candidates}
