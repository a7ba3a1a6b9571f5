"""`airflow-kubler digest`: what a channel stands for, in the form that a deploy tool reads."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from builder.cli.root import Context
from builder.deploy.forms import FORMATS
from builder.deploy.helm import Pin
from builder.usecase.digest import DigestRequest, render_digest
from builder.wiring.ledgers import open_ledger


@click.command()
@click.argument("stack")
@click.option("--channel", metavar="CHANNEL", default="", help="Channel of the stack, as prod.")
@click.option(
    "--digest", metavar="DIGEST", default="", help="In place of a channel: an image's digest, or its beginning."
)
@click.option(
    "--format",
    "format_name",
    type=click.Choice(list(FORMATS)),
    default="ref",
    show_default=True,
    help="What reads the answer.",
)
@click.option(
    "--form", metavar="FORM", default="", help="argocd: image-updater. flux: policy, newest. terraform: locals."
)
@click.option("--repository", metavar="REPOSITORY", default="", help="Where to pull from, of several repositories.")
@click.option("--chart-version", metavar="VERSION", default="", help="Of the official chart, as 1.22.0.")
@click.option(
    "--pin",
    type=click.Choice([pin.value for pin in Pin]),
    help="Write repository:tag@digest (tag), or repository@digest for runtimes that refuse both (digest).",
)
@click.option("--name", metavar="NAME", default="", help="Of the HelmRelease or Application. Default: airflow.")
@click.option("--namespace", metavar="NAMESPACE", default="", help="Of what is written.")
@click.option(
    "--image", "images", metavar="NAME", multiple=True, help="kustomize: name to replace. Default: apache/airflow."
)
@click.option(
    "--manifests",
    metavar="FILE",
    multiple=True,
    type=click.Path(path_type=Path, exists=True),
    help="kustomize: rendered manifests, whose pod templates and airflow.cfg in ConfigMaps are patched.",
)
@click.pass_obj
def command(context: Context, /, stack: str, *, channel: str, digest: str, pin: str | None, **asked: Any) -> None:
    """Print the image that a channel of STACK stands for, pinned by digest, in the form that a deploy tool reads.

    The bytes printed change when the channel moves, or its image comes into another repository, and at no other time.
    """
    if bool(channel) == bool(digest):
        raise click.UsageError("name either a --channel or a --digest")
    request = DigestRequest(
        stack=stack,
        channel=channel,
        digest=digest,
        pin=pin or "",
        stacks_folder=context.stacks_folder(),
        **asked,
    )
    with open_ledger(context.ledger_place()) as ledger:
        click.echo(render_digest(ledger, request), nl=False)
