"""What `graph` shows beside pictures: a tree, DOT, and values for JSON."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from builder.history.image import short_digest
from builder.sizes import render_count, render_size
from builder.stack.model import EffectiveStack
from builder.usecase.graph import Survey
from builder.usecase.standing import Standing


def render_tree(survey: Survey, standing: Standing) -> str:
    """Render bases, the stacks on each, and the stacks that extend those."""
    lines: list[str] = []
    for base in survey.bases:
        lines.append(f"{base.name}  ({base.origin}, Python {base.python})")
        lines += _iter_branches(survey, standing, survey.roots(base.name), "")
    return "\n".join(lines)


def render_dot(survey: Survey, standing: Standing) -> str:
    """Render the graph for Graphviz: edges lead from what is below to what stands on it, dashed ones to channels."""
    lines = ["digraph stacks {", "  rankdir=LR;"]
    lines += [f'  "base/{base.name}" [shape=box, label="{base.name}"];' for base in survey.bases]
    for stack in survey.stacks:
        below = stack.parents[0] if stack.parents else f"base/{stack.base}"
        lines += [f'  "{stack.name}"{_label(stack.name, standing)};', f'  "{below}" -> "{stack.name}";']
        for one in standing.stacks[stack.name].channels if stack.name in standing.stacks else ():
            key = _quoted(f"{stack.name}@{one.state.channel}")
            told = _quoted(f"{one.state.channel}\\n{short_digest(one.state.digest)}")
            lines += [f'  "{key}" [shape=cds, label="{told}"];', f'  "{stack.name}" -> "{key}" [style=dashed];']
    return "\n".join([*lines, "}"])


def survey_to_dict(survey: Survey, standing: Standing) -> dict[str, Any]:
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
            **_standing_to_dict(stack.name, standing),
        }
        for stack in survey.stacks
    ]
    return {"bases": bases, "stacks": stacks}


def _standing_to_dict(stack: str, standing: Standing) -> dict[str, Any]:
    """Say what the ledger knows; nothing where it knows nothing."""
    found = standing.stacks.get(stack)
    if found is None:
        return {}
    newest = found.newest
    return {
        "newest": {"digest": newest.built.digest, "built": newest.entry.moment, "size_bytes": found.size}
        if newest
        else None,
        "channels": {one.state.channel: {"digest": one.state.digest, "behind": one.behind} for one in found.channels},
    }


def _iter_branches(
    survey: Survey, standing: Standing, stacks: tuple[EffectiveStack, ...], margin: str
) -> Iterator[str]:
    for stack in stacks:
        last = stack is stacks[-1]
        own = render_count(len(survey.own[stack.name].requirements), "requirement")
        what = f"adds {own}" if stack.parents else f"Airflow {stack.airflow_version}, {own}"
        yield f"{margin}{'└─' if last else '├─'} {stack.name}  ({what}){_tell(stack.name, standing)}"
        yield from _iter_branches(survey, standing, survey.children(stack.name), margin + ("   " if last else "│  "))


def _tell(stack: str, standing: Standing) -> str:
    found = standing.stacks.get(stack)
    if found is None or found.newest is None:
        return ""
    channels = [
        f"{one.state.channel} {short_digest(one.state.digest)}" if one.behind else one.state.channel
        for one in found.channels
    ]
    told = f"  {short_digest(found.newest.built.digest)}  {render_size(found.size)}"
    return f"{told}  {', '.join(channels)}" if channels else told


def _label(stack: str, standing: Standing) -> str:
    found = standing.stacks.get(stack)
    if found is None or found.newest is None:
        return ""
    return f' [label="{stack}\\n{short_digest(found.newest.built.digest)}\\n{render_size(found.size)}"]'


def _quoted(name: str) -> str:
    return name.replace('"', "'")
