"""`airflow-kubler archive`: the inputs of images, kept beside them."""

from __future__ import annotations

import click

from builder.cli.options import json_option, parse_reference_argument, workers_option
from builder.cli.output import progress, render_size, render_table, show_json, show_text
from builder.cli.root import Context
from builder.registry.model import Outcome, Reference
from builder.usecase.archive import plan_archive, push_archive
from builder.usecase.found_archive import find_archive
from builder.usecase.shipped import read_shipped
from builder.wiring.registries import make_registry


@click.group()
def command() -> None:
    """Keep every input of an image beside it in its registry, so that it can be rebuilt from there alone."""


@command.command()
@click.argument("reference", callback=parse_reference_argument)
@click.option("--dry-run", "-n", is_flag=True, help="Only say what would be sent.")
@workers_option
@json_option
@click.pass_obj
def push(context: Context, reference: Reference, workers: int, *, dry_run: bool, as_json: bool) -> None:
    """Archive the inputs of the image at REFERENCE: its locks here, and what they name in the store."""
    from builder.wiring.stores import make_file_store

    store, locks = make_file_store(), context.project().locks_folder
    with make_registry() as registry:
        image = read_shipped(registry, reference)
        plan = plan_archive(registry, image, locks, store, workers=workers)
        transfer = plan.transfer
        told = {
            "stack": image.stack,
            "subject": str(image.reference),
            "archive": f"{image.repository}@{transfer.root.digest}",
            "inputs": len(plan.archive.inputs),
            "size_bytes": plan.archive.size,
            "bytes_to_send": transfer.bytes_to_send,
        }
        if not dry_run:
            with progress(f"archive {image.stack}", transfer.bytes_to_send) as tell:
                done = push_archive(registry, plan, store, workers=workers, progress=lambda blob, _: tell(blob.size))
            told |= {"sent_bytes": done.sent_bytes, "blobs_sent": done.count(Outcome.SENT)}
    if as_json:
        show_json(told)
        return
    show_text(f"{told['archive']}\nrefers to {image.reference}")
    what = f"to send: {render_size(transfer.bytes_to_send)}" if dry_run else f"sent {render_size(done.sent_bytes)}"
    show_text(f"{len(plan.archive.inputs)} inputs, {render_size(plan.archive.size)}; {what}")


@command.command(name="ls")
@click.argument("reference", callback=parse_reference_argument)
@json_option
def list_(reference: Reference, *, as_json: bool) -> None:
    """List what the archive of the image at REFERENCE holds."""
    with make_registry() as registry:
        image = read_shipped(registry, reference)
        found = find_archive(registry, image)
    if as_json:
        inputs = [{"title": i.name, "size_bytes": i.size, "digest": str(i.sha256)} for i in found.archive.inputs]
        show_json({"archive": f"{image.repository}@{found.digest}", "subject": str(image.reference), "inputs": inputs})
        return
    rows = [(file.name, render_size(file.size), str(file.sha256)) for file in found.archive.inputs]
    show_text(render_table(("input", "size", "digest"), rows, right=(1,)))
