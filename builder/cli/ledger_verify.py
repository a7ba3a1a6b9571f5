"""`airflow-kubler ledger verify`: every column of every row held against what it must be."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from builder.cli.options import json_option
from builder.cli.output import note, show_json, show_text
from builder.cli.root import Context

if TYPE_CHECKING:
    from builder.ledger.check import Verdict
    from builder.ledger.note import Checkpoint, VerifyingKey

_FILE = click.Path(path_type=Path, dir_okay=False, exists=True)


@click.command()
@click.option("--head", "head_file", type=_FILE, help="A head kept outside: what the ledger must begin with.")
@click.option("--key", "keys", multiple=True, metavar="KEY|FILE", help="Verifying key of the head; may be repeated.")
@click.option("--documents", is_flag=True, help="Unpack each document too, beside hashing how it is kept.")
@json_option
@click.pass_obj
def verify(context: Context, head_file: Path | None, keys: Sequence[str], *, documents: bool, as_json: bool) -> int:
    """Check every column of every row; exit status 1 with the first bad entry where anything is not as it was written.

    Without --head it cannot be told that the last entries were cut off, or that the file is another.
    """
    from builder.ledger.check import check_ledger
    from builder.ledger.note import parse_checkpoint, verify_checkpoint

    head = None
    if head_file is not None:
        data, file = head_file.read_bytes(), str(head_file)
        trusted = [_verifying_key(key) for key in keys]
        head = verify_checkpoint(data, trusted, file=file) if keys else parse_checkpoint(data, file=file)[0]
    elif keys:
        raise click.UsageError("--key is for --head")
    verdict = check_ledger(context.ledger_file(), head=head, documents=documents)
    if as_json:
        show_json(_as_json(verdict))
    else:
        _show(verdict, head, head_file)
        if head is not None and not keys:
            note("the signature of the head was not verified: name its key by --key")
    return 1 if verdict.problems else 0


def _show(verdict: Verdict, head: Checkpoint | None, head_file: Path | None) -> None:
    for problem in verdict.problems:
        show_text(str(problem))
    if not verdict.problems and verdict.head is not None:
        held = "" if head is None else f", and begins with the {head.size} of {head_file}"
        show_text(f"{verdict.head.origin}: {verdict.head.size} entries, whole{held}")


def _as_json(verdict: Verdict) -> dict[str, Any]:
    return {
        "entries": verdict.head.size if verdict.head else None,
        "whole": not verdict.problems,
        "first_bad_entry": verdict.first_bad_entry,
        "problems": [{"where": one.where, "what": one.what, "entry": one.number} for one in verdict.problems],
        "clock_went_back": list(verdict.clock_went_back),
    }


def _verifying_key(text: str) -> VerifyingKey:
    """Read a verifying key that is given itself, or by a file."""
    from builder.ledger.note import parse_verifying_key

    path = Path(text)
    is_file = "+" not in text or path.is_file()
    return parse_verifying_key(path.read_text() if is_file else text, file=text if is_file else "--key")
