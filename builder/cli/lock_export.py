"""`airflow-kubler lock export`: a lock as other tools read it."""

from __future__ import annotations

from pathlib import Path

import click

from builder.cli.options import host_platform, platform_option, stack_argument
from builder.cli.output import note
from builder.cli.root import Context
from builder.errors import InvalidInputError
from builder.platform import Platform

_FORMATS = ("pylock", "requirements", "constraints", "cyclonedx")


@click.command()
@stack_argument
@click.option("--format", "form", type=click.Choice(_FORMATS), required=True, help="What to write.")
@platform_option
@click.option("--output", "-o", type=click.Path(path_type=Path, dir_okay=False), help="File. Default: standard output.")
@click.option(
    "--wheels",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="DIR",
    help="Also put the wheels there, for `pip install --no-index --find-links DIR`; fetch them first.",
)
@click.pass_obj
def command(
    context: Context, stack: str, form: str, platforms: tuple[Platform, ...], output: Path | None, wheels: Path | None
) -> None:
    """Write the lock of STACK as other tools read it.

    pylock: PEP 751 without our own tables, to stand beside locks/files. requirements: pip's, with hashes. constraints:
    project==version. cyclonedx: the bill of materials that the locks alone give, of one platform; `airflow-kubler sbom` says
    more, by the files that they name. Each says which lock it was made from.
    """
    from builder.usecase.export import dump_export, dump_lock_bill, link_wheels, open_export, save_export

    project = context.project()
    export = open_export(project, stack, platforms)
    if form == "cyclonedx":
        if len(platforms) > 1:
            raise click.UsageError("A bill is of one platform.")
        data = dump_lock_bill(project, stack, platforms[0] if platforms else _this_or_first(export.platforms))
    else:
        data = dump_export(export, form)
    if wheels is not None:
        note(f"{link_wheels(project, export, wheels)} wheels in {wheels}")
    if output is None:
        click.echo(data, nl=False)
    else:
        save_export(data, output)


def _this_or_first(held: tuple[Platform, ...]) -> Platform:
    try:
        platform = host_platform()
    except InvalidInputError:
        return held[0]
    return platform if platform in held else held[0]
