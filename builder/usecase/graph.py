"""Look over a project's stacks and bases, checked together."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from builder.errors import IssuesError, StackError
from builder.project import Project
from builder.stack.graph import build_order, check_base, check_stacks, effective_stack
from builder.stack.model import Base, EffectiveStack, Stack
from builder.stack.names import nearest


@dataclass(frozen=True, slots=True, kw_only=True)
class Survey:
    """A project's stacks and bases, each known to be sound."""

    bases: tuple[Base, ...]
    """By name."""
    stacks: tuple[EffectiveStack, ...]
    """Parents before children, else by name."""
    own: Mapping[str, Stack]
    """Each stack as written."""

    def children(self, parent: str) -> tuple[EffectiveStack, ...]:
        """List the stacks that extend a stack, by name."""
        return tuple(sorted((s for s in self.stacks if s.parents[:1] == (parent,)), key=lambda s: s.name))

    def roots(self, base: str) -> tuple[EffectiveStack, ...]:
        """List the stacks that stand on a base and extend none, by name."""
        return tuple(sorted((s for s in self.stacks if s.base == base and not s.parents), key=lambda s: s.name))


def survey_project(project: Project) -> Survey:
    """Read and check all stacks and bases of a project.

    Raises:
        IssuesError: with what is wrong in any of them.
    """
    stacks = project.load_stacks()
    check_stacks(stacks)
    bases = project.load_bases()
    effective = tuple(effective_stack(stacks, name) for name in build_order(stacks))
    issues = [issue for stack in effective if (issue := _base_issue(stack, bases))]
    if issues:
        raise IssuesError(issues)
    return Survey(bases=tuple(bases.values()), stacks=effective, own=stacks)


def _base_issue(stack: EffectiveStack, bases: Mapping[str, Base]) -> StackError | None:
    if stack.base not in bases:
        where = f"stacks/{stack.name}/stack.toml: base.name"
        return (
            None
            if stack.parents
            else StackError(f"no base {stack.base!r}", context=where, hint=nearest(stack.base, bases, "base"))
        )
    try:
        check_base(stack, bases[stack.base])
    except StackError as error:
        return error
    return None
