"""`airflow-kubler show`: all that is known of an image."""

from __future__ import annotations

from pathlib import Path

import click

from builder.cli.options import html_option, json_option
from builder.cli.output import save_page, show_json, show_text
from builder.cli.root import Context
from builder.usecase.show import show_image
from builder.wiring.ledgers import open_ledger


@click.command()
@click.argument("image")
@click.option("--all", "everything", is_flag=True, help="Show every distribution, Debian package and layer.")
@html_option
@json_option
@click.pass_obj
def command(context: Context, image: str, html: Path | None, *, everything: bool, as_json: bool) -> None:
    """Show what is in IMAGE, from which lock, built by whom, what changed since the one before, and where it runs.

    IMAGE is a digest or its beginning, a reference, a tag, a stack (its newest build) or STACK@CHANNEL.
    """
    with open_ledger(context.ledger_place()) as ledger:
        shown = show_image(ledger, image)
    if html:
        from builder.picture.show_page import render_show_page

        save_page(html, render_show_page(shown))
    elif as_json:
        from builder.cli.show_json import shown_to_dict

        show_json(shown_to_dict(shown))
    else:
        from builder.cli.show_view import render_shown

        show_text(render_shown(shown, everything=everything))
