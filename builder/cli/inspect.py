"""`airflow-kubler inspect`: what an image holds, and what owns a path."""

from __future__ import annotations

from pathlib import Path

import click

from builder.cli.options import DEFAULT_FOLDER, default_jobs, json_option, platform_option, stack_argument
from builder.cli.output import render_size, render_table, show_json, show_text
from builder.cli.root import Context
from builder.platform import Platform
from builder.usecase.build import BuildRequest
from builder.usecase.inspect import ImageView, Owner, find_owners, inspect_layout, owners_to_json, view_to_json
from builder.wiring.images import build_tools

_WIDTH = 70


@click.command()
@stack_argument
@click.option(
    "--layout",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="DIR",
    help="OCI layout to look into. Default: build/STACK in the project.",
)
@click.option("--path", metavar="PATH", help="Say which distribution or deb a path, or what lies below it, came from.")
@platform_option
@json_option
@click.pass_obj
def command(
    context: Context,
    stack: str,
    layout: Path | None,
    path: str | None,
    platforms: tuple[Platform, ...],
    *,
    as_json: bool,
) -> int:
    """Show the layers of STACK's image, their sizes and what is in them; with --path, what owns a path."""
    project = context.project()
    folder = layout or project.root / DEFAULT_FOLDER / stack
    if path is None:
        view = inspect_layout(folder, platforms)
        show_json(view_to_json(view)) if as_json else show_text(_render(view))
        return 0
    request = BuildRequest(stack=stack, locks=project.locks_folder, output=folder, platforms=platforms)
    owners = find_owners(path, request, build_tools(default_jobs()))
    show_json(owners_to_json(path, owners)) if as_json else show_text(_render_owners(path, owners))
    return 0 if owners else 1


def _render_owners(path: str, owners: tuple[Owner, ...]) -> str:
    rows = [(str(one.platform), f"/{one.path}", one.kind, f"{one.mode:04o}", one.owner, one.layer) for one in owners]
    return render_table(("platform", "path", "kind", "mode", "owner", "layer"), rows) if rows else f"nothing at {path}"


def _render(view: ImageView) -> str:
    blocks = [f"{view.stack}  {view.index_digest}"]
    for image in view.platforms:
        rows = [
            (
                str(number),
                layer.name,
                render_size(layer.size),
                layer.digest.hex[:12],
                _shorten(" ".join(layer.contents)),
            )
            for number, layer in enumerate(image.layers)
        ]
        head = f"{image.platform}  {image.manifest_digest}  {len(image.layers)} layers  {render_size(image.size)}"
        blocks.append(f"{head}\n{render_table(('', 'layer', 'size', 'digest', 'contents'), rows, right=(0, 2))}")
    return "\n\n".join(blocks)


def _shorten(text: str) -> str:
    return text if len(text) <= _WIDTH else text[: _WIDTH - 4] + " ..."
