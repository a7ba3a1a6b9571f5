"""`airflow-kubler explain`: which input made an image another than the one before."""

from __future__ import annotations

import click

from builder.cli.options import json_option
from builder.cli.output import show_json, show_text
from builder.cli.root import Context
from builder.usecase.explain import explain_image
from builder.wiring.ledgers import open_ledger


@click.command()
@click.argument("image")
@click.option("--against", metavar="IMAGE", help="Explain against this one, not against the build before of the stack.")
@json_option
@click.pass_obj
def command(context: Context, image: str, against: str | None, *, as_json: bool) -> None:
    """Show which input made IMAGE another than the build before of its stack, and which layers changed by it.

    IMAGE is a digest or its beginning, a reference, a tag, a stack (its newest build) or STACK@CHANNEL.
    """
    from builder.cli.explain_view import explained_to_dict, render_explained

    with open_ledger(context.ledger_place()) as ledger:
        found = explain_image(ledger, image, against)
    show_json(explained_to_dict(found)) if as_json else show_text(render_explained(found))
