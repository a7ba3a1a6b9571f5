"""`airflow-kubler compare`: what two images have apart."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from builder.cli.options import json_option
from builder.cli.output import progress, show_json, show_text
from builder.cli.root import Context
from builder.usecase.compare import ImageComparison, compare_files, compare_images, count_bytes, open_image
from builder.wiring.ledgers import open_ledger

if TYPE_CHECKING:
    from builder.usecase.compare import OpenBlob


@click.command()
@click.argument("before")
@click.argument("after")
@click.option("--files", is_flag=True, help="Compare the files of changed layers too.")
@click.option(
    "--layout",
    "layouts",
    multiple=True,
    type=click.Path(path_type=Path, file_okay=False, exists=True),
    metavar="DIR",
    help="With --files: an OCI layout that holds layers, beside build/ of the project and the cache; may be repeated.",
)
@click.option(
    "--registry", is_flag=True, help="Ask the registry: for references that are not on record, and for layers."
)
@click.option("--exit-code", is_flag=True, help="Exit 1 where they differ.")
@json_option
@click.pass_obj
def command(context: Context, /, before: str, after: str, *, files: bool, as_json: bool, **how: Any) -> int:
    """Show what the images BEFORE and AFTER have apart, and what a node that holds the first pulls for the second.

    Each is a digest or its beginning, a reference, a tag, a stack (its newest build), STACK@CHANNEL, or a folder with an
    OCI layout.
    """
    from builder.cli.compare_view import comparison_to_dict, render_comparison

    with ExitStack() as stack:
        ledger = stack.enter_context(open_ledger(context.ledger_place()))
        registry = None
        if how["registry"]:
            from builder.wiring.registries import make_registry

            registry = stack.enter_context(make_registry())
        found = compare_images(*(open_image(ledger, text, registry) for text in (before, after)))
        if files:
            from builder.wiring.blobs import make_blob_opener

            folders = (*(Path(text) for text in (before, after)), *how["layouts"], *_built(context, found))
            found = _with_files(found, make_blob_opener(folders, ledger, registry))
    show_json(comparison_to_dict(found)) if as_json else show_text(render_comparison(found))
    return int(how["exit_code"] and not found.same)


def _with_files(found: ImageComparison, open_blob: OpenBlob) -> ImageComparison:
    with progress("reading layers", count_bytes(found)) as watched:
        platforms = tuple(replace(one, files=compare_files(found, one, open_blob, watched)) for one in found.platforms)
    return replace(found, platforms=platforms)


def _built(context: Context, found: ImageComparison) -> tuple[Path, ...]:
    """Name the folders where the project's images lie, where there is a project."""
    from builder.errors import BuilderError
    from builder.usecase.diff import layout_folders

    try:
        project = context.project()
    except BuilderError:
        return ()
    return layout_folders(project, [found.before.stack, found.after.stack])
