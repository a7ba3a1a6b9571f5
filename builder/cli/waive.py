"""`airflow-kubler waive`: a waiver for a finding, as a file."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from builder.cli.output import note, show_text
from builder.cli.root import Context
from builder.finding.vex import JUSTIFICATIONS, STATUSES

if TYPE_CHECKING:
    from builder.finding.document import Findings


@click.command()
@click.argument("stack")
@click.argument("id", metavar="FINDING")
@click.option("--status", type=click.Choice(STATUSES), default="not_affected", help="Default: not_affected.")
@click.option("--justification", type=click.Choice(JUSTIFICATIONS), help="Of what is not affected.")
@click.option(
    "--statement", default="", metavar="TEXT", help="What is done about what is affected; else why it is not."
)
@click.option("--reason", required=True, metavar="TEXT", help="How it is known that it may pass.")
@click.option("--owner", required=True, metavar="OWNER", help="Who answers for it, as team:finance-data.")
@click.option("--expires", required=True, type=click.DateTime(["%Y-%m-%d"]), help="The last day on which it holds.")
@click.option("--package", "products", multiple=True, metavar="PURL", help="Else where the last scan on record has it.")
@click.option("--for-all", is_flag=True, help="For all stacks, not STACK and its children alone.")
@click.pass_obj
def command(context: Context, /, stack: str, **said: Any) -> None:
    """Write a waiver for FINDING, as CVE-2026-1234, in STACK: an OpenVEX document that is committed with the stack."""
    from builder.usecase.waive import Wish, write_waiver
    from builder.wiring.ledgers import clock

    expires = said.pop("expires").date()
    said["justification"] = said["justification"] or ""
    written = write_waiver(
        context.project(), Wish(stack=stack, expires=expires, **said), last_findings(context, stack), clock()
    )
    waiver = written.waiver
    show_text(f"{waiver.file}: {waiver.id} in {', '.join(waiver.products)}, until {waiver.expires}")
    for parent in written.elsewhere:
        note(f"it lies in the layers of {parent}: a waiver of {parent} would hold for all its children")


def last_findings(context: Context, stack: str) -> Findings | None:
    """Read what the last scan of a stack on record found; None where there is no ledger, or no scan in it."""
    from builder.usecase.scan_record import iter_scans
    from builder.wiring.ledgers import open_ledger

    path = context.recording()
    if path is None:
        return None
    with open_ledger(path) as ledger:
        return next(iter_scans(ledger, stack), None)
