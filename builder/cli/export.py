"""`airflow-kubler export`: a lock in the form of other builders."""

from __future__ import annotations

from pathlib import Path

import click

from builder.cli.options import default_jobs, host_platform, json_option, platform_option, stack_argument
from builder.cli.output import note, progress, show_json, show_text
from builder.cli.root import Context
from builder.platform import Platform


@click.group()
def command() -> None:
    """Write a lock in the form of other builders."""


@command.command()
@stack_argument
@click.option(
    "--output", "-o", type=click.Path(path_type=Path), metavar="DIR", help="An empty folder for the whole context."
)
@platform_option
@json_option
@click.pass_obj
def dockerfile(
    context: Context, stack: str, output: Path | None, platforms: tuple[Platform, ...], *, as_json: bool
) -> None:
    """Show STACK as a Dockerfile; with --output, write all that `docker build` needs, without network."""
    from builder.usecase.export_dockerfile import ExportRequest, export_dockerfile, show_dockerfile
    from builder.wiring.images import build_tools

    if len(platforms) > 1:
        raise click.UsageError("A Dockerfile is for one platform.")
    platform = platforms[0] if platforms else host_platform()
    request = ExportRequest(stack=stack, locks=context.project().locks_folder, platform=platform)
    if output is None:
        text = show_dockerfile(request)
        show_json({"stack": stack, "platform": platform.name, "dockerfile": text}) if as_json else show_text(
            text.rstrip("\n")
        )
        return
    tools = build_tools(default_jobs(), lambda total: progress(f"export {stack}", total))
    told = export_dockerfile(request, tools, output)
    if as_json:
        show_json(told)
        return
    note(f"written to {output}: DOCKER_BUILDKIT=1 docker build --network none {output}")
