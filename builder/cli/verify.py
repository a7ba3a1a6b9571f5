"""`airflow-kubler verify`: build again and compare."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from builder.cli.build import DEFAULT_FOLDER
from builder.cli.options import jobs_option, json_option, stack_argument
from builder.cli.output import progress, show_json, show_text
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
@jobs_option
@json_option
@click.pass_obj
def command(
    context: Context, stack: str, layout: Path | None, digest: Digest | None, jobs: int, *, as_json: bool
) -> int:
    """Build STACK again from its lock, without any cache, and compare; exit status 1 where anything differs."""
    from builder.usecase.verify import verify_digest, verify_layout

    project = context.project()
    with scratch_build_tools(jobs, lambda total: progress(f"verify {stack}", total)) as tools:
        if digest is not None:
            report = verify_digest(stack, project.locks_folder, digest, tools)
        else:
            folder = layout or project.root / DEFAULT_FOLDER / stack
            report = verify_layout(stack, project.locks_folder, folder, tools)
    if as_json:
        value: dict[str, Any] = {
            "stack": stack,
            "reproduced": not report.differences,
            "index_digest": str(report.index_digest),
            "found_digest": str(report.found_digest),
            "differences": [
                {"where": difference.where, "path": difference.path, "what": difference.what}
                for difference in report.differences
            ],
        }
        show_json(value)
    elif report.differences:
        show_text("\n".join(f"differs: {difference}" for difference in report.differences))
    else:
        show_text(f"{report.index_digest} is what the lock of {stack} gives")
    return 1 if report.differences else 0
