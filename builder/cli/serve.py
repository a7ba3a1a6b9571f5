"""`airflow-kubler serve`: the ledger over HTTP, for reading."""

from __future__ import annotations

from pathlib import Path

import click

from builder.cli.output import note
from builder.cli.root import Context
from builder.wiring.web import Listen, serve_ledger

_FILE = click.Path(path_type=Path, dir_okay=False, exists=True)


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", type=click.IntRange(0, 65535), default=8080, show_default=True, help="0 for any that is free.")
@click.option("--certificate", type=_FILE, metavar="FILE", help="Of TLS, with what certifies it.")
@click.option("--key", type=_FILE, metavar="FILE", help="Of the certificate.")
@click.pass_obj
def command(context: Context, host: str, port: int, certificate: Path | None, key: Path | None) -> None:
    """Answer over HTTP what channels stand for, and tell deploy tools when one moves.

    Everybody who reaches it may read; nobody can write. /openapi.json describes it.
    """
    if (certificate is None) != (key is None):
        raise click.UsageError("--certificate and --key go together")
    listen = Listen(host=host, port=port, certificate=certificate, key=key)
    serve_ledger(context.ledger_path(), listen, lambda address: note(f"serving {context.ledger_path()} on {address}"))
