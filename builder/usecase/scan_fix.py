"""Ways to mend what is weak in a distribution: resolved with all else that the stack asks for, never guessed.

The stack that is asked is the one whose layers the distribution lies in: a child could not move it. Steps for each branch of
versions that mend, the nearest first:
1. Everything holds as it is but this one pin, which gives way as little as can be.
2. Where that fails and the stack keeps to Airflow's tested set, the fewest of its lines give way, too: then it takes divergences.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Final

from packaging.specifiers import SpecifierSet

from builder.errors import BuilderError
from builder.finding.fixed_in import mending_specifiers
from builder.finding.model import Finding, Fix, FixState, Kind
from builder.resolve.core import Budget
from builder.resolve.problem import Demand, Solved, Unsolved
from builder.resolve.problem import Kind as DemandKind
from builder.resolve.relax import Relaxation, smallest_relaxation
from builder.usecase.stack_session import StackSession

_SOLVES: Final = 60
_SOURCE: Final = "fix"
_MOST_MOVES: Final = 8
_COPY: Final = "a copy that lies within something else: who carries it has to mend it"
OpenSession = Callable[[str], StackSession]
"""Opens the session of a stack as it is now."""
FindDeb = Callable[[Finding], Fix]
"""Looks for a version of a Debian package in the suites of a base."""


def find_fixes(findings: Sequence[Finding], open_session: OpenSession, find_deb: FindDeb) -> tuple[Finding, ...]:
    """Look for what mends each finding.

    Args:
        findings: of an image.
        open_session: of stacks; what it raises is told with the findings of that stack.
        find_deb: looks among mirrors.
    """
    sessions = _Sessions(open_session)
    return tuple(replace(one, fix=_find(one, sessions, find_deb)) for one in findings)


def _find(finding: Finding, sessions: _Sessions, find_deb: FindDeb) -> Fix:
    if finding.subject.kind is Kind.OTHER:
        return replace(finding.fix, how=_COPY)
    if not finding.fixed_in:
        return Fix(state=FixState.NONE)
    try:
        if finding.subject.kind is Kind.DEB:
            return find_deb(finding)
        return nearest_fix(sessions.open(finding.belongs.stack), finding)
    except BuilderError as error:
        return Fix(state=FixState.UNRESOLVED, how=" ".join(str(error.message).split())[:300])


class _Sessions:
    """Opens each stack once; what failed fails alike for all its findings."""

    def __init__(self, open_session: OpenSession) -> None:
        self._open = open_session
        self._known: dict[str, StackSession | BuilderError] = {}

    def open(self, stack: str) -> StackSession:
        if stack not in self._known:
            try:
                self._known[stack] = self._open(stack)
            except BuilderError as error:
                self._known[stack] = error
        found = self._known[stack]
        if isinstance(found, BuilderError):
            raise found
        return found


def nearest_fix(session: StackSession, finding: Finding) -> Fix:
    """Find the nearest version that mends a finding.

    Raises:
        PackageIndexError: the index answered wrongly or not at all.
    """
    project, installed = finding.subject.name, finding.subject.version
    now = _locked_versions(session).get(project)
    specifiers = mending_specifiers(installed, finding.fixed_in)
    if not specifiers:
        return Fix(
            state=FixState.UNRESOLVED, how=f"no version that mends it can be read: {', '.join(finding.fixed_in)}"
        )
    if now is not None and any(SpecifierSet(one).contains(now, prereleases=True) for one in specifiers):
        return Fix(
            state=FixState.REACHABLE,
            version=now,
            how=f"the lock has it already: airflow-kubler build {session.stack.name}",
        )
    for specifier in specifiers:
        found = _relax(session, project, now or installed, specifier, ())
        if found is not None:
            return _fix(session, project, specifier, found, FixState.REACHABLE)
    tested = session.problem.of_kind(DemandKind.TESTED)
    for specifier in specifiers if tested else ():
        found = _relax(session, project, now or installed, specifier, tested)
        if found is not None:
            return _fix(session, project, specifier, found, FixState.OUTSIDE)
    return Fix(
        state=FixState.UNREACHABLE,
        how=f"airflow-kubler preview {session.stack.name} --add '{project}{specifiers[0]}' says what stands against it",
    )


def _relax(
    session: StackSession, project: str, installed: str, specifier: str, soft: Sequence[Demand]
) -> Relaxation | None:
    """Let the pin give way, and soft demands where they must; None where that is not enough."""
    wish = Demand(kind=DemandKind.DIVERGED, text=f"{project}{specifier}", source=_SOURCE)
    pin = Demand(kind=DemandKind.TESTED, text=f"{project}=={installed}", source="the lock as it is")
    problem = session.problem.adding(wish, pin)
    found = smallest_relaxation(problem, (pin, *soft), session.solver, Budget(solves=_SOLVES))
    return None if isinstance(found, Unsolved) else found


def _fix(session: StackSession, project: str, specifier: str, found: Relaxation, state: FixState) -> Fix:
    versions = found.solved.versions()
    version = versions.get(project, "")
    before = _locked_versions(session)
    moves = tuple(_iter_moves(before, versions, project))
    if state is FixState.OUTSIDE:
        needed = [move.text for demand, move in found.moves if demand.source != "the lock as it is"]
        how = f"with divergences in stacks/{session.stack.name}/stack.toml: {', '.join(needed)}"
    elif not version:
        how = f"without {project}: airflow-kubler lock {session.stack.name} --upgrade"
    else:
        how = _command(session, project, specifier)
    return Fix(state=state, version=version, how=how, moves=moves[:_MOST_MOVES])


def _command(session: StackSession, project: str, specifier: str) -> str:
    """Name the command that gives a version that mends: the newest that the rules allow, where that is one."""
    stack = session.stack.name
    kept = [(name, version) for name, version in session.problem.preferences if name != project]
    newest = session.solver.solve(session.problem.preferring(kept))
    version = newest.versions().get(project) if isinstance(newest, Solved) else None
    if version is not None and SpecifierSet(specifier).contains(version, prereleases=True):
        return f"airflow-kubler lock {stack} -P {project}"
    return (
        f"add {project}{specifier} to the requirements in stacks/{stack}/stack.toml, then: airflow-kubler lock {stack}"
    )


def _locked_versions(session: StackSession) -> Mapping[str, str]:
    rows = session.previous.candidates if session.previous else ()
    return {row.project: row.version for row in rows}


def _iter_moves(before: Mapping[str, str], after: Mapping[str, str], project: str) -> Iterable[str]:
    for name in sorted(before.keys() | after.keys()):
        old, new = before.get(name), after.get(name)
        if name != project and old != new:
            yield (
                f"{name} {old} -> {new}" if old and new else f"{name} {new} is new" if new else f"{name} {old} is gone"
            )
