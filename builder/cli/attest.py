"""`airflow-kubler attest`: what is said of an image, signed and put beside it."""

from __future__ import annotations

import datetime as dt
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import click

from builder.attest.statement import dump_statement
from builder.cli.options import default_jobs, json_option, key_option, parse_reference_argument
from builder.cli.output import progress, show_json
from builder.cli.root import Context
from builder.cli.signatures_view import sealed_json, show_sealed
from builder.registry.model import Reference
from builder.usecase.attached import read_artifact
from builder.wiring.attesting import Wish, state
from builder.wiring.bills import make_fact_tools
from builder.wiring.recording import open_recorder
from builder.wiring.registries import make_registry
from builder.wiring.signing import open_signatory, source_date

_FILE = click.Path(path_type=Path, dir_okay=False, exists=True)


def _moment(ctx: click.Context, param: click.Parameter, value: str | None) -> int | None:
    del ctx, param
    if value is None:
        return None
    try:
        moment = dt.datetime.fromisoformat(value)
    except ValueError as error:
        raise click.BadParameter("must be a time, as 2026-11-30T06:00:00Z") from error
    if moment.tzinfo is None:
        raise click.BadParameter("has no offset: write Z for UTC behind it")
    return int(moment.timestamp())


@click.command()
@click.argument("reference", callback=parse_reference_argument)
@click.option(
    "--type",
    "kind",
    default="",
    metavar="KIND",
    help="provenance, sbom-cyclonedx, sbom-spdx, rebuild, scan, or cosign's name of one, or the URI of a predicate type.",
)
@key_option(required=False)
@click.option("--predicate", type=_FILE, help="Say what stands in this file of JSON, instead of making it.")
@click.option("--statement", type=_FILE, help="Sign this in-toto statement about the image, as of verify --attest.")
@click.option("--engine", type=click.Choice(("own", "buildkit")), default=None, help="That built it, without a ledger.")
@click.option("--builder-id", "builder", default="", metavar="URI", help="Of whoever vouches for the machine.")
@click.option("--invocation", default="", metavar="ID", help="Of the run. Default: what the ledger has.")
@click.option("--started", callback=_moment, metavar="TIME", help="Of the build. Default: what the ledger has.")
@click.option("--finished", callback=_moment, metavar="TIME", help="Of the build. Default: what the ledger has.")
@click.option("--dry-run", "-n", is_flag=True, help="Only print the statement.")
@json_option
@click.pass_obj
def command(
    context: Context, /, reference: Reference, key: str | None, *, dry_run: bool, as_json: bool, **how: Any
) -> None:
    """Sign a statement about the image at REFERENCE and put it beside the image.

    What is said is made here, from the image's locks, their files and the ledger; or it stands in a file. The same image,
    ledger and key give the same bytes. A bill of materials is of one platform, so of an image for two there are two.
    """
    if (how["predicate"] is not None and how["statement"] is not None) or not (how["kind"] or how["statement"]):
        raise click.UsageError("name what to say: --type KIND, with --predicate FILE or without; or --statement FILE")
    if key is None and not dry_run:
        raise click.UsageError("--key is missing: what signs it, or --dry-run to see it")
    with ExitStack() as later:
        recorder = later.enter_context(open_recorder(None if dry_run else context.recording()))
        signatory = later.enter_context(open_signatory(key)) if key is not None and not dry_run else None
        registry = later.enter_context(make_registry())
        artifact = read_artifact(registry, reference)
        facts = make_fact_tools(default_jobs(), lambda total: progress("read files of the lock", total))
        statements = state(
            registry, artifact, Wish(**how), locks=context.locks_folder(), ledger=context.recording(), facts=facts
        )
        if signatory is None:
            for statement in statements:
                click.echo(dump_statement(statement).decode())
            return
        from builder.usecase.sign import seal_and_attach

        sealed = tuple(seal_and_attach(registry, artifact, one, signatory, created=source_date()) for one in statements)
        if recorder is not None:
            recorder.sealed(sealed)
    show_json([sealed_json(one) for one in sealed]) if as_json else show_sealed(sealed)
