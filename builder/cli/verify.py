"""`airflow-kubler verify`: build again and compare."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from builder.cli.options import DEFAULT_FOLDER, jobs_option, json_option, stack_argument
from builder.cli.output import progress
from builder.cli.root import Context
from builder.digest import Digest
from builder.errors import InvalidInputError
from builder.wiring.images import scratch_build_tools


def _parse_digest(ctx: click.Context, param: click.Parameter, value: str | None) -> Digest | None:
    del ctx, param
    try:
        return Digest.parse(value) if value else None
    except InvalidInputError as error:
        raise click.BadParameter(error.message) from error


@click.command()
@stack_argument
@click.option(
    "--layout",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="DIR",
    help="OCI layout to compare with. Default: build/STACK in the project.",
)
@click.option(
    "--digest", callback=_parse_digest, metavar="DIGEST", help="Compare with the digest of an image index instead."
)
@click.option("--files", is_flag=True, help="Compare files and how the image runs, not layers: for images of BuildKit.")
@click.option("--rebuild", is_flag=True, help="STACK is an image in a registry: rebuild it from its archive alone.")
@click.option("--wheels", is_flag=True, help="With --rebuild: build wheels that came from sdists again, too.")
@click.option(
    "--attest",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="With --rebuild: write an in-toto statement on what came out.",
)
@click.option("--rebuilder", metavar="NAME", help="Of the statement: who and where. Default: user@host.")
@jobs_option
@json_option
@click.pass_obj
def command(context: Context, /, stack: str, jobs: int, *, rebuild: bool, as_json: bool, **how: Any) -> int:
    """Build STACK again from its lock, without any cache, and compare; exit status 1 where anything differs.

    With --rebuild, STACK is a reference, as registry.example.org/team/airflow:prod: lock and inputs come from the archive
    beside the image, and from nowhere else; no project is needed.
    """
    if ("/" in stack) != rebuild:
        what = "names an image in a registry" if "/" in stack else "is no reference to an image in a registry"
        raise click.UsageError(f"{stack!r} {what}: {'add' if '/' in stack else 'name one with'} --rebuild")
    if rebuild:
        from builder.cli.verify_reference import verify_reference

        if how["layout"] or how["digest"] or how["files"]:
            raise click.UsageError("--layout, --digest and --files say nothing with --rebuild")
        named = {name: how[name] for name in ("attest", "rebuilder", "wheels")}
        return verify_reference(stack, jobs, **named, recording=context.recording(), as_json=as_json)
    if how["attest"] or how["rebuilder"] or how["wheels"]:
        raise click.UsageError("--attest, --rebuilder and --wheels need --rebuild")
    if how["files"] and how["digest"]:
        raise click.UsageError("--files needs an image, and --digest names none")
    return _verify(context, stack, how, jobs, as_json=as_json)


def _verify(context: Context, stack: str, how: Mapping[str, Any], jobs: int, *, as_json: bool) -> int:
    from builder.cli.verify_view import show_report
    from builder.usecase.verify import verify_digest, verify_layout

    project = context.project()
    with scratch_build_tools(jobs, lambda total: progress(f"verify {stack}", total)) as tools:
        if how["digest"] is not None:
            report = verify_digest(stack, project.locks_folder, how["digest"], tools)
        else:
            folder = how["layout"] or project.root / DEFAULT_FOLDER / stack
            report = verify_layout(stack, project.locks_folder, folder, tools, by_files=how["files"])
    show_report(report, as_json=as_json)
    return 1 if report.differences else 0
