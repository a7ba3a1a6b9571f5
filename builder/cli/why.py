"""`airflow-kubler why`: why a project is in a stack, and what holds its version."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict

import click

from builder.cli.options import json_option
from builder.cli.output import show_json, show_text
from builder.cli.root import Context
from builder.usecase.why import Why

_MOST_NAMES = 2


@click.command()
@click.argument("stack")
@click.argument("project_name", metavar="PROJECT")
@json_option
@click.pass_obj
def command(context: Context, stack: str, project_name: str, *, as_json: bool) -> None:
    """Show who in STACK wants PROJECT, from what was asked for, and what holds its version."""
    from builder.usecase.distance import load_lock
    from builder.usecase.why import explain_why, metadata_reader
    from builder.wiring.stores import make_snapshot_store

    project = context.project()
    lock = load_lock(project, stack)
    parents = {name: load_lock(project, name) for name in lock.parents}
    stacks = project.load_stacks()
    found = explain_why(
        lock,
        project_name,
        parents=parents,
        asked={name: stacks[name].requirements for name in (stack, *lock.parents)},
        metadata=metadata_reader(project, make_snapshot_store()),
    )
    show_json(asdict(found)) if as_json else show_text("\n".join(iter_lines(found)))


def iter_lines(found: Why) -> Iterator[str]:
    """Render paths, then what bounds the version."""
    yield f"{found.project} {', '.join(found.versions)} in {found.stack}"
    for path in found.paths:
        yield "  " + " -> ".join(path)
    if found.more_paths:
        yield f"  and {found.more_paths} more that require it"
    if found.holders:
        yield "held by"
        yield from (f"  {_who(holder.who)} {holder.text}" for holder in found.holders)


def _who(names: tuple[str, ...]) -> str:
    shown = ", ".join(names[:_MOST_NAMES])
    return f"{shown} and {len(names) - _MOST_NAMES} more" if len(names) > _MOST_NAMES else shown
