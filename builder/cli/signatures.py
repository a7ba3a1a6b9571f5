"""`airflow-kubler signatures`: what is signed of an image, by whom, and what holds."""

from __future__ import annotations

from typing import Any

import click

from builder.cli.options import json_option, parse_reference_argument
from builder.cli.output import show_json, show_text
from builder.cli.root import Context
from builder.cli.signatures_view import judged_json, render_attached
from builder.cli.verify_signed import look_at, names_signers, signer_options
from builder.registry.model import Reference


@click.command()
@click.argument("reference", callback=parse_reference_argument)
@signer_options
@json_option
@click.pass_obj
def command(context: Context, /, reference: Reference, *, as_json: bool, **how: Any) -> None:
    """List the bundles beside the image at REFERENCE: of what kind, by whom, and whether they hold.

    Without keys nothing is verified, and kinds are what bundles claim. The project's stacks/keys.toml is used where it is
    there and no keys are named. The exit status is 0 whatever holds: `verify` judges.
    """
    has_keys = names_signers(how)
    if not has_keys and (stacks := context.stacks_folder()) is not None and (stacks / "keys.toml").is_file():
        how["signed"] = has_keys = True
    found = look_at(context, reference, how, ())
    if as_json:
        passed = [{"manifest": str(one.manifest), "why": one.why} for one in found.passed_over]
        show_json(
            {
                "reference": str(found.artifact.reference),
                "keys_given": has_keys,
                "attached": [judged_json(one) for one in found.judged],
                "passed_over": passed,
            }
        )
    else:
        show_text(render_attached(found, has_keys=has_keys))
