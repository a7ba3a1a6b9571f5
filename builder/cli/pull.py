"""`airflow-kubler pull`: an image from a registry into a layout."""

from __future__ import annotations

from pathlib import Path

import click

from builder.cli.options import json_option, parse_reference_argument, workers_option
from builder.cli.output import note, render_size, show_json, show_text
from builder.registry.model import Reference
from builder.usecase.ship import fetch_image
from builder.wiring.registries import make_registry


@click.command()
@click.argument("reference", callback=parse_reference_argument)
@click.option(
    "--output",
    "-o",
    type=click.Path(path_type=Path, file_okay=False),
    required=True,
    metavar="DIR",
    help="Folder for an OCI layout; what it holds already is not asked for.",
)
@click.option("--with-referrers", is_flag=True, help="Bring what refers to the image, too: signatures, archives.")
@workers_option
@json_option
def command(reference: Reference, output: Path, workers: int, *, with_referrers: bool, as_json: bool) -> None:
    """Pull the image or artifact at REFERENCE, each byte checked, as an OCI layout."""
    with make_registry() as registry:
        pulled = fetch_image(registry, reference, output, with_referrers=with_referrers, workers=workers)
    for skipped in pulled.skipped:
        note(f"left out: {skipped}")
    shipment = pulled.shipment
    digest, size = shipment.root.digest, sum(blob.size for blob in shipment.blobs)
    if as_json:
        show_json(
            {
                "reference": str(reference.pinned(digest)),
                "digest": str(digest),
                "output": str(output),
                "manifests": [str(manifest.digest) for manifest in shipment.manifests],
                "blobs": len(shipment.blobs),
                "size_bytes": size,
                "skipped": [
                    {"digest": str(one.digest), "subject": str(one.subject), "why": one.why} for one in pulled.skipped
                ],
            }
        )
        return
    show_text(f"{reference.pinned(digest)}\n{len(shipment.blobs)} blobs, {render_size(size)}, in {output}")
