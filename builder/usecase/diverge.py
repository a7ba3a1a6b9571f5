"""Steps away from the tested constraints: proposed where a wish needs them, written where a person accepts, dropped in time."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

from builder.atomic import replacing
from builder.errors import StackError
from builder.project import Project
from builder.resolve.core import Budget, pinned_version
from builder.resolve.problem import Demand, Kind, Problem, Solved, Unsolved
from builder.resolve.relax import Proof, smallest_relaxation
from builder.resolve.releases import Catalogue
from builder.stack.divergences import append_divergences, render_divergences
from builder.stack.model import Divergence, EffectiveStack
from builder.usecase.stack_session import StackSession

_VALID_DAYS = 90
"""How long a divergence holds, if nobody says otherwise."""
_MOST_NAMED = 2
"""So many stand in a reason; who reads it wants one."""
_CONSTRAINTS = "the tested constraints"


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """Divergences with which a stack resolves."""

    divergences: tuple[Divergence, ...]
    """By project."""
    proof: Proof
    moved_by_preference: int
    """How many lines of the tested set one resolution breaks that takes them all as preferences."""
    solves: int
    solved: Solved

    def text(self) -> str:
        """Render the entries as stack.toml has them."""
        return render_divergences(self.divergences)


def propose(session: StackSession, *, budget: Budget, expires: dt.date) -> Proposal | None:
    """Find a smallest set of tested lines that has to give way; None where there is none, or none would help.

    Args:
        session: of a stack that does not resolve.
        budget: of the search for the proof that nothing smaller does.
        expires: until when the steps hold.
    """
    soft = session.problem.of_kind(Kind.TESTED)
    if not soft:
        return None
    found = smallest_relaxation(session.problem, soft, session.solver, budget)
    if isinstance(found, Unsolved) or not found.relaxed:
        return None
    reasons = _Reasons(session, found.solved)
    divergences = tuple(
        Divergence(
            project=moved.project,
            specifier=str(Requirement(moved.text).specifier),
            reason=reasons.of(tested),
            owner=_owner(session.stack),
            expires=expires,
        )
        for tested, moved in sorted(found.moves, key=lambda pair: pair[0].project)
    )
    return Proposal(
        divergences=divergences,
        proof=found.proof,
        moved_by_preference=found.moved_by_preference,
        solves=found.solves,
        solved=found.solved,
    )


def expiry(now: int) -> dt.date:
    """Say until when a divergence holds that is proposed now."""
    return dt.datetime.fromtimestamp(now, dt.UTC).date() + dt.timedelta(days=_VALID_DAYS)


def accept(project: Project, name: str, divergences: Sequence[Divergence]) -> None:
    """Write divergences into a stack's stack.toml, behind all else; comments and layout stay.

    Raises:
        StackError: the file cannot be added to; the message has the text to write.
    """
    path = project.stacks_folder / name / "stack.toml"
    text = path.read_bytes().decode()
    written = append_divergences(text, divergences, name=name, file=f"stacks/{name}/stack.toml")
    with replacing(path, mode=path.stat().st_mode & 0o777, durable=True) as stream:
        stream.write(written.encode())


def find_droppable(session: StackSession, solved: Solved) -> tuple[str, ...]:
    """List the projects whose divergence the stack itself states and does not need any more; sorted.

    One is not needed where its project is not chosen, where the tested version was chosen all the same, or where the stack
    resolves with the tested line back in its place. One of a project outside the tested set is not needed where the same
    version comes out without it. All that are listed can be dropped together.
    """
    own = [row.project for row in session.stacks[session.stack.name].divergences]
    # What is chosen heeds the tested lines of these already: no resolution is needed to see that they can go.
    dropped = [project for project in own if _versions_of(project, solved) <= {session.tested.get(project)}]
    problem = session.problem
    for project in dropped:
        problem = _as_tested(problem, project, session.tested)
    for project in own:
        if project in dropped:
            continue
        without = _as_tested(problem, project, session.tested)
        answer = session.solver.solve(without)
        gone = [*dropped, project]
        if isinstance(answer, Solved) and all(
            name in session.tested or _versions_of(name, answer) == _versions_of(name, solved) for name in gone
        ):
            dropped, problem = gone, without
    return tuple(sorted(dropped))


def _as_tested(problem: Problem, project: str, tested: Mapping[str, str]) -> Problem:
    """Put the tested line of a project back in place of its divergence."""
    rest = problem.without([demand for demand in problem.of_kind(Kind.DIVERGED) if demand.project == project])
    if project not in tested:
        return rest
    return rest.adding(Demand(kind=Kind.TESTED, text=f"{project}=={tested[project]}", source=_CONSTRAINTS))


def _versions_of(project: str, solved: Solved) -> set[str | None]:
    return {
        candidate.version
        for part in solved.resolutions
        for candidate in part.candidates
        if candidate.project == project
    }


class _Reasons:
    """Says who stands against lines of the tested set; requirements are those of the first platform.

    Args:
        session: of the stack.
        solved: with the divergences in place.
    """

    def __init__(self, session: StackSession, solved: Solved) -> None:
        self._asked = session.problem.of_kind(Kind.ASKED)
        self._resolution = solved.resolutions[0]
        self._versions = solved.versions()
        self._catalogues = {
            platform: Catalogue(
                session.view,
                python_version=session.problem.python_version,
                glibc=session.problem.glibc,
                platform=platform,
            )
            for platform in session.problem.platforms
        }
        self._catalogue = self._catalogues[self._resolution.platform]

    def of(self, tested: Demand) -> str:
        """Say why a line cannot hold: what is asked for, who requires another, or what the tested one itself requires."""
        project, line = tested.project, pinned_version(tested) or ""
        lines = tuple(dict.fromkeys((*self._wishes(project, line), *self._needs(project, line))))
        if lines:
            return " and ".join(lines[:_MOST_NAMED])
        reasons = chain(self._misfits(project, line), self._own_needs(project, line))
        return next(reasons, f"what the stack asks for cannot be had with the tested {tested.text}")

    def _wishes(self, project: str, line: str) -> Iterator[str]:
        for demand in self._asked:
            if demand.project == project and _refuses(Requirement(demand.text), line):
                yield f"{demand.source.replace(':', ' ')} asks for {demand.text}"

    def _needs(self, project: str, line: str) -> Iterator[str]:
        """Those that are asked for first: others follow from them."""
        asked = {demand.project for demand in self._asked}
        said: set[str] = set()
        for candidate in sorted(
            self._resolution.candidates, key=lambda item: (item.project not in asked, item.project)
        ):
            if project in candidate.dependencies:
                for need in self._catalogue.requires(candidate.project, candidate.version):
                    wants = str(need.specifier)
                    if canonicalize_name(need.name) == project and _refuses(need, line) and wants not in said:
                        said.add(wants)
                        yield f"{candidate.project} {candidate.version} needs {project}{need.specifier}"

    def _misfits(self, project: str, line: str) -> Iterator[str]:
        for platform, catalogue in self._catalogues.items():
            if all(Version(version) != Version(line) for version in catalogue.usable(project)):
                yield f"no wheel of the tested {project} {line} fits {platform.name}"

    def _own_needs(self, project: str, line: str) -> Iterator[str]:
        for need in self._catalogue.requires(project, line):
            other = canonicalize_name(need.name)
            chosen = self._versions.get(other)
            if chosen is not None and _refuses(need, chosen):
                yield f"the tested {project} {line} needs {other}{need.specifier}, here {other} is {chosen}"


def _refuses(requirement: Requirement, version: str) -> bool:
    return not requirement.specifier.contains(version, prereleases=True)


def _owner(stack: EffectiveStack) -> str:
    if not stack.owners:
        raise StackError(
            "names no owner, and a divergence needs one",
            context=f"stacks/{stack.name}/stack.toml: owners",
            hint='write owners = ["team:..."]',
        )
    return stack.owners[0]
