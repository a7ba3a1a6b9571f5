"""`airflow-kubler ledger`: the record of what happened, begun, checked, and its head kept outside."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from builder.cli.options import json_option
from builder.cli.output import note, show_json, show_text
from builder.cli.root import Context
from builder.errors import InvalidInputError

if TYPE_CHECKING:
    from builder.ledger.note import VerifyingKey

_FILE = click.Path(path_type=Path, dir_okay=False, exists=True)


@click.group()
def command() -> None:
    """Begin, check and export the ledger: what happened to stacks, append-only, each entry chained to the one before."""


@command.command()
@click.option(
    "--origin", metavar="NAME", help="The ledger's name, as example.org/airflow. Default: the project's folder."
)
@click.pass_obj
def init(context: Context, origin: str | None) -> None:
    """Begin a ledger: from then on lock, build, push and the like record what they do."""
    from builder.wiring.ledgers import begin_ledger

    path = context.ledger_path()
    begin_ledger(path, origin or path.resolve().parent.name.replace(" ", "-").replace("+", "-"))
    note(f"begun: {path}; keep it out of git, and its heads outside: airflow-kubler ledger head")


@command.command()
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
    verdict = check_ledger(context.ledger_path(), head=head, documents=documents)
    if as_json:
        show_json(
            {
                "entries": verdict.head.size if verdict.head else None,
                "whole": not verdict.problems,
                "first_bad_entry": verdict.first_bad_entry,
                "problems": [{"where": one.where, "what": one.what, "entry": one.number} for one in verdict.problems],
                "clock_went_back": list(verdict.clock_went_back),
            }
        )
    else:
        for problem in verdict.problems:
            show_text(str(problem))
        if not verdict.problems and verdict.head is not None:
            held = "" if head is None else f", and begins with the {head.size} of {head_file}"
            show_text(f"{verdict.head.origin}: {verdict.head.size} entries, whole{held}")
            if head is not None and not keys:
                note("the signature of the head was not verified: name its key by --key")
    return 1 if verdict.problems else 0


@command.command()
@click.option("--key", "key_file", type=_FILE, help="Sign it by this key, of `ledger keygen`.")
@click.option("--output", "-o", type=click.Path(path_type=Path, dir_okay=False), help="Write it there.")
@click.pass_obj
def head(context: Context, key_file: Path | None, output: Path | None) -> None:
    """Print the head, a checkpoint in the form of C2SP: keep it where the ledger's writer cannot change it."""
    from builder.atomic import replacing
    from builder.ledger.note import parse_signing_key, sign
    from builder.wiring.ledgers import open_ledger

    with open_ledger(context.ledger_path()) as ledger:
        point = ledger.head()
    key = parse_signing_key(key_file.read_text(), file=str(key_file)) if key_file else None
    data = sign(point, key) if key else point.text.encode()
    if output is None:
        click.echo(data.decode(), nl=False)
        return
    with replacing(output, mode=0o644, durable=True) as stream:
        stream.write(data)


@command.command()
@click.argument("name")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
def keygen(name: str, file: Path) -> None:
    """Make an Ed25519 key called NAME that signs heads: FILE keeps the private half, the public one is printed."""
    from builder.ledger.note import SigningKey, check_name

    key = SigningKey(name=check_name(name), seed=os.urandom(32))
    try:
        with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600), "w") as stream:
            stream.write(f"{key}\n")
    except FileExistsError:
        raise InvalidInputError("is there already", context=str(file), hint="name another file") from None
    show_text(str(key.verifying))


@command.command()
@click.option("--from", "first", type=click.IntRange(min=0), default=0, metavar="N", help="First entry. Default: 0.")
@click.pass_obj
def export(context: Context, first: int) -> None:
    """Print entries as they are kept, a line each: sha256 over a zero byte and the line is an entry's hash."""
    from builder.wiring.ledgers import open_ledger

    with open_ledger(context.ledger_path()) as ledger:
        for written in ledger.lines(first):
            click.echo(written)


def _verifying_key(text: str) -> VerifyingKey:
    """Read a verifying key that is given itself, or by a file."""
    from builder.ledger.note import parse_verifying_key

    path = Path(text)
    is_file = "+" not in text or path.is_file()
    return parse_verifying_key(path.read_text() if is_file else text, file=text if is_file else "--key")
