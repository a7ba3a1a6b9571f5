"""`airflow-kubler verify`: build again and compare, or look who has signed."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from builder.cli.options import jobs_option, json_option, stack_argument
from builder.cli.root import Context
from builder.cli.verify_signed import kind_options, names_signers, signer_options
from builder.digest import Digest
from builder.errors import InvalidInputError


def _parse_digest(ctx: click.Context, param: click.Parameter, value: str | None) -> Digest | None:
    del ctx, param
    try:
        return Digest.parse(value) if value else None
    except InvalidInputError as error:
        raise click.BadParameter(error.message) from error


@click.command()
@stack_argument
@click.option(
    "--layout",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="DIR",
    help="OCI layout to compare with. Default: build/STACK in the project.",
)
@click.option(
    "--digest", callback=_parse_digest, metavar="DIGEST", help="Compare with the digest of an image index instead."
)
@click.option("--files", is_flag=True, help="Compare files and how the image runs, not layers: for images of BuildKit.")
@click.option("--rebuild", is_flag=True, help="STACK is an image in a registry: rebuild it from its archive alone.")
@click.option("--wheels", is_flag=True, help="With --rebuild: build wheels that came from sdists again, too.")
@click.option(
    "--attest",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="With --rebuild: write an in-toto statement on what came out.",
)
@click.option("--rebuilder", metavar="NAME", help="Of the statement: who and where. Default: user@host.")
@signer_options
@kind_options
@jobs_option
@json_option
@click.pass_obj
def command(context: Context, /, stack: str, jobs: int, *, rebuild: bool, as_json: bool, **how: Any) -> int:
    """Build STACK again from its lock, without any cache, and compare; exit status 1 where anything differs.

    With --rebuild, STACK is a reference, as registry.example.org/team/airflow:prod: lock and inputs come from the archive
    beside the image, and from nowhere else; no project is needed.

    With --key, --signed or --certificate-identity, STACK is a reference too: what --type names must be signed; exit status
    1 where it is not.
    """
    by_signers = names_signers(how)
    _check(stack, how, rebuild=rebuild, by_signers=by_signers)
    if by_signers:
        from builder.cli.verify_signed import verify_signed

        return verify_signed(context, stack, how, as_json=as_json)
    if rebuild:
        from builder.cli.verify_reference import verify_reference

        named = {name: how[name] for name in ("attest", "rebuilder", "wheels")}
        return verify_reference(stack, jobs, **named, recording=context.recording(), as_json=as_json)
    from builder.cli.verify_layout import verify_layout_of

    return verify_layout_of(context, stack, how, jobs, as_json=as_json)


def _check(stack: str, how: Mapping[str, Any], *, rebuild: bool, by_signers: bool) -> None:
    """Refuse options that say nothing together."""
    if rebuild and by_signers:
        raise click.UsageError("--rebuild compares, --key and the like look at signatures: one at a time")
    if ("/" in stack) != (rebuild or by_signers):
        what = "names an image in a registry" if "/" in stack else "is no reference to an image in a registry"
        way = "add --rebuild, or --key FILE" if "/" in stack else "name one with --rebuild, --key and the like"
        raise click.UsageError(f"{stack!r} {what}: {way}")
    if not by_signers and (how["kinds"] or how["builders"]):
        raise click.UsageError("--type and --builder-id need --key, --signed or --certificate-identity")
    if "/" in stack and (how["layout"] or how["digest"] or how["files"]):
        raise click.UsageError("--layout, --digest and --files say nothing of an image in a registry")
    if not rebuild and (how["attest"] or how["rebuilder"] or how["wheels"]):
        raise click.UsageError("--attest, --rebuilder and --wheels need --rebuild")
    if how["files"] and how["digest"]:
        raise click.UsageError("--files needs an image, and --digest names none")
