"""`airflow-kubler sbom`: what is in an image, in the forms that scanners read."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from builder.cli.options import DEFAULT_STACK, default_jobs, host_platform, platform_option
from builder.cli.output import note, progress
from builder.cli.root import Context
from builder.errors import InvalidInputError
from builder.platform import Platform

if TYPE_CHECKING:
    from builder.sbom.make import Form
    from builder.usecase.locked_image import LockedImageOf
    from builder.usecase.sbom import FactTools

_FORMATS = ("cyclonedx", "spdx")


@click.command()
@click.argument("image", default=DEFAULT_STACK, metavar="[STACK|IMAGE]")
@click.option("--format", "form", type=click.Choice(_FORMATS), default="cyclonedx", show_default=True)
@platform_option
@click.option(
    "--output", "-o", type=click.Path(path_type=Path), help="File, or folder for several. Default: standard output."
)
@click.option("--attach", metavar="REFERENCE", help="Push it beside each platform of the image there, unsigned.")
@click.pass_obj
def command(
    context: Context,
    image: str,
    form: str,
    platforms: tuple[Platform, ...],
    output: Path | None,
    attach: str | None,
) -> None:
    """Write the bill of materials of STACK as it is locked, or of an IMAGE that the ledger knows.

    It is made from locks and the files that they name: no scanner is asked, and nothing need be built. An IMAGE is a digest or
    its beginning, a reference, a tag, or STACK@CHANNEL; its bill says which layer holds what by digest.

    Without --platform: this machine's; with --attach all of the image's.
    """
    from builder.sbom.make import Form
    from builder.usecase.sbom import save_bills
    from builder.wiring.bills import make_fact_tools, open_image

    opened = open_image(context.project_or_none(), context.recording(), image)
    tools = make_fact_tools(default_jobs(), lambda total: progress(f"read {opened.stack}", total))
    if attach:
        _attach(attach, opened, platforms, Form(form), tools)
        if output is None:
            return
    chosen = opened.platforms(platforms, _this_platform())
    if output is not None:
        for path in save_bills(opened, chosen, Form(form), output, tools):
            note(f"written to {path}")
        return
    _print(opened, chosen, Form(form), tools)


def _print(image: LockedImageOf, platforms: tuple[Platform, ...], form: Form, tools: FactTools) -> None:
    from builder.usecase.sbom import make_bill

    if len(platforms) > 1:
        raise click.UsageError("A bill is of one platform: name one, or a folder by --output.")
    click.echo(make_bill(image, platforms[0], form, tools), nl=False)


def _attach(text: str, image: LockedImageOf, platforms: tuple[Platform, ...], form: Form, tools: FactTools) -> None:
    from builder.registry.model import parse_reference
    from builder.usecase.sbom import attach_bills
    from builder.wiring.registries import make_registry

    reference = parse_reference(text)
    with make_registry() as registry:
        for bill in attach_bills(registry, reference, image, platforms, form, tools):
            click.echo(f"{reference.repository}@{bill.manifest.digest}")
            note(f"refers to the {bill.platform} image {bill.subject}")


def _this_platform() -> Platform | None:
    try:
        return host_platform()
    except InvalidInputError:
        return None
