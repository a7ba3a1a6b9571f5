"""`airflow-kubler ls`: what stands in a repository."""

from __future__ import annotations

import click

from builder.cli.options import json_option, workers_option
from builder.cli.output import render_table, show_json, show_text
from builder.registry.model import parse_repository
from builder.usecase.list_tags import TagView, list_tags
from builder.wiring.registries import make_registry


@click.command()
@click.argument("repository")
@click.argument("stack", required=False)
@click.option("--all", "attached", is_flag=True, help="List tags of signatures and other referrers, too.")
@workers_option
@json_option
def command(repository: str, stack: str | None, workers: int, *, attached: bool, as_json: bool) -> int:
    """List the tags of REPOSITORY, newest first, then its channels; of one STACK where it is given.

    Exit status 1 where there are none.
    """
    parsed = parse_repository(repository)
    with make_registry() as registry:
        views = list_tags(registry, parsed, stack=stack, attached=attached, workers=workers)
    if as_json:
        show_json([_view_json(view) for view in views])
    elif views:
        rows = [
            (view.tag, str(view.digest or "unknown"), ", ".join(view.platforms), ", ".join(view.same_as))
            for view in views
        ]
        show_text(render_table(("tag", "digest", "platforms", "same as"), rows))
    else:
        show_text(f"nothing of {stack} stands in {parsed}" if stack else f"there are no tags in {parsed}")
    return 0 if views else 1


def _view_json(view: TagView) -> dict[str, object]:
    return {
        "tag": view.tag,
        "stack": view.stack or None,
        "immutable": bool(view.stack),
        "digest": str(view.digest) if view.digest else None,
        "media_type": view.kind or None,
        "platforms": list(view.platforms),
        "same_as": list(view.same_as),
    }
