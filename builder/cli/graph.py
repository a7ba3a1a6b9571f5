"""`airflow-kubler graph`: stacks, bases and parents, as a tree, JSON or DOT."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import click

from builder.cli.options import json_option
from builder.cli.output import show_json, show_text
from builder.cli.root import Context
from builder.stack.model import EffectiveStack
from builder.usecase.graph import Survey, survey_project


@click.command()
@json_option
@click.option("--format", "form", type=click.Choice(["text", "json", "dot"]), default="text", help="Default: text.")
@click.pass_obj
def command(context: Context, form: str, *, as_json: bool) -> None:
    """Show stacks, the bases they stand on, and the stacks they extend."""
    survey = survey_project(context.project())
    if as_json or form == "json":
        show_json(survey_to_dict(survey))
    else:
        show_text(render_dot(survey) if form == "dot" else render_tree(survey))


def render_tree(survey: Survey) -> str:
    """Render bases, the stacks on each, and the stacks that extend those."""
    lines: list[str] = []
    for base in survey.bases:
        lines.append(f"{base.name}  ({base.origin}, Python {base.python})")
        lines += _iter_branches(survey, survey.roots(base.name), "")
    return "\n".join(lines)


def render_dot(survey: Survey) -> str:
    """Render the graph for Graphviz: edges lead from what is below to what stands on it."""
    lines = ["digraph stacks {", "  rankdir=LR;"]
    lines += [f'  "base/{base.name}" [shape=box, label="{base.name}"];' for base in survey.bases]
    for stack in survey.stacks:
        below = stack.parents[0] if stack.parents else f"base/{stack.base}"
        lines += [f'  "{stack.name}";', f'  "{below}" -> "{stack.name}";']
    return "\n".join([*lines, "}"])


def survey_to_dict(survey: Survey) -> dict[str, Any]:
    """Make the JSON form; stacks stand after their parents."""
    bases = [
        {"name": base.name, "description": base.description, "release": base.release, "python": base.python}
        for base in survey.bases
    ]
    stacks = [
        {
            "name": stack.name,
            "description": stack.description,
            "owners": stack.owners,
            "base": stack.base,
            "parents": stack.parents,
            "airflow_version": stack.airflow_version,
            "platforms": [platform.name for platform in stack.platforms],
            "requirements": stack.requirements,
        }
        for stack in survey.stacks
    ]
    return {"bases": bases, "stacks": stacks}


def _iter_branches(survey: Survey, stacks: tuple[EffectiveStack, ...], margin: str) -> Iterator[str]:
    for stack in stacks:
        last = stack is stacks[-1]
        adds = len(survey.own[stack.name].requirements)
        what = f"adds {adds}" if stack.parents else f"Airflow {stack.airflow_version}, {adds}"
        yield f"{margin}{'└─' if last else '├─'} {stack.name}  ({what} requirement{'s' if adds != 1 else ''})"
        yield from _iter_branches(survey, survey.children(stack.name), margin + ("   " if last else "│  "))
