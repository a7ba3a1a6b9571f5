"""`airflow-kubler build`: from a lock to an image."""

from __future__ import annotations

from pathlib import Path

import click

from builder.cli.options import jobs_option, json_option, platform_option, stack_argument
from builder.cli.output import note, progress, render_size, show_json, show_text
from builder.cli.root import Context
from builder.platform import Platform
from builder.usecase.build import BuildRequest, build
from builder.wiring.images import build_tools

DEFAULT_FOLDER = "build"


@click.command()
@stack_argument
@click.option(
    "--output",
    "-o",
    type=click.Path(path_type=Path),
    metavar="PATH",
    help="Folder for an OCI layout, or FILE.tar for `docker load`. Default: build/STACK in the project.",
)
@platform_option
@click.option(
    "--compression",
    type=click.Choice(["zstd", "gzip"]),
    help="Of layers; docker before 23 needs gzip. Default: what the lock says.",
)
@jobs_option
@json_option
@click.pass_obj
def command(
    context: Context,
    stack: str,
    output: Path | None,
    platforms: tuple[Platform, ...],
    compression: str | None,
    jobs: int,
    *,
    as_json: bool,
) -> None:
    """Build the image of STACK from its lock and the store, without network, daemon or root."""
    project = context.project()
    target = output or project.root / DEFAULT_FOLDER / stack
    request = BuildRequest(
        stack=stack, locks=project.locks_folder, output=target, platforms=platforms, compression=compression
    )
    tools = build_tools(jobs, lambda total: progress(f"build {stack}", total))
    summary = build(request, tools)
    if as_json:
        show_json(summary)
        return
    for name, image in summary["platforms"].items():
        size = sum(layer["size_bytes"] for layer in image["layers"])
        show_text(f"{name}  {image['manifest_digest']}  {len(image['layers'])} layers  {render_size(size)}")
    show_text(f"index        {summary['index_digest']}")
    note(f"written to {target}")
