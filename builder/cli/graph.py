"""`airflow-kubler graph`: stacks, bases and channels, as a tree, a picture, JSON or DOT."""

from __future__ import annotations

from typing import ClassVar

import click

from builder.cli.graph_view import render_dot, render_tree, survey_to_dict
from builder.cli.options import json_option
from builder.cli.output import show_json, show_text
from builder.cli.root import Context, Verb
from builder.cli.subverbs import VerbWithSubverbs
from builder.usecase.graph import Survey, survey_project
from builder.usecase.standing import Standing


class _Graph(VerbWithSubverbs):
    subverbs: ClassVar = {
        "affected": Verb("builder.cli.graph_affected:command", "Show what a change of one thing touches."),
    }


@click.command(cls=_Graph)
@json_option
@click.option(
    "--format", "form", type=click.Choice(["text", "json", "dot", "svg"]), default="text", help="Default: text."
)
@click.pass_obj
def command(context: Context, form: str, *, as_json: bool) -> None:
    """Show stacks, the bases they stand on, the stacks they extend; where there is a ledger, builds and channels too."""
    survey = survey_project(context.project())
    standing = _standing(context, survey)
    if as_json or form == "json":
        show_json(survey_to_dict(survey, standing))
    elif form == "svg":
        from builder.picture.stacks import draw_stacks

        show_text(draw_stacks(survey, standing).rstrip("\n"))
    else:
        show_text(render_dot(survey, standing) if form == "dot" else render_tree(survey, standing))


def _standing(context: Context, survey: Survey) -> Standing:
    path = context.recording()
    if path is None:
        return Standing()
    from builder.usecase.standing import find_standing
    from builder.wiring.ledgers import open_ledger

    with open_ledger(path) as ledger:
        return find_standing(ledger, [stack.name for stack in survey.stacks])
