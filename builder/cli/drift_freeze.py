"""`airflow-kubler drift script` and `drift freeze`: what is installed inside a container, against its image's lock."""

from __future__ import annotations

from typing import IO

import click

from builder.cli.drift_options import severity_option
from builder.cli.options import json_option
from builder.cli.output import show_json, show_text
from builder.cli.root import Context
from builder.drift.model import Severity
from builder.platform import PLATFORMS


@click.command()
def script() -> None:
    """Print a script that lists what is installed where it runs, and which files are not as they were installed.

    airflow-kubler drift script | kubectl exec -i deploy/scheduler -c scheduler -- python - > listing.json
    """
    from builder.usecase.drift import inside_script

    click.echo(inside_script(), nl=False)


@click.command()
@click.argument("file", type=click.File("rb"))
@click.option("--image", metavar="DIGEST", help="That the container runs: of its index, manifest or config.")
@click.option("--stack", metavar="STACK", help="With --channel: the image that the channel stands for.")
@click.option("--channel", metavar="CHANNEL", help="With --stack.")
@click.option("--platform", type=click.Choice(tuple(PLATFORMS)), help="Of the container, where nothing says it.")
@severity_option
@json_option
@click.pass_obj
def freeze(
    context: Context,
    file: IO[bytes],
    *,
    image: str | None,
    stack: str | None,
    channel: str | None,
    platform: str | None,
    fail_on: Severity,
    as_json: bool,
) -> int:
    """Hold FILE against an image's lock: what `drift script` made, `pip freeze` or `pip list --format json`.

    FILE is - for standard input. Exit status 1 where something was added, removed, changed or patched.
    """
    from builder.cli.drift_view import differences_json, differences_text
    from builder.ledger.queries import complete_digest
    from builder.usecase.drift import channel_digest, compare_freeze
    from builder.wiring.ledgers import open_ledger

    if bool(image) == bool(stack and channel) or bool(stack) != bool(channel):
        raise click.UsageError("say what the container runs: --image, or --stack and --channel")
    with open_ledger(context.ledger_place()) as ledger:
        digest = complete_digest(ledger, image) if image else channel_digest(ledger, stack or "", channel or "")
        listing, found = compare_freeze(ledger, file.read(), digest, platform=platform or "", context=file.name)
    count = len(listing.installed)
    if as_json:
        show_json(differences_json(found, count, digest))
    else:
        show_text(differences_text(found, count, digest))
    return 1 if any(one.severity >= fail_on for one in found) else 0
