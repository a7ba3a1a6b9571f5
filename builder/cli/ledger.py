"""`airflow-kubler ledger`: the record of what happened, begun, checked, and its head kept outside."""

from __future__ import annotations

import os
from pathlib import Path

import click

from builder.cli.ledger_verify import verify
from builder.cli.output import note, show_text
from builder.cli.root import Context
from builder.errors import InvalidInputError

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

    path = context.ledger_file()
    begin_ledger(path, origin or path.resolve().parent.name.replace(" ", "-").replace("+", "-"))
    note(f"begun: {path}; keep it out of git, and its heads outside: airflow-kubler ledger head")


@command.command()
@click.option("--key", "key_file", type=_FILE, help="Sign it by this key, of `ledger keygen`.")
@click.option("--output", "-o", type=click.Path(path_type=Path, dir_okay=False), help="Write it there.")
@click.pass_obj
def head(context: Context, key_file: Path | None, output: Path | None) -> None:
    """Print the head, a checkpoint in the form of C2SP: keep it where the ledger's writer cannot change it."""
    from builder.atomic import replacing
    from builder.ledger.note import parse_signing_key, sign
    from builder.wiring.ledgers import open_ledger

    with open_ledger(context.ledger_place()) as ledger:
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
    from builder.wiring.ledgers import open_ledger_file

    with open_ledger_file(context.ledger_file()) as ledger:
        for written in ledger.lines(first):
            click.echo(written)


command.add_command(verify)
