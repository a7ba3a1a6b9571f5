"""`airflow-kubler record`: what other systems found out about an image."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from builder.cli.root import Context
from builder.digest import Digest
from builder.errors import InvalidInputError
from builder.wiring.ledgers import open_ledger
from builder.wiring.recording import open_recorder

if TYPE_CHECKING:
    from builder.ledger.events import Event

_REPORT = click.option(
    "--report", type=click.Path(path_type=Path, dir_okay=False, exists=True), help="Kept with it, as it is."
)
_RESULTS = ("clean", "waived", "findings", "not scanned")


@click.group()
def command() -> None:
    """Record in the ledger what was found out elsewhere: channels ask for it."""


@command.command()
@click.argument("digest")
@click.option("--name", default="stack", show_default=True, help="Of the suite.")
@click.option("--passed/--failed", required=True, help="How it ended.")
@click.option("--summary", default="", help="One line for people.")
@_REPORT
@click.pass_obj
def test(context: Context, /, digest: str, name: str, summary: str, report: Path | None, *, passed: bool) -> None:
    """Record that the image DIGEST was tested."""
    from builder.ledger.events import Tested

    event = Tested(digest=_known(context, digest), name=name, passed=passed, summary=summary, report=_digest_of(report))
    _write(context, event, report)


@command.command()
@click.argument("digest")
@click.option("--result", type=click.Choice(_RESULTS), required=True)
@click.option("--scanner", default="", help="As `trivy 0.59.1`.")
@click.option("--database", default="", help="Digest or date of what the scanner knows.")
@click.option("--count", "counts", multiple=True, metavar="SEVERITY=N", help="Findings; may be repeated.")
@click.option("--summary", default="", help="One line for people.")
@_REPORT
@click.pass_obj
def scan(
    context: Context, /, digest: str, result: str, counts: Sequence[str], report: Path | None, **said: Any
) -> None:
    """Record that the image DIGEST was scanned, or could not be."""
    from builder.ledger.events import Scanned

    event = Scanned(
        digest=_known(context, digest), result=result, counts=_parse_counts(counts), report=_digest_of(report), **said
    )
    _write(context, event, report)


def _known(context: Context, digest: str) -> str:
    """Complete a digest to that of an image's index which the ledger knows; raises LedgerError."""
    from builder.errors import LedgerError
    from builder.ledger.queries import complete_digest, find_image

    with open_ledger(context.ledger_place()) as ledger:
        image = find_image(ledger, complete_digest(ledger, digest))
    if image is None:
        raise LedgerError("no build of it is recorded", context=digest, hint="airflow-kubler log shows what is")
    return image.built.digest


def _parse_counts(counts: Sequence[str]) -> dict[str, int]:
    found: dict[str, int] = {}
    for count in counts:
        severity, _, number = count.partition("=")
        if not severity or not (number.isascii() and number.isdigit()):
            raise InvalidInputError(f"not a count: {count[:40]!r}", context="--count", hint="write it as high=3")
        found[severity] = int(number)
    return found


def _digest_of(report: Path | None) -> str:
    return str(Digest.of(report.read_bytes())) if report else ""


def _write(context: Context, event: Event, report: Path | None) -> None:
    with open_recorder(context.ledger_place()) as recorder:
        if recorder is not None:
            recorder.told(event, report.read_bytes() if report else None)
