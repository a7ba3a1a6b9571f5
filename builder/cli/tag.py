"""`airflow-kubler tag`: channels moved in a registry."""

from __future__ import annotations

import click

from builder.cli.options import json_option, parse_reference_argument
from builder.cli.output import show_json, show_text
from builder.cli.root import Context
from builder.registry.model import Reference, check_tag
from builder.usecase.ship import tag_image
from builder.wiring.recording import open_recorder
from builder.wiring.registries import make_registry


@click.command()
@click.argument("reference", callback=parse_reference_argument)
@click.argument("tags", nargs=-1, required=True, metavar="TAG...")
@json_option
@click.pass_obj
def command(context: Context, reference: Reference, tags: tuple[str, ...], *, as_json: bool) -> None:
    """Make each TAG stand for the image at REFERENCE, in its repository; nothing but the tags is written.

    A tag of the form STACK-YYYYMMDD.N that stands for another image is refused.
    """
    named = tuple(check_tag(tag) for tag in tags)
    with open_recorder(context.recording()) as recorder, make_registry() as registry:
        moved = tag_image(registry, reference, named)
        if recorder is not None:
            recorder.tagged(reference.repository, moved.digest, moved.before)
    digest = moved.digest
    if as_json:
        rows = [{"tag": tag, "before": str(before) if before else None} for tag, before in moved.before.items()]
        show_json({"reference": f"{reference.repository}@{digest}", "digest": str(digest), "tags": rows})
        return
    for tag, before in moved.before.items():
        was = "unchanged" if before == digest else f"was {before}" if before else "new"
        show_text(f"{reference.repository.at(tag)}  {digest}  {was}")
