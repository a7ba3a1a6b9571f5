"""`airflow-kubler diff`: what differs between two locks, and what a node would pull again."""

from __future__ import annotations

import click

from builder.cli.options import json_option
from builder.cli.output import show_json, show_text
from builder.cli.root import Context


@click.command()
@click.argument("before")
@click.argument("after", required=False)
@click.option(
    "--format", "form", type=click.Choice(["text", "markdown", "json"]), default="text", help="Default: text."
)
@click.option("--exit-code", is_flag=True, help="Exit 1 where they differ.")
@json_option
@click.pass_obj
def command(context: Context, before: str, after: str | None, form: str, *, exit_code: bool, as_json: bool) -> int:
    """Show what differs between the locks BEFORE and AFTER, and what a node would pull again.

    Each is a stack (core), a stack at a git revision (core@HEAD~1), a lock file, or a file of a revision
    (HEAD~1:locks/pylock.core.toml). A stack alone is compared with its lock in HEAD.
    """
    from builder.cli.diff_view import comparison_to_dict, render_markdown, render_text
    from builder.usecase.diff import compare_sides, layout_folders, open_side
    from builder.wiring.stores import make_revision_reader

    project = context.project()
    revision = make_revision_reader(project)
    first, second = (f"{before}@HEAD", before) if after is None else (before, after)
    one, two = (open_side(project, text, revision) for text in (first, second))
    found = compare_sides(one, two, layout_folders(project, [one.lock.stack, two.lock.stack]))
    if as_json or form == "json":
        show_json(comparison_to_dict(found))
    else:
        show_text(render_markdown(found) if form == "markdown" else render_text(found))
    return int(exit_code and not found.diff.is_empty)
