"""`airflow-kubler preview`: what a wish would bring, without writing anything."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import click

from builder.cli.options import json_option, stack_argument, upgrade_options
from builder.cli.output import note, show_json, show_text, tally
from builder.cli.root import Context


@click.command()
@stack_argument
@click.option("--add", multiple=True, metavar="REQUIREMENT", help='As "x>=3"; may be repeated.')
@click.option("--remove", multiple=True, metavar="PROJECT", help="Leave out what the stack asks for.")
@click.option("--airflow", metavar="VERSION", help="Take another Airflow.")
@upgrade_options
@click.option("--format", "form", type=click.Choice(["text", "markdown"]), default="text", help="Default: text.")
@json_option
@click.pass_obj
def command(context: Context, /, stack: str, form: str, *, as_json: bool, **wish: Any) -> None:
    """Show what changing STACK would bring: what moves, what a node would pull, what would be locked again."""
    from builder.cli.diff_view import comparison_to_dict, render_markdown, render_text
    from builder.cli.lock_report import iter_findings
    from builder.usecase.lock_model import LockOptions
    from builder.usecase.preview import Wish, preview
    from builder.wiring.locks import make_lock_tools

    project = context.project()
    options = LockOptions(upgrade=wish["upgrade"], upgrade_packages=wish["upgrade_packages"])
    wanted = Wish(add=wish["add"], remove=wish["remove"], airflow=wish["airflow"])
    with tally("asking the indexes") as watch, make_lock_tools(project, note, watch=watch) as tools:
        found = preview(project, tools, stack, wanted, options)
    if as_json:
        findings = list(iter_findings(found.change))
        show_json({**comparison_to_dict(found.comparison), "findings": findings, "children": list(found.children)})
        return

    def lines() -> Iterator[str]:
        yield (render_markdown if form == "markdown" else render_text)(found.comparison)
        yield from iter_findings(found.change)
        if found.children:
            yield f"to be locked again: {', '.join(found.children)}"
        yield "nothing was written"

    show_text("\n".join(lines()))
