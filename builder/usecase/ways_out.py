"""Ways out of a conflict, the least first. Each was solved before it is shown."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from packaging.requirements import Requirement
from packaging.version import Version

from builder.platform import Platform
from builder.resolve.conflict import Edit, Fix
from builder.resolve.core import Budget
from builder.resolve.problem import AIRFLOW, Demand, Kind, Problem, Solved
from builder.resolve.releases import Fault, FaultKind
from builder.usecase.diverge import propose
from builder.usecase.stack_session import StackSession

_DIVERGENCE_SOLVES = 120
VALID_DAYS = 90
"""How long a proposed divergence holds, if nobody says otherwise."""
_PROVIDER = "apache-airflow-providers-"


def iter_fixes(session: StackSession, core: Sequence[Demand], platform: Platform) -> Iterator[Fix]:
    """Try ways out of a knot of demands, one after another, as far as the caller goes on."""
    yield from _other_versions(session, core, platform)
    yield from _divergences(session, core)
    yield from _newer_airflow(session, core)
    yield from _splits(session, core, platform)
    yield from _virtualenvs(session, core, platform)


def iter_fault_fixes(session: StackSession, faults: Iterable[tuple[Demand, Fault]]) -> Iterator[Fix]:
    """Try ways out where requirements fail by themselves."""
    for demand, fault in faults:
        requirement = Requirement(demand.text)
        match fault.kind:
            case FaultKind.HELD_BACK:
                yield from _exception(session, demand, fault)
            case FaultKind.UNKNOWN | FaultKind.QUARANTINED:
                continue
            case _ if demand.kind is Kind.ASKED and requirement.specifier:
                yield from _other_version(session, demand, session.problem)
            case _:
                continue


def expiry(now: int) -> dt.date:
    """Say until when a proposed divergence holds."""
    return dt.datetime.fromtimestamp(now, dt.UTC).date() + dt.timedelta(days=VALID_DAYS)


def _other_versions(session: StackSession, core: Sequence[Demand], platform: Platform) -> Iterator[Fix]:
    for demand in _asked(core):
        if Requirement(demand.text).specifier:
            yield from _other_version(session, demand, session.problem.on(platform))


def _other_version(session: StackSession, demand: Demand, problem: Problem) -> Iterator[Fix]:
    """Leave a requirement's versions open, and see which one comes out."""
    requirement = Requirement(demand.text)
    open_ = Requirement(demand.text)
    open_.specifier = type(requirement.specifier)()
    answer = _solve(session, problem.without([demand]).adding(replace(demand, text=str(open_))))
    version = answer.versions().get(demand.project) if answer else None
    if answer is None or version is None or Version(version).is_prerelease:
        return
    open_.specifier = type(requirement.specifier)(f"=={version}")
    yield Fix(
        kind="version",
        text=f"ask for {open_} in place of {demand.text}",
        edits=(Edit(file=_file_of(demand), instead_of=f'"{demand.text}"', write=(f'"{open_}"',)),),
    )


def _divergences(session: StackSession, core: Sequence[Demand]) -> Iterator[Fix]:
    if not any(demand.kind is Kind.TESTED for demand in core) or not session.stack.owners:
        return
    found = propose(session, budget=Budget(solves=_DIVERGENCE_SOLVES), expires=expiry(session.now))
    if found is None:
        return
    count = len(found.divergences)
    many = "divergence" if count == 1 else "divergences"
    names = ", ".join(f"{row.project} {row.specifier}" for row in found.divergences[:4])
    more = f" and {count - 4} more" if count > 4 else ""
    yield Fix(
        kind="divergence",
        text=f"{count} {many} from the tested set, {found.proof}: {names}{more}",
        edits=(Edit(write=(f"airflow-kubler lock {session.stack.name} --accept",)),),
    )


def _newer_airflow(session: StackSession, core: Sequence[Demand]) -> Iterator[Fix]:
    """Try newer releases of Airflow, without the tested set: that of another release is not at hand."""
    if session.stack.parents or not _asked(core):
        return
    kept = tuple(demand for demand in session.problem.demands if demand.kind in {Kind.ASKED, Kind.DIVERGED})
    source = f"stack:{session.stack.name}"
    for version in _newer(session.stack.airflow_version, session.view.versions(AIRFLOW)):
        airflow = Demand(kind=Kind.AIRFLOW, text=f"{AIRFLOW}=={version}", source=source)
        if _solve(session, replace(session.problem, demands=(airflow, *kept), preferences=())) is None:
            continue
        edits = [Edit(file=session.problem.label, instead_of="version in [airflow]", write=(f'version = "{version}"',))]
        if session.constraints is not None and session.stack.constraints != "official":
            edits.append(
                Edit(file=session.problem.label, instead_of="constraints in [airflow]", write=('constraints = "none"',))
            )
        beside = ", tried without its tested set" if session.constraints else ""
        yield Fix(kind="airflow", text=f"take Airflow {version}{beside}", edits=tuple(edits))
        return


def _newer(current: str, versions: Sequence[str]) -> tuple[str, ...]:
    """Choose releases to try: the last patch of this minor, of the next one, and the newest."""
    now = Version(current)
    later = [found for text in versions if not (found := Version(text)).is_prerelease and found > now]
    patches: dict[tuple[int, int], Version] = {}
    for found in later:
        key = found.major, found.minor
        patches[key] = max(found, patches.get(key, found))
    ordered = sorted(patches.values())
    return tuple(str(found) for found in dict.fromkeys([*ordered[:2], *ordered[-1:]]))


def _splits(session: StackSession, core: Sequence[Demand], platform: Platform) -> Iterator[Fix]:
    own = f"stack:{session.stack.name}"
    problem = session.problem.on(platform)
    if any(demand.kind is Kind.PARENT for demand in core):
        kept = tuple(
            demand
            for demand in problem.demands
            if (demand.kind is Kind.AIRFLOW and demand.project == AIRFLOW)
            or (demand.kind is Kind.ASKED and demand.source == own)
        )
        if _solve(session, replace(problem, demands=kept, preferences=())) is not None:
            lines = (
                "[airflow]",
                f'version = "{session.stack.airflow_version}"',
                "[base]",
                f'name = "{session.stack.base}"',
            )
            yield Fix(
                kind="split",
                text=f"a stack of its own, that shares no layers with {session.stack.parents[0]}",
                edits=(
                    Edit(file=session.problem.label, instead_of=f'extends = "{session.stack.parents[0]}"', write=lines),
                ),
            )
        return
    asked = [demand for demand in _asked(core) if demand.source == own]
    for demand in asked if len(asked) > 1 else ():
        others = [other for other in asked if other is not demand]
        if _solve(session, problem.without([demand])) and _solve(session, problem.without(others)):
            yield Fix(
                kind="split",
                text=f"two stacks: {demand.text} in one of its own",
                edits=(Edit(file=session.problem.label, instead_of=f'"{demand.text}"', write=()),),
            )
            return


def _virtualenvs(session: StackSession, core: Sequence[Demand], platform: Platform) -> Iterator[Fix]:
    for demand in _asked(core):
        if demand.project.startswith(_PROVIDER):
            continue
        alone = replace(session.problem.on(platform), demands=(demand,), preferences=())
        if _solve(session, alone) is not None:
            yield Fix(
                kind="virtualenv",
                text=f"{demand.text} beside Airflow, for the tasks that need it, not within",
                edits=(Edit(write=(f'PythonVirtualenvOperator(requirements=["{demand.text}"], ...)',)),),
            )
            return


def _exception(session: StackSession, demand: Demand, fault: Fault) -> Iterator[Fix]:
    newest = fault.versions[0] if fault.versions else ""
    specifier = f"=={newest}" if newest else str(Requirement(demand.text).specifier)
    rules = session.view.rules
    let_through = replace(rules, exceptions=(*rules.exceptions, (demand.project, specifier)))
    index = session.serve(session.view.under(let_through))
    if _solve(session, replace(session.problem, index=index)) is None:
        return
    lines = (
        "[[resolution.exceptions]]",
        f'project = "{demand.project}"',
        f'specifier = "{specifier}"',
        'reason = "..."',
    )
    yield Fix(
        kind="exception",
        text=f"let {demand.project} {newest} through all the same, with a reason",
        edits=(Edit(file=session.problem.label, write=lines),),
    )


def _asked(core: Sequence[Demand]) -> list[Demand]:
    return [demand for demand in core if demand.kind is Kind.ASKED]


def _file_of(demand: Demand) -> str:
    return f"stacks/{demand.source.removeprefix('stack:')}/stack.toml"


def _solve(session: StackSession, problem: Problem) -> Solved | None:
    answer = session.solver.solve(problem)
    return answer if isinstance(answer, Solved) else None
