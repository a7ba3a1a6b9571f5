"""`airflow-kubler serve`: the ledger over HTTP, for reading, and for workers that share no file of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from builder.cli.output import note, show_text
from builder.cli.root import Context
from builder.wiring.web import ForWorkers, Listen, add_token, serve_ledger

_FILE = click.Path(path_type=Path, dir_okay=False, exists=True)
_NEW_FILE = click.Path(path_type=Path, dir_okay=False)


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", type=click.IntRange(0, 65535), default=8080, show_default=True, help="0 for any that is free.")
@click.option("--certificate", type=_FILE, metavar="FILE", help="Of TLS, with what certifies it.")
@click.option("--key", type=_FILE, metavar="FILE", help="Of the certificate.")
@click.option("--tokens", type=_NEW_FILE, metavar="FILE", help="Who may append and read all, by token: for workers.")
@click.option(
    "--nights",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="DIR",
    help="Keeps the nights of workers. Default: nights, beside the ledger.",
)
@click.option(
    "--new-token", metavar="NAME", help="Make a token, print it, and add its hash to --tokens. Nothing is served."
)
@click.option(
    "--may",
    multiple=True,
    type=click.Choice(("read", "write", "promote", "approve")),
    default=("read", "write"),
    show_default=True,
    help="What the new token is for; again for each.",
)
@click.pass_obj
def command(
    context: Context,
    /,
    *,
    tokens: Path | None,
    nights: Path | None,
    new_token: str | None,
    may: tuple[str, ...],
    **listen: Any,
) -> None:
    """Answer over HTTP what channels stand for, and tell deploy tools when one moves.

    Everybody who reaches it may read that; nobody can write. With --tokens, who has one of them may append to the ledger and run nights by it.
    /openapi.json describes it.
    """
    if (listen["certificate"] is None) != (listen["key"] is None):
        raise click.UsageError("--certificate and --key go together")
    if tokens is None and (nights or new_token):
        raise click.UsageError("--nights and --new-token go with --tokens")
    if new_token and tokens:
        show_text(add_token(tokens, new_token, may))
        note(
            f"{tokens} has its hash; the token itself is shown once: put it into AIRFLOW_KUBLER_TOKEN where workers run"
        )
        return
    path = context.ledger_file()
    workers = ForWorkers(tokens=tokens, nights=nights or path.parent / "nights") if tokens else None
    serve_ledger(path, Listen(**listen), lambda address: note(f"serving {path} on {address}"), workers)
