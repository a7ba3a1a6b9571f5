"""Steps away from the tested constraints: proposed where a wish needs them, written where a person accepts, dropped in time."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

from builder.atomic import replacing
from builder.errors import StackError
from builder.project import Project
from builder.resolve.core import Budget
from builder.resolve.problem import Demand, Kind, Problem, Solved, Solver, Unsolved
from builder.resolve.relax import Proof, Relaxation, smallest_relaxation
from builder.stack.divergences import append_divergences, render_divergences
from builder.stack.model import Divergence, EffectiveStack
from builder.usecase.stack_session import StackSession


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
    divergences = tuple(
        Divergence(
            project=moved.project,
            specifier=str(Requirement(moved.text).specifier),
            reason=_reason(tested, found, session.stack),
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
    """List the stack's own divergences that it does not need any more: by project, sorted.

    One is not needed where its project is not chosen, where it allows what was tested, or where the stack resolves with
    the tested line back in place.
    """
    versions = solved.versions()
    return tuple(
        sorted(
            divergence.project
            for divergence in session.stack.divergences
            if _is_droppable(divergence, versions, session.tested, session.problem, session.solver)
        )
    )


def _is_droppable(
    divergence: Divergence,
    versions: Mapping[str, str],
    tested: Mapping[str, str],
    problem: Problem,
    solver: Solver,
) -> bool:
    project, line = divergence.project, tested.get(divergence.project)
    if project not in versions or line is None:
        return True
    if versions[project] == line:
        return True
    if SpecifierSet(divergence.specifier).contains(line, prereleases=True) and problem.preferences:
        return False
    own = [demand for demand in problem.of_kind(Kind.DIVERGED) if demand.project == project]
    back = Demand(kind=Kind.TESTED, text=f"{project}=={line}", source="")
    return isinstance(solver.solve(problem.without(own).adding(back)), Solved)


def _reason(tested: Demand, found: Relaxation, stack: EffectiveStack) -> str:
    """Say who stands against a tested line: who requires the project in the solution, and is asked for or moved itself."""
    asked = {Requirement(text).name.lower() for text in stack.requirements}
    moved = {demand.project for demand in found.relaxed}
    needs = sorted(
        {
            f"{candidate.project} {candidate.version}"
            for resolution in found.solved.resolutions
            for candidate in resolution.candidates
            if tested.project in candidate.dependencies and (candidate.project in asked or candidate.project in moved)
        }
    )
    if tested.project in asked:
        return f"stack {stack.name} asks for another than the tested {tested.text}"
    return f"{' and '.join(needs[:2]) or 'what the stack asks for'} cannot be had with the tested {tested.text}"


def _owner(stack: EffectiveStack) -> str:
    if not stack.owners:
        raise StackError(
            "names no owner, and a divergence needs one",
            context=f"stacks/{stack.name}/stack.toml: owners",
            hint='write owners = ["team:..."]',
        )
    return stack.owners[0]
