"""`airflow-kubler audit`: evidence for auditors, which they check without this program."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click

from builder.cli.options import json_option, parse_since
from builder.cli.output import note, show_json, show_text
from builder.cli.root import Context

_FILE = click.Path(path_type=Path, dir_okay=False, exists=True)


@click.group()
def command() -> None:
    """Write what an auditor wants of a period: all that happened, nothing left out, with the documents."""


@command.command()
@click.option(
    "--from",
    "begin",
    required=True,
    metavar="DAY|MOMENT",
    callback=parse_since,
    help="The first moment, as 2026-11-01.",
)
@click.option(
    "--to", "end", required=True, metavar="DAY|MOMENT", callback=parse_since, help="The first moment after it."
)
@click.option(
    "--output", "-o", required=True, type=click.Path(path_type=Path), help="The folder; it must not be there."
)
@click.option("--key", "key_file", type=_FILE, help="Sign by this key, of `ledger keygen`.")
@click.option("--head", "heads", type=_FILE, multiple=True, help="A head kept outside, to prove too; may be repeated.")
@click.option(
    "--fetch", is_flag=True, help="Ask the store and registries, by digest, for what the ledger does not hold."
)
@json_option
@click.pass_obj
def export(
    context: Context, /, begin: int, end: int, output: Path, key_file: Path | None, heads: Sequence[Path], **how: bool
) -> None:
    """Write a folder that an auditor checks without us: `python3 -I -S verify.py --key KEY`.

    The same ledger, period and key give the same bytes.
    """
    from builder.audit.model import Period
    from builder.ledger.note import parse_signing_key
    from builder.usecase.audit import AuditRequest, evidence_to_dict
    from builder.wiring.auditing import write_export
    from builder.wiring.ledgers import open_ledger_file

    request = AuditRequest(
        period=Period(begin=begin, end=end),
        key=parse_signing_key(key_file.read_text(), file=str(key_file)) if key_file else None,
        heads=[(str(file), file.read_bytes()) for file in heads],
    )
    with open_ledger_file(context.ledger_file()) as ledger:
        evidence = write_export(ledger, request, output, fetch=note if how["fetch"] else None)
    found = evidence_to_dict(evidence)
    if how["as_json"]:
        show_json(found)
        return
    told = ", ".join(f"{found[name]} {name}" for name in ("entries", "images", "moves", "remarks"))
    show_text(f"{output}: {told}, from {found['from']} to {found['to']}")
    if not evidence.signed_by:
        note("nobody has signed it, so it proves nothing: name a key by --key")


@command.command()
def verifier() -> None:
    """Print verify.py, for an auditor who wants it by another way than with the export."""
    from builder.audit.joined import join_verifier

    click.echo(join_verifier(), nl=False)
