"""Ways out of a conflict, the least first. Each was solved before it is shown."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.version import Version

from builder.resolve.conflict import Edit, Fix
from builder.resolve.core import Budget, pinned_version
from builder.resolve.problem import AIRFLOW, Demand, Kind, Problem, Solved, Unsolved
from builder.resolve.relax import smallest_relaxation
from builder.resolve.releases import Fault, FaultKind
from builder.usecase.diverge import expiry, propose
from builder.usecase.stack_session import StackSession

_DIVERGENCE_SOLVES = 120
_PARENT_SOLVES = 60
_MOST_MOVED = 6
"""Where more of a parent's pins would have to move, that is no small step any more."""
_PROVIDER = "apache-airflow-providers-"


def iter_fixes(session: StackSession, core: Sequence[Demand]) -> Iterator[Fix]:
    """Try ways out of a knot of demands, one after another, as far as the caller goes on."""
    for demand in _asked(core):
        yield from _other_version(session, demand)
    yield from _divergences(session, core)
    yield from _newer_airflow(session, core)
    yield from _moved_parent(session, core)
    yield from _splits(session, core)
    yield from _virtualenvs(session, core)


def iter_fault_fixes(session: StackSession, faults: Iterable[tuple[Demand, Fault]]) -> Iterator[Fix]:
    """Try ways out where requirements fail by themselves."""
    for demand, fault in faults:
        requirement = Requirement(demand.text)
        match fault.kind:
            case FaultKind.HELD_BACK:
                if demand.kind is Kind.ASKED:
                    yield from _other_version(session, demand)
                yield from _exception(session, demand, fault)
            case FaultKind.UNKNOWN if demand.kind is Kind.ASKED:
                yield from _spelling(session, demand, fault)
            case FaultKind.QUARANTINED:
                continue
            case _ if demand.kind is Kind.ASKED and requirement.specifier:
                yield from _other_version(session, demand)
            case _:
                continue


def _other_version(session: StackSession, demand: Demand) -> Iterator[Fix]:
    """Leave a requirement's versions open, and see which one comes out."""
    wish = Requirement(demand.text)
    if not wish.specifier:
        return
    wish.specifier = SpecifierSet()
    rest = session.problem.without([demand])
    answer = _solve(session, rest.adding(replace(demand, text=str(wish))))
    version = answer.versions().get(demand.project) if answer else None
    if version is None or Version(version).is_prerelease:
        return
    wish.specifier = SpecifierSet(f"=={version}")
    if _solve(session, rest.adding(replace(demand, text=str(wish)))) is not None:
        yield _instead(session, demand, str(wish), "version")


def _spelling(session: StackSession, demand: Demand, fault: Fault) -> Iterator[Fix]:
    """Take the name that may be meant."""
    if not fault.near:
        return
    wish = Requirement(demand.text)
    wish.name = fault.near
    if _solve(session, session.problem.without([demand]).adding(replace(demand, text=str(wish)))) is not None:
        yield _instead(session, demand, str(wish), "spelling")


def _instead(session: StackSession, demand: Demand, text: str, kind: str) -> Fix:
    return Fix(kind=kind, text=f"ask for {text} in place of {demand.text}", edits=(_edit_line(session, demand, text),))


def _edit_line(session: StackSession, demand: Demand, *texts: str) -> Edit:
    """Say where a requirement stands, in requirements.in or in stack.toml, and what to write in its place."""
    name = demand.source.removeprefix("stack:")
    if demand.text in session.stacks[name].requirements_in:
        return Edit(file=f"stacks/{name}/requirements.in", instead_of=demand.text, write=texts)
    write = tuple(_quote(text) for text in texts)
    return Edit(file=_file_of(demand.source), instead_of=_quote(demand.text), write=write)


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
        if session.inputs.constraints is not None:
            edits.append(
                Edit(file=session.problem.label, instead_of="constraints in [airflow]", write=('constraints = "none"',))
            )
        beside = ", tried without its tested set" if session.inputs.constraints is not None else ""
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


def _moved_parent(session: StackSession, core: Sequence[Demand]) -> Iterator[Fix]:
    """Let the parent's lock take what this stack can live with: the parent is resolved, then this stack on it."""
    problem = session.problem
    # NOTE: a parent's own parent would bind it by a lock that is not at hand here: nothing could be promised of it.
    # What it diverges in is not its parent's, and the tested lines that stand there instead are not at hand either.
    if session.stacks[session.stack.name].divergences:
        return
    if len(session.stack.parents) != 1 or not any(demand.kind is Kind.PARENT for demand in core):
        return
    budget = Budget(solves=_PARENT_SOLVES)
    found = smallest_relaxation(problem, problem.of_kind(Kind.PARENT), session.solver, budget)
    if isinstance(found, Unsolved) or not 0 < len(found.relaxed) <= _MOST_MOVED:
        return
    pins, versions = found.relaxed, found.solved.versions()
    lines = [_moved(pin, versions[pin.project]) for pin in pins if pin.project in versions]
    own = f"stack:{session.stack.name}"
    kept = [
        demand
        for demand in problem.demands
        if demand.kind is not Kind.PARENT and not (demand.kind is Kind.ASKED and demand.source == own)
    ]
    before = {demand.project: str(pinned_version(demand)) for demand in problem.of_kind(Kind.PARENT)}
    wishes = before | {pin.project: versions[pin.project] for pin in pins if pin.project in versions}
    parent = _solve(session, replace(problem, demands=(*kept, *lines)).preferring(wishes.items()))
    if parent is None:
        return
    locked = [
        Demand(
            kind=Kind.PARENT,
            text=f"{row.project}=={row.version}",
            source=pins[0].source,
            platform=part.platform.name,
        )
        for part in parent.resolutions
        for row in part.candidates
    ]
    if _solve(session, problem.without(problem.of_kind(Kind.PARENT)).adding(*locked)) is None:
        return
    name = pins[0].source.removeprefix("stack:")
    moves = ", ".join(f"{pin.project} {versions[pin.project]}" for pin in pins if pin.project in versions)
    file = _file_of(pins[0].source)
    yield Fix(
        kind="parent",
        text=f"let parent {name} take {moves}; all stacks on it are locked again",
        edits=(
            Edit(file=f"{file}, plugins.requirements", write=tuple(f'"{line.text}",' for line in lines)),
            Edit(write=(f"airflow-kubler lock {name} {session.stack.name}",)),
        ),
    )


def _moved(pin: Demand, version: str) -> Demand:
    """Ask for what a pin moves to, open on the side that it moves to."""
    operator = "<=" if Version(version) < Version(pinned_version(pin) or version) else ">="
    return Demand(kind=Kind.ASKED, text=f"{pin.project}{operator}{version}", source=pin.source)


def _splits(session: StackSession, core: Sequence[Demand]) -> Iterator[Fix]:
    own = f"stack:{session.stack.name}"
    problem = session.problem
    if any(demand.kind is Kind.PARENT for demand in core):
        kept = tuple(
            demand
            for demand in problem.demands
            if (demand.kind is Kind.AIRFLOW and demand.project == AIRFLOW)
            or (demand.kind is Kind.ASKED and demand.source == own)
            or demand.kind is Kind.DIVERGED
        )
        if _solve(session, replace(problem, demands=kept, preferences=())) is not None:
            parent = session.stack.parents[0]
            edit = Edit(file=problem.label, instead_of=f'extends = "{parent}"', write=_foundation(session))
            yield Fix(kind="split", text=f"a stack of its own, that shares no layers with {parent}", edits=(edit,))
        return
    asked = [demand for demand in _asked(core) if demand.source == own]
    for demand in asked if len(asked) > 1 else ():
        others = [other for other in asked if other is not demand]
        if _solve(session, problem.without([demand])) and _solve(session, problem.without(others)):
            yield _two_stacks(session, demand)
            return


def _two_stacks(session: StackSession, demand: Demand) -> Fix:
    parents = session.stack.parents
    below = (f'extends = "{parents[0]}"',) if parents else _foundation(session, session.stack.constraints)
    lines = (f'description = "{demand.project}, apart from {session.stack.name}"', *below)
    return Fix(
        kind="split",
        text=f"two stacks: {demand.text} in one of its own",
        edits=(
            _edit_line(session, demand),
            Edit(
                file=f"stacks/{session.stack.name}-{demand.project}/stack.toml",
                write=(*lines, "[plugins]", f"requirements = [{_quote(demand.text)}]"),
            ),
        ),
    )


def _foundation(session: StackSession, constraints: str = "none") -> tuple[str, ...]:
    """Write what a stack without a parent states."""
    # NOTE: the path of a file is told from stacks/; a new stack needs its own copy.
    return (
        "[airflow]",
        f'version = "{session.stack.airflow_version}"',
        f'constraints = "{constraints.rpartition("/")[2] if not constraints.startswith("https:") else constraints}"',
        "[base]",
        f'name = "{session.stack.base}"',
    )


def _virtualenvs(session: StackSession, core: Sequence[Demand]) -> Iterator[Fix]:
    """Take a plugin out that can be had alone, without Airflow, where the rest of the stack can be had without it."""
    for demand in _asked(core):
        if demand.project.startswith(_PROVIDER):
            continue
        alone = _solve(session, replace(session.problem, demands=(demand,), preferences=()))
        if alone is None or AIRFLOW in alone.versions() or _solve(session, session.problem.without([demand])) is None:
            continue
        yield Fix(
            kind="virtualenv",
            text=f"{demand.text} beside Airflow, for the tasks that need it, not within",
            edits=(
                _edit_line(session, demand),
                Edit(
                    file="the DAG",
                    write=(f"PythonVirtualenvOperator(requirements=[{_quote(demand.text)}], ...)",),
                ),
            ),
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


def _quote(text: str) -> str:
    """Quote a requirement for TOML or Python: one with a marker holds double quotes itself."""
    return f"'{text}'" if '"' in text else f'"{text}"'


def _file_of(source: str) -> str:
    return f"stacks/{source.removeprefix('stack:')}/stack.toml"


def _solve(session: StackSession, problem: Problem) -> Solved | None:
    answer = session.solver.solve(problem)
    return answer if isinstance(answer, Solved) else None
