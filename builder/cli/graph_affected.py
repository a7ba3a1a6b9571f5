"""`airflow-kubler graph affected`: what a change of one thing touches."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from builder.cli.options import json_option
from builder.cli.output import show_json, show_text
from builder.cli.root import Context

if TYPE_CHECKING:
    from builder.nightly.graph import Affected, BuildGraph


@click.command()
@click.option(
    "--by",
    required=True,
    metavar="NODE",
    help="deb:PACKAGE, project:NAME, wheel:FILE, base:NAME, stack:NAME, or index for all that indexes may say.",
)
@json_option
@click.pass_obj
def command(context: Context, by: str, *, as_json: bool) -> None:
    """Show which bases, stacks and images are made from something, by the locks as they are."""
    from builder.usecase.affected import load_graph
    from builder.wiring.stores import make_build_store

    graph = load_graph(context.project(), make_build_store())
    found = graph.affected(by)
    show_json(asdict(found)) if as_json else show_text(render_affected(found, graph))


def render_affected(found: Affected, graph: BuildGraph) -> str:
    """Render who is touched, with the owners of stacks."""
    lines = [f"{found.by} {version}: in {', '.join(holders)}" for version, holders in found.versions.items()]
    lines += [f"base {name} would be locked again" for name in found.bases]
    for name in found.stacks:
        stack = graph.stacks[name]
        above = f", extends {stack.parent}" if stack.parent else ""
        lines.append(f"stack {name}: on {stack.base}{above}; of {', '.join(stack.owners) or 'nobody'}")
    images = len(found.images)
    lines.append(f"{images} of {len(graph.stacks)} images would be built and scanned again")
    return "\n".join(lines)
