"""`airflow-kubler build`: from a lock to an image."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import click

from builder.cli.options import DEFAULT_FOLDER, jobs_option, json_option, platform_option, stack_argument
from builder.cli.output import note, progress, render_size, show_json, show_text
from builder.cli.root import Context
from builder.usecase.build import BuildRequest, build
from builder.wiring.images import build_tools
from builder.wiring.recording import open_recorder


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
@click.option(
    "--segments",
    envvar="AIRFLOW_KUBLER_SEGMENTS",
    metavar="REPOSITORY",
    help="Take finished segments from this registry, of the set that locks/segments.toml pins; or of REPOSITORY@DIGEST.",
)
@click.option("--engine", type=click.Choice(["own", "buildkit"]), default="own", show_default=True, help="What builds.")
@click.option("--check", is_flag=True, help="With buildkit: compare the file system with the own engine's.")
@jobs_option
@json_option
@click.pass_obj
def command(context: Context, /, stack: str, output: Path | None, jobs: int, *, as_json: bool, **how: Any) -> int:
    """Build the image of STACK from its lock and the store, without network, daemon or root."""
    if how["check"] and how["engine"] == "own":
        raise click.UsageError("--check goes with --engine buildkit; `verify` checks an image of the own engine.")
    project = context.project()
    target = output or project.root / DEFAULT_FOLDER / stack
    request = BuildRequest(
        stack=stack,
        locks=project.locks_folder,
        output=target,
        platforms=how["platforms"],
        compression=how["compression"],
    )
    with open_recorder(context.recording()) as recorder:
        started = time.monotonic()
        summary = _build(request, jobs, **how)
        if recorder is not None:
            recorder.built(request, summary, engine=how["engine"], started=started)
    if as_json:
        show_json(summary)
    else:
        _show(summary, target)
    if "differences" not in summary:
        return 0
    from builder.cli.build_buildkit import end_check

    return end_check(summary["differences"], as_json=as_json)


def _build(
    request: BuildRequest, jobs: int, *, engine: str, check: bool, segments: str | None, **_: Any
) -> dict[str, Any]:
    tools = build_tools(jobs, lambda total: progress(f"build {request.stack}", total))
    if engine == "buildkit":
        from builder.cli.build_buildkit import build_with_buildkit

        return build_with_buildkit(request, tools, check=check, segments=segments)
    if segments:
        from builder.cli.build_segments import build_with_segments

        return build_with_segments(request, tools, segments)
    return build(request, tools)


def _show(summary: dict[str, Any], target: Path) -> None:
    for name, image in summary["platforms"].items():
        size = sum(layer["size_bytes"] for layer in image["layers"])
        show_text(f"{name}  {image['manifest_digest']}  {len(image['layers'])} layers  {render_size(size)}")
    show_text(f"index        {summary['index_digest']}")
    note(f"written to {target}")
