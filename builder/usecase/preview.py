"""Preview: the whole consequence of a wish, without writing anything."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from builder.digest import Digest
from builder.errors import InvalidInputError, IssuesError, StackError
from builder.lock.pylock import dump_stack_lock
from builder.project import Project
from builder.stack.model import Stack
from builder.stack.requirements import check_requirement
from builder.usecase.diff import Comparison, compare_sides, layout_folders, open_lock
from builder.usecase.distance import load_lock
from builder.usecase.lock import open_stack
from builder.usecase.lock_model import LockOptions, LockTools, StackChange
from builder.usecase.lock_stack import lock_session
from builder.usecase.stack_session import with_stack


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What a team would like to change."""

    add: tuple[str, ...] = ()
    """PEP 508; in place of what the stack itself asks of the same project."""
    remove: tuple[str, ...] = ()
    airflow: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Preview:
    """What a wish would bring."""

    comparison: Comparison
    change: StackChange
    children: tuple[str, ...]
    """Stacks that would have to be locked again."""


def preview(project: Project, tools: LockTools, name: str, wish: Wish, options: LockOptions) -> Preview:
    """Make the lock that a wish would give, and compare it with the one there is; writes no file of the project.

    Raises:
        ResolutionError: it cannot be had, with ways out.
    """
    stacks = project.load_stacks()
    before = load_lock(project, name)
    edited = with_stack(stacks, edit_stack(stacks[name], wish))
    session = open_stack(project, tools, name, stacks=edited, options=options)
    lock, change = lock_session(session, tools)
    sides = [
        open_lock(project, one, Digest.of(dump_stack_lock(one)), label=label)
        for one, label in ((before, f"{name} now"), (lock, f"{name} then"))
    ]
    return Preview(
        comparison=compare_sides(sides[0], sides[1], layout_folders(project, [name])),
        change=change,
        children=_children(stacks, name),
    )


def edit_stack(stack: Stack, wish: Wish) -> Stack:
    """Apply a wish to a stack.

    Raises:
        IssuesError: a requirement cannot be read.
        InvalidInputError: what shall be removed is not asked for.
    """
    issues = [
        StackError(message, context=f"--add {text}", hint=hint)
        for text in wish.add
        for message, hint in (check_requirement(text),)
        if message
    ]
    if issues:
        raise IssuesError(issues)
    gone = {canonicalize_name(text) for text in wish.remove}
    asked = {_project(text) for text in stack.requirements}
    for project in sorted(gone - asked):
        raise InvalidInputError(
            f"the stack itself does not ask for {project}",
            context=f"--remove {project}",
            hint="see: airflow-kubler why",
        )
    replaced = gone | {_project(text) for text in wish.add}
    kept = tuple(text for text in stack.requirements if _project(text) not in replaced)
    edited = replace(stack, requirements=(*kept, *wish.add))
    return replace(edited, airflow_version=wish.airflow) if wish.airflow else edited


def _children(stacks: Mapping[str, Stack], name: str) -> tuple[str, ...]:
    found: list[str] = []
    todo: Sequence[str] = [name]
    while todo:
        todo = sorted(stack.name for stack in stacks.values() if stack.extends in set(todo))
        found += todo
    return tuple(found)


def _project(text: str) -> str:
    return canonicalize_name(Requirement(text).name)
