"""`airflow-kubler sign`: an image in a registry, by its digest."""

from __future__ import annotations

import click

from builder.cli.options import json_option, key_option, parse_reference_argument
from builder.cli.output import show_json
from builder.cli.root import Context
from builder.cli.signatures_view import sealed_json, show_sealed
from builder.registry.model import Reference
from builder.usecase.attached import read_artifact
from builder.usecase.sign import sign_artifacts
from builder.wiring.recording import open_recorder
from builder.wiring.registries import make_registry
from builder.wiring.signing import open_signatory, source_date


@click.command()
@click.argument("reference", callback=parse_reference_argument)
@key_option()
@click.option("--recursive", "-r", is_flag=True, help="Sign the manifest of each platform too.")
@json_option
@click.pass_obj
def command(context: Context, /, reference: Reference, key: str, *, recursive: bool, as_json: bool) -> None:
    """Sign the image that REFERENCE stands for now, by its digest; the signature is put beside it in the registry.

    cosign verifies it: cosign verify --key KEY.pub --insecure-ignore-tlog=true REFERENCE. What the key has signed already is
    not signed again.
    """
    with (
        open_recorder(context.recording()) as recorder,
        open_signatory(key) as signatory,
        make_registry() as registry,
    ):
        artifact = read_artifact(registry, reference)
        sealed = sign_artifacts(registry, artifact, signatory, recursive=recursive, created=source_date())
        if recorder is not None:
            recorder.sealed(sealed)
    if as_json:
        show_json([sealed_json(one) for one in sealed])
    else:
        show_sealed(sealed)
